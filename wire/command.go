package wire

import (
	"io"

	"postrider/imap"
)

// Command is a command that runs: its tag, its name, and the ways to answer it
// before its tagged answer. It is valid until its run returns.
type Command struct {
	*Conn
	Tag       string
	Name      string // in capitals, "UID " included
	NoExpunge bool   // of its row

	framer   *imap.Framer
	literal  *literalReader
	done     *imap.Status // the tagged OK, if it is not the usual one
	answered bool
	ending   Ending
}

// UID reports whether the command is the UID form.
func (c *Command) UID() bool { return len(c.Name) > 4 && c.Name[:4] == "UID " }

// Done sets the text of the tagged OK, and its code.
func (c *Command) Done(code imap.Code, text string) { c.done = imap.OK(code, text) }

// Untagged writes an untagged status response.
func (c *Command) Untagged(s *imap.Status) {
	b := append(c.AvailableBuffer(), "* "...)
	c.Write(append(s.AppendText(b), "\r\n"...))
}

// Answer writes the tagged answer now; the loop writes none.
func (c *Command) Answer(s *imap.Status) {
	c.answered = true
	b := append(c.AvailableBuffer(), c.Tag...)
	c.Write(append(s.AppendText(append(b, ' ')), "\r\n"...))
}

// End ends the conversation after this command and its tagged answer.
func (c *Command) End(e Ending) { c.ending = e }

// Leave ends the conversation after this command, whose tagged answer somebody
// else will give.
func (c *Command) Leave() { c.answered, c.ending = true, EndLeft }

// Continue asks the client to go on.
func (c *Command) Continue(text string) error {
	c.WriteString("+ ")
	c.WriteString(text)
	c.WriteString("\r\n")
	return c.Flush()
}

// ReadLine reads one line of at most max octets that is no command: DONE, or a
// client's side of an authentication. It is returned without its line end and
// valid until the next read.
func (c *Command) ReadLine(max int) ([]byte, error) {
	var line imap.Framer
	if err := line.Begin(c.Conn, max); err != nil {
		return nil, err
	}
	if _, pending := line.Literal(); pending {
		return line.Bytes(), line.Refuse(c.Conn)
	}
	return line.Bytes(), nil
}

// Literal invites, if it must be, and returns the octets of the literal that the
// command streams. What is not read is thrown away by the loop.
func (c *Command) Literal() (io.Reader, error) {
	l, ok := c.framer.Literal()
	if !ok {
		return nil, io.ErrUnexpectedEOF
	}
	if !l.NonSync {
		if err := c.Continue("OK"); err != nil {
			return nil, err
		}
	}
	c.literal = &literalReader{c: c.Conn, left: l.Size}
	return c.literal, nil
}

// EndLiteral reads what follows the literal on its line. A command that ends
// there has nothing left over.
func (c *Command) EndLiteral() error {
	if err := c.skipLiteral(); err != nil {
		return err
	}
	d := imap.NewDecoder(c.framer.Bytes())
	d.End()
	return d.Err()
}

// skipLiteral throws away what is left of an invited literal and reads the line
// after it.
func (c *Command) skipLiteral() error {
	l := c.literal
	if l == nil {
		return nil
	}
	c.literal = nil
	if _, err := io.Copy(io.Discard, l); err != nil {
		return err
	}
	if err := c.framer.Skipped(c.Conn); err != nil {
		return err
	}
	return nil
}

// literalReader reads the octets of one literal.
type literalReader struct {
	c    *Conn
	left int64
	err  error // of the connection: it is not asked again, which may wait again
}

func (l *literalReader) Read(p []byte) (int, error) {
	if l.left == 0 {
		return 0, io.EOF
	}
	if l.err != nil {
		return 0, l.err
	}
	b, err := l.c.Fill()
	if err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		l.err = err
		return 0, err
	}
	n := copy(p, b[:min(int64(len(b)), l.left)])
	l.c.Skip(n)
	l.left -= int64(n)
	return n, nil
}
