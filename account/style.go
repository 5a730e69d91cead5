package account

import (
	"fmt"
	"strings"

	"postrider/mail"
)

// Style is how a client sees mailbox names.
//
// With the prefix "INBOX." and the delimiter "." (Courier) all folders lie
// below the inbox: Sent is "INBOX.Sent", in the directory ".Sent". With no
// prefix and "/" (plain) Sent is "Sent" in ".Sent", and "INBOX/x" is a mailbox
// of its own, in ".INBOX.x"; in Courier's style that directory is
// "INBOX.INBOX.x".
type Style struct {
	Prefix    string // of every name but the inbox: "INBOX." or ""
	Delimiter byte   // '.' or '/'
}

// CourierStyle is what Courier-IMAP shows.
func CourierStyle() Style { return Style{"INBOX.", '.'} }

// PlainStyle puts folders beside the inbox.
func PlainStyle() Style { return Style{"", '/'} }

// Wire is the name as the client sees it.
func (s Style) Wire(n mail.Name) string {
	if n == mail.Inbox {
		return string(n)
	}
	return s.Prefix + strings.ReplaceAll(string(n), mail.Separator, string(rune(s.Delimiter)))
}

// Parse is the mailbox that a client means. The five letters INBOX may be in
// any case. An error wraps mail.ErrBadName.
func (s Style) Parse(wire string) (mail.Name, error) {
	if mail.Name(wire).IsInbox() {
		return mail.Inbox, nil
	}
	d := string(rune(s.Delimiter))
	first, rest, below := strings.Cut(wire, d)
	if mail.Name(first).IsInbox() && below {
		wire = string(mail.Inbox) + d + rest
	}
	rest, ok := strings.CutPrefix(wire, s.Prefix)
	if !ok {
		return "", fmt.Errorf("%w: it does not begin with %q", mail.ErrBadName, s.Prefix)
	}
	if d != mail.Separator {
		if strings.Contains(rest, mail.Separator) {
			return "", fmt.Errorf("%w: it has a %q", mail.ErrBadName, mail.Separator)
		}
		rest = strings.ReplaceAll(rest, d, mail.Separator)
	}
	n := mail.Name(rest)
	return n, mail.CheckName(n)
}

// Match reports whether a LIST pattern matches a name, both as the client
// writes them: "*" is any text, "%" any text without the delimiter (RFC 3501
// 6.3.8). INBOX matches in any case, also as the first part of a name, as in
// Parse. It takes time len(pattern)*len(name).
func Match(pattern, name string, delimiter byte) bool {
	inbox := 0 // so many bytes of name match in any case
	if first, _, _ := strings.Cut(name, string(rune(delimiter))); mail.Name(first).IsInbox() {
		inbox = len(first)
	}
	// at[j]: the pattern so far matches name[:j].
	at := make([]bool, len(name)+1)
	at[0] = true
	for i := range len(pattern) {
		c := pattern[i]
		if c == '*' || c == '%' {
			for j := 1; j <= len(name); j++ {
				at[j] = at[j] || at[j-1] && (c == '*' || name[j-1] != delimiter)
			}
			continue
		}
		for j := len(name); j > 0; j-- {
			n := name[j-1]
			at[j] = at[j-1] && (n == c || j <= inbox && upper(n) == upper(c))
		}
		at[0] = false
	}
	return at[len(name)]
}

func upper(c byte) byte {
	if 'a' <= c && c <= 'z' {
		c -= 'a' - 'A'
	}
	return c
}
