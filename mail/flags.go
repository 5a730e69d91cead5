package mail

import "strings"

// Flags is a set of the system flags that a message file's name can carry
// (RFC 3501 2.3.2). \Recent is not among them: it is a property of a session.
type Flags uint8

// The system flags, in the order in which they are listed to a client.
const (
	Draft Flags = 1 << iota
	Flagged
	Answered
	Seen
	Deleted

	// AllFlags is every system flag.
	AllFlags = Draft | Flagged | Answered | Seen | Deleted
)

var flagNames = [...]string{`\Draft`, `\Flagged`, `\Answered`, `\Seen`, `\Deleted`}

// Has reports whether every flag of g is in f.
func (f Flags) Has(g Flags) bool { return f&g == g }

// Names returns the flags' names in listing order.
func (f Flags) Names() []string {
	var out []string
	for i, name := range flagNames {
		if f&(1<<i) != 0 {
			out = append(out, name)
		}
	}
	return out
}

// AppendText appends the names of the flags, one blank apart, to dst.
func (f Flags) AppendText(dst []byte) []byte {
	first := true
	for i, name := range flagNames {
		if f&(1<<i) == 0 {
			continue
		}
		if !first {
			dst = append(dst, ' ')
		}
		first = false
		dst = append(dst, name...)
	}
	return dst
}

// String is the names of the flags, one blank apart.
func (f Flags) String() string { return string(f.AppendText(nil)) }

// ParseFlag returns the system flag with this name, in any case of letters;
// false for \Recent and for every other word.
func ParseFlag(name string) (Flags, bool) {
	for i, n := range flagNames {
		if strings.EqualFold(n, name) {
			return 1 << i, true
		}
	}
	return 0, false
}

// MaxKeywordLen bounds one keyword in bytes.
const MaxKeywordLen = 255

// ValidKeyword reports whether s can be a keyword: an atom of RFC 3501
// (flag-keyword), so no control characters, blanks or any of (){%*"\], and no
// leading backslash; at most MaxKeywordLen bytes.
func ValidKeyword(s string) bool {
	if s == "" || len(s) > MaxKeywordLen {
		return false
	}
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`(){%*"\]`, c) >= 0 {
			return false
		}
	}
	return true
}

// FlagOp says how a FlagChange applies.
type FlagOp uint8

// The three forms of STORE (RFC 3501 6.4.6).
const (
	ReplaceFlags FlagOp = iota
	AddFlags
	RemoveFlags
)

// FlagChange is what STORE asks for: an operation with system flags and
// keywords. Keywords are compared without regard to the case of ASCII letters;
// the first spelling that a mailbox has seen wins.
type FlagChange struct {
	Op       FlagOp
	Flags    Flags
	Keywords []string
}

// ApplyFlags returns the system flags after the change.
func (c FlagChange) ApplyFlags(old Flags) Flags {
	switch c.Op {
	case AddFlags:
		return old | c.Flags
	case RemoveFlags:
		return old &^ c.Flags
	}
	return c.Flags
}
