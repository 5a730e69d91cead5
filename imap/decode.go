package imap

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

const (
	maxNumber63 = 1<<63 - 1
	maxNesting  = 50   // of parentheses in one command
	maxChain    = 1000 // of NOT and OR inside each other: clients chain OR for long lists
)

// A Decoder reads the values of one frame from left to right. The first error
// stays: later methods return zero values and change nothing, so a parse function
// reads straight through and asks Err once. Byte slices that it returns are
// borrowed from the frame or freshly made; strings are copies.
type Decoder struct {
	b     []byte
	pos   int
	depth int // of parentheses
	chain int // of NOT and OR
	err   *SyntaxError
}

// NewDecoder returns a decoder over a frame without its last line end.
func NewDecoder(frame []byte) *Decoder { return &Decoder{b: frame} }

// Err is the first error, a *SyntaxError, or nil.
func (d *Decoder) Err() error {
	if d.err == nil {
		return nil
	}
	return d.err
}

// Fail notes that something else was expected at the present position.
func (d *Decoder) Fail(expected string) {
	if d.err == nil {
		d.err = &SyntaxError{d.pos, expected}
	}
}

func (d *Decoder) failAt(pos int, expected string) {
	if d.err == nil {
		d.err = &SyntaxError{pos, expected}
	}
}

// AtEnd reports whether nothing is left, or an error happened.
func (d *Decoder) AtEnd() bool { return d.err != nil || d.pos == len(d.b) }

// End wants nothing to be left. Blanks at the end are forgiven: clients send them.
func (d *Decoder) End() {
	for d.err == nil && d.pos < len(d.b) && d.b[d.pos] == ' ' {
		d.pos++
	}
	if !d.AtEnd() {
		d.Fail("the end of the command")
	}
}

// Peek is the next byte, 0 at the end or after an error.
func (d *Decoder) Peek() byte {
	if d.AtEnd() {
		return 0
	}
	return d.b[d.pos]
}

// Try consumes the byte c if it is next.
func (d *Decoder) Try(c byte) bool {
	if d.AtEnd() || d.b[d.pos] != c {
		return false
	}
	d.pos++
	return true
}

// Expect consumes the byte c.
func (d *Decoder) Expect(c byte) {
	if !d.Try(c) {
		d.Fail(`"` + string(rune(c)) + `"`)
	}
}

// SP consumes a blank. More than one is forgiven.
func (d *Decoder) SP() {
	if !d.Try(' ') {
		d.Fail("a blank")
	}
	for d.Try(' ') {
	}
}

// TryWord consumes the word, in any case of letters, if it is next and ends there.
func (d *Decoder) TryWord(word string) bool {
	n := len(word)
	if d.AtEnd() || len(d.b)-d.pos < n || !strings.EqualFold(string(d.b[d.pos:d.pos+n]), word) {
		return false
	}
	if rest := d.b[d.pos+n:]; len(rest) > 0 && is(rest[0], isAtom) && is(word[n-1], isAtom) {
		return false
	}
	d.pos += n
	return true
}

// span consumes the longest run of bytes of a class.
func (d *Decoder) span(k class) []byte {
	if d.err != nil {
		return nil
	}
	start := d.pos
	for d.pos < len(d.b) && is(d.b[d.pos], k) {
		d.pos++
	}
	return d.b[start:d.pos]
}

// Tag reads a command's tag.
//
//	tag = 1*<any ASTRING-CHAR except "+">
func (d *Decoder) Tag() string {
	b := d.span(isTag)
	if len(b) == 0 {
		d.Fail("a tag")
	}
	return string(b)
}

// Atom reads an atom.
//
//	atom = 1*ATOM-CHAR
func (d *Decoder) Atom() string {
	b := d.span(isAtom)
	if len(b) == 0 {
		d.Fail("an atom")
	}
	return string(b)
}

// Word reads an atom and returns it in capital letters.
func (d *Decoder) Word(what string) string {
	b := d.span(isAtom)
	if len(b) == 0 {
		d.Fail(what)
	}
	return strings.ToUpper(string(b))
}

// Astring reads an astring.
//
//	astring = 1*ASTRING-CHAR / string
func (d *Decoder) Astring() []byte {
	if c := d.Peek(); c == '"' || c == '{' {
		return d.String()
	}
	b := d.span(isAstring)
	if len(b) == 0 {
		d.Fail("an atom or a string")
	}
	return b
}

// String reads a string. A literal8 is none: it could hold NUL, and no command
// takes one but for what it streams.
//
//	string = quoted / literal
func (d *Decoder) String() []byte {
	switch c := d.Peek(); {
	case c == '"':
		return d.quoted()
	case c == '{':
		return d.literal()
	}
	d.Fail("a string")
	return nil
}

// NString reads an nstring; ok is false for NIL.
//
//	nstring = string / nil
func (d *Decoder) NString() (b []byte, ok bool) {
	if d.TryWord("NIL") {
		return nil, false
	}
	return d.String(), d.err == nil
}

// quoted reads a quoted string. UTF-8 and stray 8-bit bytes are taken as they
// are; so is a "\" before any character, as clients send it.
//
//	quoted = DQUOTE *QUOTED-CHAR DQUOTE
func (d *Decoder) quoted() []byte {
	d.pos++
	start := d.pos
	var out []byte
	for d.pos < len(d.b) {
		switch c := d.b[d.pos]; {
		case c == '"':
			if out == nil {
				out = d.b[start:d.pos]
			}
			d.pos++
			return out
		case c == '\\' && d.pos+1 < len(d.b) && is(d.b[d.pos+1], isQuoted):
			if out == nil {
				out = append(make([]byte, 0, len(d.b)-start), d.b[start:d.pos]...)
			}
			out = append(out, d.b[d.pos+1])
			d.pos += 2
		case !is(c, isQuoted):
			d.Fail("a character that a quoted string may hold")
			return nil
		default:
			if out != nil {
				out = append(out, c)
			}
			d.pos++
		}
	}
	d.Fail(`the closing '"' of a string`)
	return nil
}

// literal reads a literal that the Framer kept in the frame.
func (d *Decoder) literal() []byte {
	start := d.pos
	d.Expect('{')
	n := d.Number64()
	if !d.Try('+') {
		d.Try('-')
	}
	d.Expect('}')
	d.Expect('\r')
	d.Expect('\n')
	if d.err != nil {
		d.err.Expected = "a literal"
		return nil
	}
	if n > int64(len(d.b)-d.pos) {
		d.failAt(start, "a whole literal")
		return nil
	}
	b := d.b[d.pos : d.pos+int(n)]
	if i := bytes.IndexByte(b, 0); i >= 0 {
		d.failAt(d.pos+i, "a literal without NUL")
		return nil
	}
	d.pos += int(n)
	return b
}

// LiteralHeader reads a literal's announcement at the end of a frame whose octets
// are not in it: what a command that streams its literal parses.
func (d *Decoder) LiteralHeader() Literal {
	var l Literal
	l.Binary = d.Try('~')
	d.Expect('{')
	l.Size = d.Number64()
	l.NonSync = d.Try('+') || d.Try('-')
	d.Expect('}')
	return l
}

// number reads digits as a number of at most limit.
func (d *Decoder) number(limit uint64, what string) uint64 {
	start := d.pos
	b := d.span(isDigit)
	if len(b) == 0 {
		d.Fail(what)
		return 0
	}
	var n uint64
	for _, c := range b {
		v := uint64(c - '0')
		if n > (limit-v)/10 {
			d.failAt(start, what+" that is not too large")
			return 0
		}
		n = n*10 + v
	}
	return n
}

// Number reads a number of 32 bits.
func (d *Decoder) Number() uint32 { return uint32(d.number(1<<32-1, "a number")) }

// NZNumber reads a number of 32 bits that is not 0.
func (d *Decoder) NZNumber() uint32 {
	start := d.pos
	n := d.Number()
	if n == 0 {
		d.failAt(start, "a number above 0")
	}
	return n
}

// Number64 reads a number of 63 bits (RFC 9051 number64).
func (d *Decoder) Number64() int64 { return int64(d.number(maxNumber63, "a number")) }

// List reads a parenthesised list, calling item before each of its members, which
// are one blank apart. An empty list is "()".
func (d *Decoder) List(item func()) {
	d.Expect('(')
	d.nest(&d.depth, maxNesting, func() {
		if d.Try(')') {
			return
		}
		for d.err == nil {
			item()
			if d.Try(')') {
				return
			}
			d.SP()
			if d.Try(')') { // a blank before the end is forgiven
				return
			}
		}
	})
}

// nest runs f one level deeper, at most limit levels deep.
func (d *Decoder) nest(depth *int, limit int, f func()) {
	if *depth == limit {
		d.Fail("less nesting")
		return
	}
	*depth++
	f()
	*depth--
}

// Text is an astring as UTF-8 text; bytes that are not UTF-8 are an error.
func (d *Decoder) Text() string {
	start := d.pos
	b := d.Astring()
	if !utf8.Valid(b) {
		d.failAt(start, "text in UTF-8")
		return ""
	}
	return string(b)
}
