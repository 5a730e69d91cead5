package message

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/ianaindex"
)

// ErrCharset says that a charset is not known.
var ErrCharset = errors.New("unknown charset")

// Charsets are the names that a client is told when it asks for one that is not
// known; many more are understood.
func Charsets() []string {
	return []string{"UTF-8", "US-ASCII", "ISO-8859-1", "ISO-8859-15", "WINDOWS-1252", "KOI8-R", "ISO-2022-JP", "GB18030", "BIG5", "EUC-KR"}
}

// lookupCharset returns a charset's encoding; nil for UTF-8 and ASCII.
func lookupCharset(name string) (encoding.Encoding, error) {
	name = strings.Trim(strings.ToLower(name), " \t\"'")
	switch name {
	case "", "us-ascii", "ascii", "ansi_x3.4-1968", "utf-8", "utf8", "unicode-1-1-utf-8", "iso-ir-6", "646":
		return nil, nil
	case "iso-8859-1", "latin1", "latin-1", "iso8859-1":
		return charmap.ISO8859_1, nil
	case "cp1252", "cp-1252", "win-1252", "x-ansi":
		return charmap.Windows1252, nil
	case "ks_c_5601-1987", "ks_c_5601", "cp949", "x-windows-949":
		name = "euc-kr"
	case "x-gbk", "cp936", "gb2312":
		name = "gbk"
	case "cp932", "x-sjis", "ms_kanji":
		name = "shift_jis"
	}
	if e, err := htmlindex.Get(name); err == nil && e != encoding.Replacement {
		return e, nil
	}
	if e, err := ianaindex.MIME.Encoding(name); err == nil && e != nil {
		return e, nil
	}
	if e, err := ianaindex.IANA.Encoding(name); err == nil && e != nil {
		return e, nil
	}
	return nil, fmt.Errorf("%w %.64q", ErrCharset, name)
}

// DecodeCharset returns b, which is in the charset, as UTF-8. What cannot be in the
// charset becomes U+FFFD; in UTF-8 and ASCII, where people lie most, bytes that are
// not UTF-8 are read as windows-1252. It returns ErrCharset if the charset is not
// known.
func DecodeCharset(charset string, b []byte) (string, error) {
	if equalFold(charset, "utf-7") || equalFold(charset, "unicode-1-1-utf-7") {
		return decodeUTF7(string(b)), nil
	}
	e, err := lookupCharset(charset)
	if err != nil {
		return "", err
	}
	if e == nil {
		if utf8.Valid(b) {
			return string(b), nil
		}
		e = charmap.Windows1252
	}
	out, err := e.NewDecoder().Bytes(b)
	if err != nil {
		return strings.ToValidUTF8(string(out), "\uFFFD"), nil
	}
	return string(out), nil
}

// decodeUTF7 decodes UTF-7 (RFC 2152); what is wrong stays as it is.
func decodeUTF7(s string) string {
	var out strings.Builder
	for {
		i := strings.IndexByte(s, '+')
		if i < 0 {
			out.WriteString(s)
			return out.String()
		}
		out.WriteString(s[:i])
		s = s[i+1:]
		n := 0
		for n < len(s) && isBase64(s[n]) {
			n++
		}
		if n == 0 {
			out.WriteByte('+')
		} else if units, ok := decodeBase64(s[:n]); ok {
			out.WriteString(utf16Text(units))
		}
		s = strings.TrimPrefix(s[n:], "-")
	}
}

func utf16Text(b []byte) string {
	e, err := htmlindex.Get("utf-16be")
	if err != nil {
		return ""
	}
	out, err := e.NewDecoder().Bytes(b[:len(b)&^1])
	if err != nil {
		return ""
	}
	return string(out)
}
