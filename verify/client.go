package verify

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"
)

const (
	maxLine     = 64 << 10 // of an answer, literals not counted
	maxLiteral  = 16 << 20 // of a literal, which is skipped
	maxAnswer   = 10_000   // lines of one answer
	dialTimeout = 10 * time.Second
	// commandTimeout is how long a command may take.
	commandTimeout = 60 * time.Second
)

// client is one connection. It belongs to one goroutine at a time.
type client struct {
	conn net.Conn
	r    *bufio.Reader
	tags int
	stop func() bool // of what closes conn when the context ends
}

// errRefused is an answer of NO, BAD or BYE.
type errRefused struct{ line string }

func (e errRefused) Error() string { return "the server said: " + e.line }

// dial connects, reads the greeting, and turns TLS on.
func dial(ctx context.Context, o *Options) (*client, error) {
	d := net.Dialer{Timeout: dialTimeout}
	conn, err := d.DialContext(ctx, "tcp", o.Addr)
	if err != nil {
		return nil, fmt.Errorf("connecting: %w", err)
	}
	c := &client{conn: conn, stop: context.AfterFunc(ctx, func() { conn.Close() })}
	if o.TLS {
		err = c.secure(ctx, o.TLSConfig)
	}
	c.r = bufio.NewReader(c.conn)
	var line string
	if err == nil {
		line, err = c.line(time.Now().Add(commandTimeout))
	}
	if err == nil && !strings.HasPrefix(line, "* OK") {
		err = errRefused{line}
	}
	if err == nil && o.StartTLS {
		if _, err = c.command("STARTTLS"); err == nil {
			if c.r.Buffered() > 0 {
				err = errors.New("the server sent more behind its answer to STARTTLS")
			} else {
				err = c.secure(ctx, o.TLSConfig)
				c.r = bufio.NewReader(c.conn)
			}
		}
	}
	if err != nil {
		c.close()
		return nil, fmt.Errorf("connecting: %w", err)
	}
	return c, nil
}

// secure begins TLS.
func (c *client) secure(ctx context.Context, config *tls.Config) error {
	t := tls.Client(c.conn, config)
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	if err := t.HandshakeContext(ctx); err != nil {
		return err
	}
	c.conn = t
	return nil
}

func (c *client) close() {
	c.stop()
	c.conn.Close()
}

// line reads one line of an answer, without its end. Literals in it are skipped.
func (c *client) line(deadline time.Time) (string, error) {
	if err := c.conn.SetReadDeadline(deadline); err != nil {
		return "", err
	}
	var full []byte
	for {
		part, err := c.r.ReadSlice('\n')
		full = append(full, part...)
		if len(full) > maxLine {
			return "", errors.New("an answer has a line that is too long")
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if err != nil {
			return "", err
		}
		full = bytes.TrimRight(full, "\r\n")
		n, ok := literal(full)
		if !ok {
			return string(full), nil
		}
		if n > maxLiteral {
			return "", errors.New("an answer has a literal that is too long")
		}
		if _, err := io.CopyN(io.Discard, c.r, n); err != nil {
			return "", err
		}
	}
}

// literal is the length of the literal that a line ends in.
func literal(line []byte) (int64, bool) {
	open := bytes.LastIndexByte(line, '{')
	if open < 0 || line[len(line)-1] != '}' {
		return 0, false
	}
	n, err := strconv.ParseInt(string(line[open+1:len(line)-1]), 10, 64)
	return n, err == nil && n >= 0
}

// command sends a command and returns the untagged lines of its answer, and the text of
// the last.
func (c *client) command(text string) ([]string, error) {
	c.tags++
	tag := fmt.Sprintf("v%d", c.tags)
	if err := c.send(tag + " " + text + "\r\n"); err != nil {
		return nil, err
	}
	return c.answer(tag)
}

func (c *client) send(text string) error {
	if err := c.conn.SetWriteDeadline(time.Now().Add(commandTimeout)); err != nil {
		return err
	}
	_, err := io.WriteString(c.conn, text)
	return err
}

// answer reads up to the line with a tag, which is returned as the last.
func (c *client) answer(tag string) (lines []string, err error) {
	deadline := time.Now().Add(commandTimeout)
	for len(lines) < maxAnswer {
		l, err := c.line(deadline)
		if err != nil {
			return lines, err
		}
		if rest, ok := strings.CutPrefix(l, tag+" "); ok {
			if !strings.HasPrefix(strings.ToUpper(rest), "OK") {
				return lines, errRefused{rest}
			}
			return append(lines, rest), nil
		}
		if strings.HasPrefix(l, "* BYE") {
			return lines, errRefused{l}
		}
		lines = append(lines, l)
	}
	return lines, errors.New("an answer has too many lines")
}

// continued sends a command and returns the text of the "+" that it is answered with.
func (c *client) continued(text string) (tag, plus string, err error) {
	c.tags++
	tag = fmt.Sprintf("v%d", c.tags)
	if err := c.send(tag + " " + text + "\r\n"); err != nil {
		return tag, "", err
	}
	deadline := time.Now().Add(commandTimeout)
	for range maxAnswer {
		l, err := c.line(deadline)
		switch {
		case err != nil:
			return tag, "", err
		case strings.HasPrefix(l, "+"):
			return tag, strings.TrimSpace(l[1:]), nil
		case strings.HasPrefix(l, tag+" "), strings.HasPrefix(l, "* BYE"):
			return tag, "", errRefused{l}
		}
	}
	return tag, "", errors.New("an answer has too many lines")
}

// login logs in with LOGIN, the name and the password as literals where a quoted string
// cannot hold them.
func (c *client) login(user, password string) error {
	c.tags++
	tag := fmt.Sprintf("v%d", c.tags)
	text := tag + " LOGIN"
	for _, s := range []string{user, password} {
		if isQuotable(s) {
			text += ` "` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
			continue
		}
		if err := c.send(fmt.Sprintf("%s {%d}\r\n", text, len(s))); err != nil {
			return err
		}
		if l, err := c.line(time.Now().Add(commandTimeout)); err != nil {
			return err
		} else if !strings.HasPrefix(l, "+") {
			return errRefused{l}
		}
		text = s
	}
	if err := c.send(text + "\r\n"); err != nil {
		return err
	}
	_, err := c.answer(tag)
	return err
}

// isQuotable says that a quoted string can hold s (RFC 3501: no 8-bit, no CR, LF).
func isQuotable(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) < 0
}

// append appends a message and returns its UID, 0 if the server does not tell it.
func (c *client) append(mailbox, text string) (uint32, error) {
	tag, _, err := c.continued(fmt.Sprintf("APPEND %s {%d}", quoteMailbox(mailbox), len(text)))
	if err != nil {
		return 0, err
	}
	if err := c.send(text + "\r\n"); err != nil {
		return 0, err
	}
	lines, err := c.answer(tag)
	if err != nil {
		return 0, err
	}
	return appendUID(lines[len(lines)-1]), nil
}

// appendUID is the UID in the response code APPENDUID (RFC 4315).
func appendUID(line string) uint32 {
	_, rest, ok := strings.Cut(line, "[APPENDUID ")
	if f := strings.FieldsFunc(rest, func(r rune) bool { return r == ' ' || r == ']' }); ok && len(f) >= 2 {
		n, _ := strconv.ParseUint(f[1], 10, 32)
		return uint32(n)
	}
	return 0
}

func quoteMailbox(name string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(name) + `"`
}
