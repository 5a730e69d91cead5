package transcript

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

// maxLiteral bounds what a client of a transcript reads in one literal.
const maxLiteral = 16 << 20

// client is one connection.
type client struct {
	conn    net.Conn
	in      *bufio.Reader
	patient time.Duration
	log     []string // what was said, newest last, for messages of failure
}

func newClient(conn net.Conn, patient time.Duration) *client {
	return &client{conn: conn, in: bufio.NewReader(conn), patient: patient}
}

func (c *client) note(mark, text string) {
	c.log = append(c.log, mark+text)
	if len(c.log) > 20 {
		c.log = c.log[1:]
	}
}

func (c *client) send(text string) error {
	c.note("C: ", text)
	c.conn.SetWriteDeadline(time.Now().Add(c.patient))
	_, err := io.WriteString(c.conn, text)
	return err
}

// secure does the handshake of TLS. What the server said in clear after its
// answer to STARTTLS is an error.
func (c *client) secure(config *tls.Config) error {
	if n := c.in.Buffered(); n > 0 {
		return fmt.Errorf("%d octets came in clear after the answer to STARTTLS", n)
	}
	under := tls.Client(c.conn, config)
	under.SetDeadline(time.Now().Add(c.patient))
	if err := under.Handshake(); err != nil {
		return err
	}
	c.conn, c.in = under, bufio.NewReader(under)
	return nil
}

// line reads a response: a line, with the literals in it and what follows them,
// without its last line end.
func (c *client) line() (string, error) {
	c.conn.SetReadDeadline(time.Now().Add(c.patient))
	var b strings.Builder
	for {
		part, err := c.in.ReadString('\n')
		if err != nil {
			return b.String() + part, err
		}
		trimmed, ok := strings.CutSuffix(part, "\r\n")
		if !ok {
			return b.String() + part, fmt.Errorf("a line that does not end in CRLF: %q", part)
		}
		b.WriteString(trimmed)
		n, ok := literal(trimmed)
		if !ok {
			c.note("S: ", b.String())
			return b.String(), nil
		}
		b.WriteString("\r\n")
		if _, err := io.CopyN(&b, c.in, n); err != nil {
			return b.String(), err
		}
	}
}

// literal is the size of the literal that a line ends in.
func literal(line string) (int64, bool) {
	open := strings.LastIndexByte(line, '{')
	if open < 0 || !strings.HasSuffix(line, "}") {
		return 0, false
	}
	n, err := strconv.ParseUint(line[open+1:len(line)-1], 10, 32)
	return int64(n), err == nil && n <= maxLiteral
}
