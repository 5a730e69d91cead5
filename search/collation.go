package search

import (
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// collationKey is what SORT and THREAD compare octet by octet: the text after the
// collation i;unicode-casemap, every character in its title case and then decomposed
// (RFC 5051 2, RFC 5256 5). Title case puts the letters before "[" and "_", which
// small letters would follow.
func collationKey(s string) []byte {
	key := make([]byte, 0, len(s))
	ascii := true
	for _, r := range s {
		key = utf8.AppendRune(key, unicode.ToTitle(r))
		ascii = ascii && r < utf8.RuneSelf
	}
	if ascii {
		return key
	}
	return norm.NFKD.Bytes(key)
}
