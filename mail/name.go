package mail

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Name is a mailbox's canonical name inside the server: UTF-8 components from
// the top of the account's tree, joined by "/"; "INBOX" is the account's inbox
// and a plain "Sent" is a folder beside it. What a client sees ("INBOX.Sent",
// "Sent", modified UTF-7) is made from it by the account's name style. A
// component may hold any character but "/" and controls, a "." included.
type Name string

// Inbox is the name of the inbox. Clients may spell it in any case.
const Inbox Name = "INBOX"

// Separator stands between the components of a Name.
const Separator = "/"

// MaxNameLen bounds a Name in bytes, so that every form of it fits a file name.
const MaxNameLen = 250

// ErrBadName is wrapped by every error of CheckName.
var ErrBadName = errors.New("invalid mailbox name")

// CheckName returns an error that says what is wrong with the name, or nil.
func CheckName(n Name) error {
	switch {
	case n == "":
		return fmt.Errorf("%w: it is empty", ErrBadName)
	case len(n) > MaxNameLen:
		return fmt.Errorf("%w: longer than %d bytes", ErrBadName, MaxNameLen)
	case !utf8.ValidString(string(n)):
		return fmt.Errorf("%w: not UTF-8", ErrBadName)
	}
	for c := range strings.SplitSeq(string(n), Separator) {
		if c == "" {
			return fmt.Errorf("%w: it has an empty part", ErrBadName)
		}
		if strings.ContainsFunc(c, isControl) {
			return fmt.Errorf("%w: it has a control character", ErrBadName)
		}
	}
	return nil
}

func isControl(r rune) bool { return r < 0x20 || r >= 0x7f && r < 0xa0 || r == 0x2028 || r == 0x2029 }

// IsInbox reports whether the name is the inbox, in any case of letters.
func (n Name) IsInbox() bool { return strings.EqualFold(string(n), string(Inbox)) }

// Parent is the name above n, or "" at the top.
func (n Name) Parent() Name {
	if i := strings.LastIndex(string(n), Separator); i >= 0 {
		return n[:i]
	}
	return ""
}

// Base is the last component.
func (n Name) Base() string {
	return string(n[strings.LastIndex(string(n), Separator)+1:])
}

// Child is the name of the folder c below n, or c itself if n is "".
func (n Name) Child(c string) Name {
	if n == "" {
		return Name(c)
	}
	return n + Separator + Name(c)
}

// Below reports whether n lies strictly below the name up.
func (n Name) Below(up Name) bool {
	return len(n) > len(up) && strings.HasPrefix(string(n), string(up)) && n[len(up)] == Separator[0]
}
