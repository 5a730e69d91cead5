package imap

import (
	"strconv"
	"strings"
	"time"

	"postrider/mail"
)

// maxQuoted is the longest string that is sent quoted; longer ones go as literals,
// since clients bound the length of a line.
const maxQuoted = 4096

// AppendString appends s as a quoted string where that can hold it, else as a
// literal. NUL cannot go in either form (RFC 3501 9, CHAR8); it is sent as 0x80,
// as a byte that no text has.
func AppendString(dst []byte, s []byte) []byte {
	if len(s) <= maxQuoted && quotable(s) {
		return appendQuoted(dst, s)
	}
	return AppendLiteral(dst, s)
}

// AppendNString appends s as AppendString does, or NIL if it is nil.
func AppendNString(dst []byte, s []byte) []byte {
	if s == nil {
		return append(dst, "NIL"...)
	}
	return AppendString(dst, s)
}

// AppendLiteral appends s as a literal, with NUL as 0x80.
func AppendLiteral(dst []byte, s []byte) []byte {
	dst = AppendLiteralHeader(dst, int64(len(s)))
	n := len(dst)
	dst = append(dst, s...)
	for i, c := range dst[n:] {
		if c == 0 {
			dst[n+i] = 0x80
		}
	}
	return dst
}

// AppendLiteralHeader appends the announcement of a literal of n octets.
func AppendLiteralHeader(dst []byte, n int64) []byte {
	dst = append(dst, '{')
	dst = strconv.AppendInt(dst, n, 10)
	return append(dst, "}\r\n"...)
}

func quotable(s []byte) bool {
	for _, c := range s {
		if c >= 0x80 || !is(c, isQuoted) {
			return false
		}
	}
	return true
}

func appendQuoted(dst, s []byte) []byte {
	dst = append(dst, '"')
	for _, c := range s {
		if c == '"' || c == '\\' {
			dst = append(dst, '\\')
		}
		dst = append(dst, c)
	}
	return append(dst, '"')
}

// AppendAstring appends s as an atom where it is one and could not be taken for
// NIL, else as a string.
func AppendAstring(dst []byte, s []byte) []byte {
	if len(s) == 0 || len(s) > maxQuoted || strings.EqualFold(string(s), "NIL") {
		return AppendString(dst, s)
	}
	for _, c := range s {
		if !is(c, isAtom) {
			return AppendString(dst, s)
		}
	}
	return append(dst, s...)
}

// AppendMailbox appends a mailbox name, given in the client's form as UTF-8, as a
// quoted string of modified UTF-7.
func AppendMailbox(dst []byte, name string) []byte {
	return AppendString(dst, AppendUTF7(nil, name))
}

// AppendDateTime appends t, in its own zone, as a date-time. A year that four
// digits cannot hold becomes 1970.
func AppendDateTime(dst []byte, t time.Time) []byte {
	if y := t.Year(); y < 0 || y > 9999 {
		t = time.Unix(0, 0).UTC()
	}
	dst = append(dst, '"')
	dst = t.AppendFormat(dst, DateTimeLayout)
	return append(dst, '"')
}

// AppendFlags appends a parenthesised list of flags: system flags, \Recent, and
// keywords.
func AppendFlags(dst []byte, f mail.Flags, recent bool, keywords []string) []byte {
	dst = append(dst, '(')
	n := len(dst)
	dst = f.AppendText(dst)
	if recent {
		dst = appendBlank(dst, n)
		dst = append(dst, `\Recent`...)
	}
	for _, k := range keywords {
		dst = appendBlank(dst, n)
		dst = append(dst, k...)
	}
	return append(dst, ')')
}

func appendBlank(dst []byte, start int) []byte {
	if len(dst) > start {
		return append(dst, ' ')
	}
	return dst
}
