package imap

import (
	"encoding/base64"
	"errors"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// ErrUTF7 says that a name is not modified UTF-7, or not in its one right form.
var ErrUTF7 = errors.New("not a name in modified UTF-7 (RFC 3501 5.1.3)")

var utf7Base64 = base64.NewEncoding("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,").WithPadding(base64.NoPadding).Strict()

// AppendUTF7 appends s, which is UTF-8, in modified UTF-7 (RFC 3501 5.1.3) to dst.
// Bytes that are not UTF-8 become U+FFFD.
func AppendUTF7(dst []byte, s string) []byte {
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == '&':
			dst = append(dst, "&-"...)
			i++
		case c >= 0x20 && c < 0x7f:
			dst = append(dst, c)
			i++
		default:
			j := i
			for j < len(s) && (s[j] < 0x20 || s[j] >= 0x7f) {
				j++
			}
			dst = appendShifted(dst, s[i:j])
			i = j
		}
	}
	return dst
}

func appendShifted(dst []byte, s string) []byte {
	var units []byte
	for _, r := range s {
		if hi, lo := utf16.EncodeRune(r); hi != utf8.RuneError {
			units = append(units, byte(hi>>8), byte(hi), byte(lo>>8), byte(lo))
		} else {
			units = append(units, byte(r>>8), byte(r))
		}
	}
	dst = append(dst, '&')
	dst = utf7Base64.AppendEncode(dst, units)
	return append(dst, '-')
}

// EncodeUTF7 is s in modified UTF-7.
func EncodeUTF7(s string) string { return string(AppendUTF7(nil, s)) }

// DecodeUTF7 returns a name in modified UTF-7 as UTF-8. It takes one spelling of a
// name only: no printable ASCII in base64, no two shifts in a row, no lone
// surrogates, no left-over bits; so what it decodes encodes to the same again.
// Everything else is ErrUTF7.
func DecodeUTF7(s string) (string, error) {
	var out strings.Builder
	for i := 0; i < len(s); {
		c := s[i]
		if c < 0x20 || c >= 0x7f {
			return "", ErrUTF7
		}
		i++
		if c != '&' {
			out.WriteByte(c)
			continue
		}
		n := strings.IndexByte(s[i:], '-')
		if n < 0 {
			return "", ErrUTF7
		}
		if n == 0 {
			out.WriteByte('&')
		} else if !decodeShifted(&out, s[i:i+n]) {
			return "", ErrUTF7
		}
		i += n + 1
		if n > 0 && strings.HasPrefix(s[i:], "&") && !strings.HasPrefix(s[i:], "&-") {
			return "", ErrUTF7
		}
	}
	return out.String(), nil
}

func decodeShifted(out *strings.Builder, s string) bool {
	for i := range len(s) {
		if !is(s[i], isBase64) {
			return false // package base64 would pass over CR and LF
		}
	}
	b, err := utf7Base64.DecodeString(s)
	if err != nil || len(b) == 0 || len(b)%2 != 0 {
		return false
	}
	for i := 0; i < len(b); i += 2 {
		r := rune(b[i])<<8 | rune(b[i+1])
		if utf16.IsSurrogate(r) {
			if i += 2; i >= len(b) {
				return false
			}
			if r = utf16.DecodeRune(r, rune(b[i])<<8|rune(b[i+1])); r == utf8.RuneError {
				return false
			}
		}
		if r >= 0x20 && r < 0x7f {
			return false
		}
		out.WriteRune(r)
	}
	return true
}
