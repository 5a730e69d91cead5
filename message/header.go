package message

import (
	"bytes"
	"iter"
	"slices"
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
				f.Name, f.Value = bytes.TrimRight(text[:i], " \t"), text[i+1:]
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
// not, are not), whole and in their order, and the blank line that ends it, "except
// in the case of a message which has no body and no blank line" (RFC 3501 6.4.5,
// HEADER.FIELDS). Names are compared in any case of letters.
func AppendFields(dst, header []byte, names []string, not bool) []byte {
	size := 0
	for f := range Fields(header) {
		size += len(f.Raw)
		if hasName(names, f.Name) != not {
			dst = append(dst, f.Raw...)
		}
	}
	if size == len(header) {
		return dst
	}
	return append(dst, "\r\n"...)
}

func hasName(names []string, name []byte) bool {
	for _, n := range names {
		if equalName(name, n) {
			return true
		}
	}
	return false
}

// equalName compares a field's name in any case of letters.
func equalName(name []byte, want string) bool {
	if len(name) != len(want) {
		return false
	}
	for i, c := range name {
		if lower(c) != lower(want[i]) {
			return false
		}
	}
	return true
}

// Values yields the unfolded values of the fields with a name.
func Values(header []byte, name string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for f := range Fields(header) {
			if equalName(f.Name, name) && !yield(Unfold(f.Value)) {
				return
			}
		}
	}
}

// Value is the unfolded value of the last field with a name, as in the envelope; ""
// if there is none.
func Value(header []byte, name string) string {
	var last []byte
	for f := range Fields(header) {
		if equalName(f.Name, name) {
			last = f.Value
		}
	}
	return Unfold(last)
}

// parseToken is the first word of a value, comments left out.
func parseToken(v []byte) string {
	s := newScanner(v)
	s.skip()
	return s.token()
}

// parseWord is the first word of a value up to a blank, comments left out.
func parseWord(v []byte) string {
	s := newScanner(v)
	s.skip()
	start := s.pos
	for s.more() && !isBlank(s.b[s.pos]) {
		s.pos++
	}
	return string(s.b[start:s.pos])
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

// parseDisposition reads "kind; parameters" (RFC 2183 2). One without a kind is an
// attachment, as one of a kind that is not known (RFC 2183 2.8).
func parseDisposition(v []byte) (kind string, params []Param) {
	s := newScanner(v)
	if s.skip(); s.peek() == '"' {
		kind = s.quoted()
	} else {
		kind = s.token()
	}
	if params = s.params(); kind == "" && params != nil {
		kind = "attachment"
	}
	return kind, params
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
// in their numerical order, in the place of the first. Pieces that do not make a
// whole, one of each number from 0 on, stay as they are.
func joinContinuations(in []Param) []Param {
	var groups map[string]*pieces
	for _, p := range in {
		if base, n, encoded, ok := splitPiece(p.Name); ok {
			if groups == nil {
				groups = map[string]*pieces{}
			}
			key := strings.ToLower(base)
			if groups[key] == nil {
				groups[key] = &pieces{}
			}
			groups[key].list = append(groups[key].list, piece{n, encoded, p.Value})
		}
	}
	if groups == nil {
		return in
	}
	for _, g := range groups {
		g.order()
	}
	out := in[:0]
	for _, p := range in {
		base, _, _, ok := splitPiece(p.Name)
		if g := groups[strings.ToLower(base)]; !ok || !g.whole {
			out = append(out, p)
		} else if !g.joined {
			g.joined = true
			out = append(out, joinPieces(base, g.list))
		}
	}
	return out
}

type piece struct {
	n       int
	encoded bool
	value   string
}

// pieces are those of one parameter.
type pieces struct {
	list          []piece
	whole, joined bool
}

// order puts the pieces in order, and finds whether they are numbered 0, 1 ...
func (g *pieces) order() {
	slices.SortStableFunc(g.list, func(a, b piece) int { return a.n - b.n })
	g.whole = true
	for i, p := range g.list {
		g.whole = g.whole && p.n == i
	}
}

func joinPieces(base string, pieces []piece) Param {
	anyEncoded := slices.ContainsFunc(pieces, func(p piece) bool { return p.encoded })
	if anyEncoded {
		base += "*"
	}
	var b strings.Builder
	for _, p := range pieces {
		if anyEncoded && !p.encoded {
			if p.n == 0 {
				b.WriteString("''")
			}
			b.WriteString(percentEncode(p.value))
		} else {
			b.WriteString(p.value)
		}
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
