package imap

import (
	"errors"
	"io"
)

// Source is the byte stream that a Framer cuts.
type Source interface {
	// Fill returns the bytes that are buffered, waiting for at least one. They
	// are valid until Skip.
	Fill() ([]byte, error)
	// Skip consumes n of the bytes that Fill returned.
	Skip(n int)
}

// MaxDrain bounds the bytes that a Framer throws away to find the end of a
// command that is too large. Beyond it the stream is given up.
const MaxDrain = 64 << 20

var (
	// ErrTooLarge says that the command exceeded its budget. The stream stands
	// at the next command.
	ErrTooLarge = errors.New("the command is too large")

	// ErrLost says that the end of a command could not be found within
	// MaxDrain. The connection must end.
	ErrLost = errors.New("the command is far too large")
)

// A Literal is announced at the end of a line (RFC 3501 4.3, RFC 7888, RFC 3516):
//
//	literal = ["~"] "{" number64 ["+" / "-"] "}" CRLF *OCTET
type Literal struct {
	Size    int64
	NonSync bool // the octets follow without an invitation
	Binary  bool // literal8: may hold NUL
}

// A Framer reads one command after the other into one buffer. The frame keeps
// literals in the form in which they came. The zero Framer is ready.
//
// No octet of a literal is ever taken for a command: a literal is read into the
// frame (Include), or its octets are handed to somebody who consumes them all
// (Skipped), or it is refused (Refuse), which throws its octets away if they come
// uninvited.
type Framer struct {
	buf     []byte
	budget  int
	scan    lineScanner
	literal Literal
	pending bool // literal is announced and not yet dealt with
}

// Begin reads the first line of a command, without its line end. At most budget
// bytes are kept of the whole command. io.EOF means that the stream ended
// before the first byte.
func (f *Framer) Begin(src Source, budget int) error {
	f.buf, f.budget, f.pending = f.buf[:0], budget, false
	return f.line(src)
}

// Bytes is the frame so far, without the last line end. It is valid until the
// next Begin or Release.
func (f *Framer) Bytes() []byte { return f.buf }

// Literal returns the literal that the frame's last line announces, if any.
func (f *Framer) Literal() (Literal, bool) { return f.literal, f.pending }

// Left is how much of the budget is left.
func (f *Framer) Left() int { return f.budget - len(f.buf) }

// Release gives up the buffer.
func (f *Framer) Release() { f.buf = nil }

// Fits reports whether the announced literal can be included. One that does not
// fit must not be invited.
func (f *Framer) Fits() bool { return f.literal.Size <= int64(f.Left())-2 }

// Include reads the announced literal and the line after it into the frame. It
// returns ErrTooLarge if the literal does not fit, after refusing it.
func (f *Framer) Include(src Source) error {
	if !f.Fits() {
		if err := f.Refuse(src); err != nil {
			return err
		}
		return ErrTooLarge
	}
	f.pending = false
	f.buf = append(f.buf, '\r', '\n')
	for n := f.literal.Size; n > 0; {
		b, err := src.Fill()
		if err != nil {
			return unexpected(err)
		}
		b = b[:min(int64(len(b)), n)]
		f.buf = append(f.buf, b...)
		n -= int64(len(b))
		src.Skip(len(b))
	}
	return f.line(src)
}

// Skipped says that the octets of the announced literal were consumed by somebody
// else: the frame goes on with the line after it, as a frame of its own.
func (f *Framer) Skipped(src Source) error {
	f.buf, f.pending = f.buf[:0], false
	return f.line(src)
}

// Refuse ends the command at its announced literal. A synchronising literal is
// simply not invited. The octets of another, and whatever follows of the command,
// are thrown away. It loops where it could call itself: a client decides how many
// literals follow each other.
func (f *Framer) Refuse(src Source) error {
	left := int64(MaxDrain)
	for f.pending && f.literal.NonSync {
		if left -= f.literal.Size; left < 0 {
			return ErrLost
		}
		if err := discard(src, f.literal.Size); err != nil {
			return err
		}
		n, err := f.scanLine(src, left, 0)
		if err != nil {
			return unexpected(err)
		}
		left -= n
	}
	f.pending = false
	return nil
}

func discard(src Source, n int64) error {
	for n > 0 {
		b, err := src.Fill()
		if err != nil {
			return unexpected(err)
		}
		k := int(min(int64(len(b)), n))
		src.Skip(k)
		n -= int64(k)
	}
	return nil
}

// line reads up to a line end into the frame. What exceeds the budget is dropped,
// but scanned all the same, so that a literal at its end is noticed.
func (f *Framer) line(src Source) error {
	start := len(f.buf)
	n, err := f.scanLine(src, int64(f.budget)+MaxDrain, f.budget)
	if err != nil {
		if start > 0 || n > 0 {
			err = unexpected(err)
		}
		return err
	}
	if end := start + int(n) - f.scan.endLen; end <= f.budget {
		f.buf = f.buf[:end]
		return nil
	}
	if err := f.Refuse(src); err != nil {
		return err
	}
	return ErrTooLarge
}

// scanLine consumes n bytes up to a line end, at most limit, and appends them to
// the frame as long as that is shorter than keep.
func (f *Framer) scanLine(src Source, limit int64, keep int) (n int64, err error) {
	f.scan, f.pending = lineScanner{}, false
	for done := false; !done; {
		b, err := src.Fill()
		if err != nil {
			return n, err
		}
		k := 0
		k, done = f.scan.feed(b)
		f.buf = append(f.buf, b[:max(min(k, keep-len(f.buf)), 0)]...)
		src.Skip(k)
		if n += int64(k); n > limit {
			return n, ErrLost
		}
	}
	f.literal, f.pending = f.scan.literal()
	return n, nil
}

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// A lineScanner goes through one line. It knows whether it is inside a quoted
// string, and remembers what a literal's announcement at the end needs.
//
// Where it is in doubt whether "{5+}" announces a literal (inside a string that the
// line does not close, or in the middle of an atom), it does: the command is wrong
// in any case, and octets that the client meant as a literal must not be taken for
// commands. A doubtful "{5}" is none: nothing follows that was not invited.
type lineScanner struct {
	quoted, escaped bool
	last            byte
	spec            literalSpec
	endLen          int // of the line end: 1 or 2
}

// feed takes bytes up to a line end, and says how many and whether it came.
func (s *lineScanner) feed(b []byte) (n int, done bool) {
	for i, c := range b {
		if c == '\n' {
			s.endLen = 1
			if s.last == '\r' {
				s.endLen = 2
			}
			return i + 1, true
		}
		if s.last == '\r' {
			s.spec = literalSpec{} // a CR inside the line
		}
		if s.last = c; c == '\r' {
			continue
		}
		s.spec.feed(c)
		switch {
		case s.escaped:
			s.escaped = false
		case s.quoted && c == '\\':
			s.escaped = true
		case c == '"':
			s.quoted = !s.quoted
			s.spec = literalSpec{}
		}
	}
	return len(b), false
}

func (s *lineScanner) literal() (Literal, bool) {
	if s.spec.at != specClosed || !s.spec.lit.NonSync && (s.quoted || !s.spec.begins) {
		return Literal{}, false
	}
	return s.spec.lit, true
}

// literalSpec recognises a literal's announcement.
type literalSpec struct {
	at     specState
	begins bool // where a value can begin
	last   byte
	lit    Literal
}

type specState uint8

const (
	specNone   specState = iota
	specTilde            // "~" was seen
	specOpen             // "{" was seen
	specDigits           // a digit was seen
	specSign             // "+" or "-" was seen
	specClosed           // "}" was seen
)

func (p *literalSpec) feed(c byte) {
	switch {
	case c == '~':
		*p = literalSpec{at: specTilde, begins: p.opens()}
	case c == '{' && p.at == specTilde:
		*p = literalSpec{at: specOpen, begins: p.begins, lit: Literal{Binary: true}}
	case c == '{':
		*p = literalSpec{at: specOpen, begins: p.opens()}
	case (p.at == specOpen || p.at == specDigits) && is(c, isDigit):
		// A size that no number can hold is still a literal: it is refused, and
		// its octets are not taken for commands.
		p.at, p.lit.Size = specDigits, min(p.lit.Size, maxNumber63/10-1)*10+int64(c-'0')
	case p.at == specDigits && (c == '+' || c == '-'):
		p.at, p.lit.NonSync = specSign, true
	case (p.at == specDigits || p.at == specSign) && c == '}':
		p.at = specClosed
	default:
		*p = literalSpec{}
	}
	p.last = c
}

// opens reports whether a value can begin here: after a blank, a parenthesis or a
// bracket, or at the line's start.
func (p *literalSpec) opens() bool {
	return p.last == 0 || p.last == ' ' || p.last == '(' || p.last == '[' || p.last == '<'
}
