package imap

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"
	"testing"
)

// pieces is a stream that arrives in pieces of the given sizes, then byte by byte.
type pieces struct {
	b     []byte
	sizes []byte
	have  int
}

func (p *pieces) Fill() ([]byte, error) {
	if p.have == 0 {
		if len(p.b) == 0 {
			return nil, io.EOF
		}
		p.have = 1
		if len(p.sizes) > 0 {
			p.have, p.sizes = int(p.sizes[0])+1, p.sizes[1:]
		}
		p.have = min(p.have, len(p.b))
	}
	return p.b[:p.have], nil
}

func (p *pieces) Skip(n int) { p.b, p.have = p.b[n:], p.have-n }

// endless is a client that repeats itself until n octets were sent.
type endless struct {
	text []byte
	at   int
	left int
}

func (e *endless) Fill() ([]byte, error) {
	if e.left <= 0 {
		return nil, io.EOF
	}
	return e.text[e.at:], nil
}

func (e *endless) Skip(n int) { e.at, e.left = (e.at+n)%len(e.text), e.left-n }

// frames cuts a stream, including every literal, and returns the frames and the
// errors between them.
func frames(src Source, budget int) (out []string) {
	var f Framer
	for {
		err := f.Begin(src, budget)
		for err == nil {
			if _, pending := f.Literal(); !pending {
				break
			}
			err = f.Include(src)
		}
		switch {
		case err == nil:
			out = append(out, string(f.Bytes()))
		case errors.Is(err, ErrTooLarge):
			out = append(out, "too large")
		default:
			return append(out, err.Error())
		}
	}
}

func TestFrames(t *testing.T) {
	for _, tc := range []struct{ name, in, want string }{
		{"lines", "a NOOP\r\nb NOOP\n", "a NOOP|b NOOP|EOF"},
		{"empty line", "\r\na X\r\n", "|a X|EOF"},
		{"literals", "a X {3}\r\n1\r\n {2+}\r\nab\r\n", "a X {3}\r\n1\r\n {2+}\r\nab|EOF"},
		{"literal8 and minus", "a ~{1}\r\n\x00 {1-}\r\nx\r\n", "a ~{1}\r\n\x00 {1-}\r\nx|EOF"},
		{"bare LF after a literal's size", "a {2}\nxy\n", "a {2}\r\nxy|EOF"},
		{"empty literal", "a {0}\r\n\r\n", "a {0}\r\n|EOF"},
		{"in quotes", "a \"{3}\"\r\nb\r\n", "a \"{3}\"|b|EOF"},
		{"after an escaped quote", "a \"x\\\" {3}\"\r\nb\r\n", "a \"x\\\" {3}\"|b|EOF"},
		{"open quote, nothing follows", "a \"x {3}\r\nb\r\n", "a \"x {3}|b|EOF"},
		{"open quote, octets follow", "a \"x {3+}\r\nb\r\n\r\n", "a \"x {3+}\r\nb\r\n|EOF"},
		{"in an atom, nothing follows", "a x{3}\r\nb\r\n", "a x{3}|b|EOF"},
		{"in an atom, octets follow", "a x{3+}\r\nb\r\n\r\n", "a x{3+}\r\nb\r\n|EOF"},
		{"no size", "a {}\r\nb {+}\r\nc {x}\r\n", "a {}|b {+}|c {x}|EOF"},
		{"not at the end", "a {3} \r\nb\r\n", "a {3} |b|EOF"},
		{"CR inside", "a {3}\rx\r\n", "a {3}\rx|EOF"},
		{"exactly the budget", "a " + strings.Repeat("x", 38) + "\r\n", "a " + strings.Repeat("x", 38) + "|EOF"},
		{"one more", "a " + strings.Repeat("x", 39) + "\r\nb\r\n", "too large|b|EOF"},
		{"long line with a literal", "a " + strings.Repeat("x", 50) + " {3+}\r\nb\r\n\r\nc\r\n", "too large|c|EOF"},
		{"literal of the rest", "a {30+}\r\n" + strings.Repeat("y", 30) + "\r\n", "a {30+}\r\n" + strings.Repeat("y", 30) + "|EOF"},
		{"literal of one more", "a {32+}\r\n" + strings.Repeat("y", 32) + "\r\nb\r\n", "too large|b|EOF"},
		{"literals after a refused one", "a {99+}\r\n" + strings.Repeat("\r\nz", 33) + " {3+}\r\nb\r\n\r\nc\r\n", "too large|c|EOF"},
		{"more than there is", "a {5+}\r\nabc", "unexpected EOF"},
		{"half a line", "a NOOP", "unexpected EOF"},
		{"a size beyond all", "a {99999999999999999999+}\r\n", ErrLost.Error()},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := strings.Join(frames(&pieces{b: []byte(tc.in)}, 40), "|"); got != tc.want {
				t.Errorf("got %q\nwant %q", got, tc.want)
			}
		})
	}
}

// A client that lets one refused literal follow the other ends with the bound, not
// with the stack.
func TestRefusedLiteralsWithoutEnd(t *testing.T) {
	var f Framer
	src := &endless{text: bytes.Repeat([]byte("a {0+}\r\n"), 1000), left: 2 * MaxDrain}
	if err := f.Begin(src, 100); err != nil {
		t.Fatal(err)
	}
	if err := f.Refuse(src); !errors.Is(err, ErrLost) {
		t.Errorf("got %v after %d octets", err, 2*MaxDrain-src.left)
	}
}

func TestLineWithoutEnd(t *testing.T) {
	var f Framer
	if err := f.Begin(&endless{text: bytes.Repeat([]byte("xyz"), 10000), left: 2 * MaxDrain}, 100); !errors.Is(err, ErrLost) {
		t.Errorf("got %v", err)
	}
	if len(f.Bytes()) > 100 {
		t.Errorf("%d octets kept", len(f.Bytes()))
	}
}

// FuzzFrames: any split of a stream gives the same frames, within the budget.
func FuzzFrames(f *testing.F) {
	f.Add([]byte("a LOGIN {3+}\r\nx y \"z\"\r\nb NOOP\r\n"), []byte{1, 3, 0})
	f.Add([]byte("a X \"{3+}\r\nabc\r\n"), []byte{7})
	f.Fuzz(func(t *testing.T, stream, sizes []byte) {
		const budget = 64
		whole := frames(&pieces{b: stream, sizes: bytes.Repeat([]byte{255}, len(stream)/256+1)}, budget)
		split := frames(&pieces{b: stream, sizes: sizes}, budget)
		if a, b := strings.Join(whole, "|"), strings.Join(split, "|"); a != b {
			t.Errorf("whole %q\nsplit %q", a, b)
		}
		for _, frame := range whole {
			if len(frame) > budget {
				t.Errorf("a frame of %d octets", len(frame))
			}
		}
	})
}

// FuzzLiteralIsNoCommand: whatever is done with an uninvited literal, and whatever
// the line before it looks like, what it holds never begins a frame.
func FuzzLiteralIsNoCommand(f *testing.F) {
	f.Add("a LOGIN ", "\r\nx EVIL\r\n", byte(0))
	f.Add("a LOGIN \"", "x EVIL\r\n", byte(1))
	f.Add("a LOGIN foo", "x EVIL\r\n", byte(2))
	f.Add("a APPEND ~", "x EVIL\r\nx EVIL", byte(0))
	f.Fuzz(func(t *testing.T, line, body string, what byte) {
		if strings.ContainsAny(line, "\r\n") || strings.Contains(line, "EVIL") {
			return
		}
		body += "\r\nx EVIL\r\n"
		src := &pieces{b: []byte(line + "{" + strconv.Itoa(len(body)) + "+}\r\n" + body + "\r\nend\r\n")}
		var fr Framer
		err := fr.Begin(src, 100)
		for n := 0; err == nil || errors.Is(err, ErrTooLarge); n++ {
			if n > 0 && bytes.Contains(bytes.SplitN(fr.Bytes(), []byte("\r\n"), 2)[0], []byte("EVIL")) {
				t.Fatalf("a frame from a literal: %q", fr.Bytes())
			}
			if _, pending := fr.Literal(); pending {
				switch what % 3 {
				case 0:
					err = fr.Include(src)
				case 1:
					err = fr.Refuse(src)
				case 2:
					if err = discard(src, int64(len(body))); err == nil {
						err = fr.Skipped(src)
					}
				}
				if err != nil && !errors.Is(err, ErrTooLarge) {
					break
				}
			}
			err = fr.Begin(src, 100)
		}
		if !errors.Is(err, io.EOF) {
			t.Errorf("the stream ended with %v", err)
		}
	})
}
