package imap

import (
	"strings"
	"testing"
)

// The grammar of RFC 3501 section 9 once more, as predicates.
func TestClassesOfAllBytes(t *testing.T) {
	in := func(set string) func(byte) bool { return func(c byte) bool { return strings.IndexByte(set, c) >= 0 } }
	char := func(c byte) bool { return c >= 0x01 && c <= 0x7f }
	ctl := func(c byte) bool { return c <= 0x1f || c == 0x7f }
	alnum := func(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' }
	atom := func(c byte) bool { return char(c) && !ctl(c) && !in(`(){ %*"\]`)(c) }
	astring := func(c byte) bool { return atom(c) || c == ']' }
	want := map[string]struct {
		class class
		has   func(byte) bool
	}{
		"ATOM-CHAR":    {isAtom, atom},
		"ASTRING-CHAR": {isAstring, astring},
		"list-char":    {isList, func(c byte) bool { return astring(c) || c == '%' || c == '*' }},
		"tag":          {isTag, func(c byte) bool { return astring(c) && c != '+' }},
		"quoted":       {isQuoted, func(c byte) bool { return c != 0 && c != '\r' && c != '\n' }},
		"TEXT-CHAR":    {isText, func(c byte) bool { return char(c) && c != '\r' && c != '\n' }},
		"base64":       {isBase64, func(c byte) bool { return alnum(c) || c == '+' || c == ',' }},
		"DIGIT":        {isDigit, in("0123456789")},
	}
	for name, w := range want {
		for i := range 256 {
			if got := is(byte(i), w.class); got != w.has(byte(i)) {
				t.Errorf("%s: byte %#02x is %v", name, i, got)
			}
		}
	}
}
