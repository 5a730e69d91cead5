package message

import (
	"bufio"
	"errors"
	"io"
	"strings"
)

// DecodeBody returns a part's body without its transfer encoding. Faults are
// forgiven: characters that are no base64 are left out, an "=" that means nothing
// stays.
func DecodeBody(p *Part, r io.ReaderAt) io.Reader {
	body := io.NewSectionReader(r, p.Body, p.Text().Len())
	switch strings.ToLower(p.Encoding) {
	case "base64":
		return &base64Reader{r: body}
	case "quoted-printable":
		return &quotedReader{r: bufio.NewReader(body)}
	}
	return body
}

// base64Reader decodes base64 (RFC 2045 6.8). What is no base64 is left out, and a
// lone last digit. Padding ends a group wherever it stands: some programs encode
// line by line.
type base64Reader struct {
	r     io.Reader
	group uint32
	n     int    // digits in group
	out   []byte // decoded, not yet read
	src   [3 << 10]byte
	dst   [3 << 10]byte
	err   error
}

func (b *base64Reader) Read(p []byte) (int, error) {
	for len(b.out) == 0 {
		if b.err != nil {
			return 0, b.err
		}
		b.fill()
	}
	n := copy(p, b.out)
	b.out = b.out[n:]
	return n, nil
}

func (b *base64Reader) fill() {
	n, err := b.r.Read(b.src[:])
	b.err, b.out = err, b.dst[:0]
	for _, c := range b.src[:n] {
		if v := base64Values[c]; v < 64 {
			b.group = b.group<<6 | uint32(v)
			if b.n++; b.n == 4 {
				b.out = append(b.out, byte(b.group>>16), byte(b.group>>8), byte(b.group))
				b.n = 0
			}
		} else if c == '=' {
			b.end()
		}
	}
	if err != nil {
		b.end()
	}
}

// end decodes what there is of a group.
func (b *base64Reader) end() {
	switch b.n {
	case 2:
		b.out = append(b.out, byte(b.group>>4))
	case 3:
		b.out = append(b.out, byte(b.group>>10), byte(b.group>>2))
	}
	b.n = 0
}

// base64Values are the values of the digits; 64 of what is none.
var base64Values = func() (t [256]byte) {
	for i := range t {
		t[i] = 64
	}
	for i, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/") {
		t[c] = byte(i)
	}
	return t
}()

func isBase64(c byte) bool { return base64Values[c] < 64 }

// maxBlanks bounds the blanks that wait for what follows them; no line of mail that
// is right is longer (RFC 2045 6.7, rule 5).
const maxBlanks = 998

// quotedReader decodes quoted-printable (RFC 2045 6.7). Octets that should have been
// encoded count as they are; so does an "=" that encodes nothing.
type quotedReader struct {
	r    *bufio.Reader
	held []byte // blanks, which are nothing at the end of a line (rule 3)
	out  []byte // decoded
	read int    // octets of out
}

func (q *quotedReader) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		if q.read < len(q.out) {
			k := copy(p[n:], q.out[q.read:])
			n, q.read = n+k, q.read+k
			continue
		}
		q.out, q.read = q.out[:0], 0
		if err := q.octet(); err != nil {
			if n > 0 && errors.Is(err, io.EOF) {
				err = nil
			}
			return n, err
		}
	}
	return n, nil
}

// octet decodes what begins with the next octet.
func (q *quotedReader) octet() error {
	c, err := q.r.ReadByte()
	if err != nil {
		return err
	}
	switch c {
	case ' ', '\t':
		if q.held = append(q.held, c); len(q.held) >= maxBlanks {
			q.release()
		}
		return nil
	case '\n':
		q.held = q.held[:0]
	case '\r':
		if next, _ := q.r.Peek(1); len(next) > 0 && next[0] == '\n' {
			q.held = q.held[:0]
		}
	case '=':
		q.release()
		return q.encoded()
	}
	q.release()
	q.out = append(q.out, c)
	return nil
}

func (q *quotedReader) release() {
	q.out = append(q.out, q.held...)
	q.held = q.held[:0]
}

// encoded decodes what follows an "=": two hexadecimal digits, or a soft line break.
func (q *quotedReader) encoded() error {
	if next, _ := q.r.Peek(2); len(next) == 2 && unhex(next[0]) >= 0 && unhex(next[1]) >= 0 {
		q.out = append(q.out, byte(unhex(next[0])<<4|unhex(next[1])))
		_, err := q.r.Discard(2)
		return err
	}
	for n := 1; n <= maxBlanks; n++ {
		next, err := q.r.Peek(n)
		switch {
		case len(next) == n && isBlank(next[n-1]) && next[n-1] != '\n':
			continue
		case len(next) == n && next[n-1] == '\n', len(next) == n-1 && errors.Is(err, io.EOF):
			_, err = q.r.Discard(len(next))
			return err
		case len(next) < n && !errors.Is(err, io.EOF):
			return err
		}
		break
	}
	q.out = append(q.out, '=')
	return nil
}
