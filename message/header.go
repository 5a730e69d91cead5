package message

import (
	"bytes"
	"iter"
	"strings"
)

// Field is a field of a header as it stands there.
type Field struct {
	Name  []byte // without trailing blanks
	Value []byte // from after the colon to the line end, folds included
	Raw   []byte // the whole field with its last line end
}

// Fields yields the fields of a header in order. A line without a colon is a field
// without a name; it ends at the blank line. The bytes are those of header.
func Fields(header []byte) iter.Seq[Field] {
	return func(yield func(Field) bool) {
		for len(header) > 0 {
			n := fieldLen(header)
			raw := header[:n]
			header = header[n:]
			text := trimEOL(raw)
			if len(text) == 0 {
				return
			}
			f := Field{Raw: raw}
			if i := bytes.IndexByte(text, ':'); i >= 0 {
				f.Name, f.Value = bytes.TrimRight(text[:i], " \t\r\n"), text[i+1:]
			} else {
				f.Value = text
			}
			if !yield(f) {
				return
			}
		}
	}
}

// fieldLen is the length of the first field: its line and those that continue it.
func fieldLen(b []byte) int {
	n := 0
	for {
		i := bytes.IndexByte(b[n:], '\n')
		if i < 0 {
			return len(b)
		}
		if n += i + 1; n >= len(b) || b[n] != ' ' && b[n] != '\t' || len(trimEOL(b[:n])) == 0 {
			return n
		}
	}
}

func trimEOL(b []byte) []byte {
	if n := len(b); n > 0 && b[n-1] == '\n' {
		b = b[:n-1]
	}
	if n := len(b); n > 0 && b[n-1] == '\r' {
		b = b[:n-1]
	}
	return b
}

// Unfold returns a field's value on one line without blanks around it: line ends
// are taken away, the blanks that follow them stay (RFC 5322 2.2.3).
func Unfold(v []byte) string {
	v = bytes.TrimSpace(v)
	if bytes.IndexByte(v, '\n') < 0 {
		return string(v)
	}
	out := make([]byte, 0, len(v))
	for i, c := range v {
		if c == '\n' || c == '\r' && i+1 < len(v) && v[i+1] == '\n' {
			continue
		}
		out = append(out, c)
	}
	return string(out)
}

// AppendFields appends those fields of a header whose names are in names (or, with
// not, are not), whole and in their order, and the blank line that ends a header
// (RFC 3501 6.4.5, HEADER.FIELDS). Names are compared in any case of letters.
func AppendFields(dst, header []byte, names []string, not bool) []byte {
	for f := range Fields(header) {
		if hasName(names, f.Name) != not {
			dst = append(dst, f.Raw...)
			if len(f.Raw) > 0 && f.Raw[len(f.Raw)-1] != '\n' {
				dst = append(dst, "\r\n"...)
			}
		}
	}
	return append(dst, "\r\n"...)
}

func hasName(names []string, name []byte) bool {
	for _, n := range names {
		if equalFold(n, string(name)) {
			return true
		}
	}
	return false
}

// Values yields the unfolded values of the fields with a name.
func Values(header []byte, name string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for f := range Fields(header) {
			if equalFold(string(f.Name), name) && !yield(Unfold(f.Value)) {
				return
			}
		}
	}
}

// Value is the unfolded value of the first field with a name, "" if there is none.
func Value(header []byte, name string) string {
	for v := range Values(header, name) {
		return v
	}
	return ""
}

// parseToken is the first word of a value, comments left out.
func parseToken(v []byte) string {
	s := newScanner(v)
	s.skip()
	return s.token()
}

func parseLanguages(v []byte) []string {
	var out []string
	s := newScanner(v)
	for {
		s.skip()
		if w := s.token(); w != "" {
			out = append(out, w)
		}
		s.skip()
		if !s.try(',') {
			return out
		}
	}
}

func parseDisposition(v []byte) (string, []Param) {
	s := newScanner(v)
	s.skip()
	kind := s.token()
	if kind == "" {
		return "", nil
	}
	return kind, s.params()
}

// parseContentType reads "type/subtype; parameters" (RFC 2045 5.1).
func parseContentType(v []byte) (t, sub string, params []Param, ok bool) {
	s := newScanner(v)
	s.skip()
	t = s.token()
	s.skip()
	if t == "" || !s.try('/') {
		return "", "", nil, false
	}
	s.skip()
	if sub = s.token(); sub == "" {
		return "", "", nil, false
	}
	return t, sub, s.params(), true
}

// joinContinuations joins the pieces of RFC 2231 3 parameters: name*0, name*1* ...
// in their numerical order. A piece whose number is missing ends the value.
func joinContinuations(in []Param) []Param {
	var out []Param
	groups := map[string][]piece{}
	for _, p := range in {
		base, n, encoded, ok := splitPiece(p.Name)
		if !ok {
			out = append(out, p)
			continue
		}
		key := strings.ToLower(base)
		if groups[key] == nil {
			out = append(out, Param{Name: "\x00" + base})
		}
		groups[key] = append(groups[key], piece{n, encoded, p.Value})
	}
	if len(groups) == 0 {
		return in
	}
	for i, p := range out {
		if base, ok := strings.CutPrefix(p.Name, "\x00"); ok {
			out[i] = joinPieces(base, groups[strings.ToLower(base)])
		}
	}
	return out
}

type piece struct {
	n       int
	encoded bool
	value   string
}

func joinPieces(base string, pieces []piece) Param {
	byNumber := make(map[int]piece, len(pieces))
	for _, p := range pieces {
		if _, dup := byNumber[p.n]; !dup {
			byNumber[p.n] = p
		}
	}
	anyEncoded := false
	for _, p := range pieces {
		anyEncoded = anyEncoded || p.encoded
	}
	var b strings.Builder
	for n := 0; ; n++ {
		p, ok := byNumber[n]
		if !ok {
			break
		}
		if anyEncoded && !p.encoded {
			if n == 0 {
				b.WriteString("''")
			}
			b.WriteString(percentEncode(p.value))
		} else {
			b.WriteString(p.value)
		}
	}
	if anyEncoded {
		base += "*"
	}
	return Param{base, b.String()}
}

// splitPiece takes apart the name of a continuation: "name*3" or "name*3*".
func splitPiece(name string) (base string, n int, encoded, ok bool) {
	s, encoded := strings.CutSuffix(name, "*")
	i := strings.LastIndexByte(s, '*')
	if i <= 0 || i == len(s)-1 || len(s)-i > 5 {
		return "", 0, false, false
	}
	for _, c := range []byte(s[i+1:]) {
		if c < '0' || c > '9' {
			return "", 0, false, false
		}
		n = n*10 + int(c-'0')
	}
	return s[:i], n, encoded, true
}

func percentEncode(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c > ' ' && c < 0x7f && c != '%' && c != '\'' && c != '*' {
			b.WriteByte(c)
		} else {
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		}
	}
	return b.String()
}
