package message

import "strings"

// scanner reads the tokens of structured header fields (RFC 5322 3.2, RFC 2045 5.1).
// It accepts what is wrong: an unclosed string or comment ends with the field.
type scanner struct {
	b   []byte
	pos int
}

func newScanner(v []byte) *scanner { return &scanner{b: v} }

func (s *scanner) more() bool { return s.pos < len(s.b) }

func (s *scanner) peek() byte {
	if !s.more() {
		return 0
	}
	return s.b[s.pos]
}

func (s *scanner) try(c byte) bool {
	if s.more() && s.b[s.pos] == c {
		s.pos++
		return true
	}
	return false
}

// skip goes over blanks, line ends and comments.
func (s *scanner) skip() {
	for s.more() {
		switch s.b[s.pos] {
		case ' ', '\t', '\r', '\n':
			s.pos++
		case '(':
			s.comment()
		default:
			return
		}
	}
}

// comment reads a comment, nested ones included, and returns its text without
// escapes, and without line ends.
func (s *scanner) comment() string {
	s.pos++
	start, depth, clean := s.pos, 1, true
	for ; s.more(); s.pos++ {
		switch s.b[s.pos] {
		case '\r', '\n':
			clean = false
		case '\\':
			s.pos++
			clean = false
		case '(':
			depth++
		case ')':
			depth--
		}
		if depth == 0 {
			break
		}
	}
	text := s.b[start:min(s.pos, len(s.b))]
	s.pos = min(s.pos+1, len(s.b))
	if clean {
		return string(text)
	}
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		if text[i] == '\\' && i+1 < len(text) {
			i++
		}
		if text[i] != '\r' && text[i] != '\n' {
			out = append(out, text[i])
		}
	}
	return string(out)
}

// token reads a token of RFC 2045: everything but blanks and tspecials.
func (s *scanner) token() string {
	start := s.pos
	for s.more() && !isTspecial(s.b[s.pos]) {
		s.pos++
	}
	return string(s.b[start:s.pos])
}

func isTspecial(c byte) bool {
	return c <= ' ' || c == 0x7f || strings.IndexByte(`()<>@,;:\"/[]?=`, c) >= 0
}

// quoted reads a quoted string and returns it without quotes and escapes, and
// without line ends.
func (s *scanner) quoted() string {
	b, _ := s.appendQuoted(nil)
	return string(b)
}

// appendQuoted appends what quoted returns, and reports whether the string is closed.
func (s *scanner) appendQuoted(dst []byte) ([]byte, bool) {
	s.pos++
	for ; s.more(); s.pos++ {
		switch c := s.b[s.pos]; {
		case c == '"':
			s.pos++
			return dst, true
		case c == '\\' && s.pos+1 < len(s.b):
			s.pos++
			dst = append(dst, s.b[s.pos])
		case c != '\r' && c != '\n':
			dst = append(dst, c)
		}
	}
	return dst, false
}

// params reads "; name=value" to the end. A value that is no token goes up to the
// next semicolon, as mail that is written wrong means it.
func (s *scanner) params() []Param {
	var out []Param
	for len(out) < 1000 {
		for s.skip(); s.more() && !s.try(';'); s.skip() {
			s.pos++
		}
		s.skip()
		if !s.more() {
			break
		}
		name := s.token()
		s.skip()
		if name == "" || !s.try('=') {
			continue
		}
		s.skip()
		out = append(out, Param{name, s.paramValue()})
	}
	return joinContinuations(out)
}

func (s *scanner) paramValue() string {
	if s.peek() == '"' {
		return s.quoted()
	}
	start := s.pos
	for s.more() && s.b[s.pos] != ';' && s.b[s.pos] != ' ' && s.b[s.pos] != '\t' && s.b[s.pos] != '\r' && s.b[s.pos] != '\n' && s.b[s.pos] != '(' {
		s.pos++
	}
	return string(s.b[start:s.pos])
}
