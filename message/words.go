package message

import (
	"encoding/base64"
	"strings"
	"unicode/utf8"
)

// DecodeHeader returns a header text as UTF-8: RFC 2047 words are decoded wherever
// they stand, also inside quotes and cut in the middle of a character, as mail has
// them; raw 8-bit bytes that are not UTF-8 are taken as windows-1252. A word in a
// charset that is not known stays as it is.
func DecodeHeader(s string) string {
	if !strings.Contains(s, "=?") {
		return validText(s)
	}
	var out strings.Builder
	var held wordRun
	for {
		i := strings.Index(s, "=?")
		if i < 0 {
			break
		}
		charset, data, n, ok := encodedWord(s[i:])
		if !ok {
			held.flush(&out)
			out.WriteString(validText(s[:i+2]))
			s = s[i+2:]
			continue
		}
		if gap := s[:i]; !held.open || strings.Trim(gap, " \t\r\n") != "" { // RFC 2047 6.2
			held.flush(&out)
			out.WriteString(validText(gap))
		}
		held.add(&out, charset, data, s[i:i+n])
		s = s[i+n:]
	}
	held.flush(&out)
	out.WriteString(validText(s))
	return out.String()
}

// wordRun gathers neighbouring encoded words of one charset, which are decoded
// together: a character may be cut between two.
type wordRun struct {
	open    bool
	charset string
	data    []byte
	raw     []byte
}

func (r *wordRun) add(out *strings.Builder, charset string, data []byte, raw string) {
	if r.open && !equalFold(r.charset, charset) {
		r.flush(out)
	}
	r.open, r.charset = true, charset
	r.data = append(r.data, data...)
	r.raw = append(r.raw, raw...)
}

func (r *wordRun) flush(out *strings.Builder) {
	if !r.open {
		return
	}
	if text, err := DecodeCharset(r.charset, r.data); err == nil {
		out.WriteString(text)
	} else {
		out.WriteString(validText(string(r.raw)))
	}
	*r = wordRun{}
}

// maxWord bounds an encoded word. RFC 2047 2 allows 75 characters; mail has whole
// subjects in one.
const maxWord = 8 << 10

// encodedWord reads the encoded word that s begins with.
//
//	encoded-word = "=?" charset ["*" language] "?" encoding "?" encoded-text "?="
func encodedWord(s string) (charset string, data []byte, n int, ok bool) {
	s = s[:min(len(s), maxWord)]
	a := strings.IndexByte(s[2:], '?')
	if a < 1 || 2+a+3 > len(s) || s[2+a+2] != '?' {
		return "", nil, 0, false
	}
	charset, _, _ = strings.Cut(s[2:2+a], "*")
	text := s[2+a+3:]
	end := strings.Index(text, "?=")
	if end < 0 || strings.ContainsAny(charset, " \t\r\n") {
		return "", nil, 0, false
	}
	n = 2 + a + 3 + end + 2
	switch s[2+a+1] {
	case 'B', 'b':
		data, ok = decodeBase64(text[:end])
	case 'Q', 'q':
		data, ok = decodeQ(text[:end]), true
	}
	return charset, data, n, ok
}

func decodeQ(s string) []byte {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '_':
			out = append(out, ' ')
		case c == '=' && i+2 < len(s) && unhex(s[i+1]) >= 0 && unhex(s[i+2]) >= 0:
			out = append(out, byte(unhex(s[i+1])<<4|unhex(s[i+2])))
			i += 2
		default:
			out = append(out, c)
		}
	}
	return out
}

func unhex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// decodeBase64 decodes with or without padding, and without what is no base64.
func decodeBase64(s string) ([]byte, bool) {
	clean := make([]byte, 0, len(s))
	for i := range len(s) {
		if isBase64(s[i]) {
			clean = append(clean, s[i])
		}
	}
	if len(clean)%4 == 1 {
		clean = clean[:len(clean)-1]
	}
	out, err := base64.RawStdEncoding.AppendDecode(nil, clean)
	return out, err == nil
}

// validText returns s if it is UTF-8, else s read as windows-1252.
func validText(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	text, err := DecodeCharset("windows-1252", []byte(s))
	if err != nil {
		return strings.ToValidUTF8(s, "\uFFFD")
	}
	return text
}

// DecodeParam returns the value of a parameter as text: an RFC 2231 one (Name ends
// in "*": charset'language'percent-encoded), or RFC 2047 words, which some programs
// put there.
func DecodeParam(p Param) string {
	if !strings.HasSuffix(p.Name, "*") {
		return DecodeHeader(p.Value)
	}
	charset, rest, ok := strings.Cut(p.Value, "'")
	if ok {
		_, rest, ok = strings.Cut(rest, "'")
	}
	if !ok {
		charset, rest = "", p.Value
	}
	data := make([]byte, 0, len(rest))
	for i := 0; i < len(rest); i++ {
		if rest[i] == '%' && i+2 < len(rest) && unhex(rest[i+1]) >= 0 && unhex(rest[i+2]) >= 0 {
			data = append(data, byte(unhex(rest[i+1])<<4|unhex(rest[i+2])))
			i += 2
			continue
		}
		data = append(data, rest[i])
	}
	if charset == "" {
		charset = "utf-8"
	}
	if text, err := DecodeCharset(charset, data); err == nil {
		return text
	}
	return validText(string(data))
}
