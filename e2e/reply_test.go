package e2e_test

import (
	"bufio"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"
)

// imapClient is a connection that sends a command and reads its answer.
type imapClient struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
	n    int
}

// dialIMAP logs in over a connection without TLS.
func dialIMAP(t *testing.T, port, user string) *imapClient {
	t.Helper()
	conn, err := net.Dial("tcp", "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	c := &imapClient{t: t, conn: conn, in: bufio.NewReaderSize(conn, 64<<10)}
	c.response()
	c.ok("LOGIN " + user + " " + password)
	return c
}

// ok sends a command that has to end in OK and returns its untagged responses, each
// with its literals.
func (c *imapClient) ok(command string) []string {
	c.t.Helper()
	out, end := c.do(command)
	if !strings.HasPrefix(end, "OK") {
		c.t.Fatalf("%.200q: %s", command, end)
	}
	return out
}

// do sends a command and returns its untagged responses and the tagged one.
func (c *imapClient) do(command string) (out []string, end string) {
	c.t.Helper()
	c.n++
	tag := "t" + strconv.Itoa(c.n) + " "
	c.conn.SetDeadline(time.Now().Add(time.Minute))
	if _, err := c.conn.Write([]byte(tag + command + "\r\n")); err != nil {
		c.t.Fatalf("%.200q: %v", command, err)
	}
	for {
		r := c.response()
		if end, ok := strings.CutPrefix(r, tag); ok {
			return out, end
		}
		out = append(out, r)
	}
}

// response reads a line with the literals in it, without its line end.
func (c *imapClient) response() string {
	c.t.Helper()
	var out []byte
	for {
		line, err := c.in.ReadString('\n')
		if err != nil {
			c.t.Fatalf("after %.200q: %v", string(out)+line, err)
		}
		out = append(out, line...)
		text, ok := strings.CutSuffix(line, "}\r\n")
		if !ok {
			return strings.TrimSuffix(string(out), "\r\n")
		}
		n, err := strconv.Atoi(text[strings.LastIndexByte(text, '{')+1:])
		if err != nil {
			return strings.TrimSuffix(string(out), "\r\n")
		}
		for range n {
			b, err := c.in.ReadByte()
			if err != nil {
				c.t.Fatal(err)
			}
			out = append(out, b)
		}
	}
}

// append appends messages to a mailbox, in order, a minute after one another.
func (c *imapClient) append(box string, messages []string) {
	c.t.Helper()
	date := time.Date(2024, 2, 1, 12, 0, 0, 0, time.UTC)
	for i, m := range messages {
		c.ok(fmt.Sprintf("APPEND %s \"%s\" {%d+}\r\n%s", box, date.Add(time.Duration(i)*time.Minute).Format("_2-Jan-2006 15:04:05 -0700"), len(m), m))
	}
}

// fetch asks for items of all messages and returns them by sequence number and name.
func (c *imapClient) fetch(set, items string) map[int]map[string]value {
	c.t.Helper()
	out := map[int]map[string]value{}
	for _, r := range c.ok("FETCH " + set + " " + items) {
		n, got, err := fetchResponse(r)
		if err != nil {
			c.t.Fatalf("%v in %.3000q", err, r)
		}
		if n == 0 {
			continue
		}
		if out[n] == nil {
			out[n] = map[string]value{}
		}
		for name, v := range got {
			out[n][name] = v
		}
	}
	return out
}

// value is a value of RFC 3501 9 as it came: NIL, an atom, a string or a list.
type value struct {
	kind byte // 'n', 'a', '"' or '('
	text string
	list []value
}

// replyReader reads values strictly; the first fault stays.
type replyReader struct {
	rest string
	err  error
}

func (r *replyReader) fail(what string) {
	if r.err == nil {
		r.err = fmt.Errorf("%s at %.60q", what, r.rest)
	}
}

func (r *replyReader) take(s string) bool {
	rest, ok := strings.CutPrefix(r.rest, s)
	if ok {
		r.rest = rest
	}
	return ok
}

func (r *replyReader) want(s string) {
	if !r.take(s) {
		r.fail("no " + strconv.Quote(s))
	}
}

// value reads a value. In a list, blanks stand between elements, but not between
// lists (RFC 3501 9: 1*address, 1*body).
func (r *replyReader) value() (v value) {
	switch {
	case r.rest == "":
		r.fail("no value")
	case r.take("("):
		v.kind = '('
		for r.err == nil && !r.take(")") {
			if n := len(v.list); n > 0 && (v.list[n-1].kind != '(' || !strings.HasPrefix(r.rest, "(")) {
				r.want(" ")
			}
			v.list = append(v.list, r.value())
		}
	case r.rest[0] == '"' || r.rest[0] == '{':
		v.kind, v.text = '"', r.string()
	default:
		v.kind, v.text = 'a', r.atom()
		if v.text == "NIL" {
			v = value{kind: 'n'}
		}
	}
	return v
}

func (r *replyReader) atom() string {
	n := strings.IndexAny(r.rest, " ()\"{}%*]\r\n")
	if n < 0 {
		n = len(r.rest)
	}
	a := r.rest[:n]
	if r.rest = r.rest[n:]; a == "" || strings.ContainsFunc(a, func(c rune) bool { return c <= ' ' || c >= 0x7f }) {
		r.fail("no atom")
	}
	return a
}

// string reads a string: QUOTED-CHAR without 8-bit octets, or a literal without NUL.
func (r *replyReader) string() string {
	if r.take("{") {
		size, rest, ok := strings.Cut(r.rest, "}\r\n")
		n, err := strconv.Atoi(size)
		if !ok || err != nil || n > len(rest) || strings.Contains(rest[:min(n, len(rest))], "\x00") {
			r.fail("no literal")
			return ""
		}
		r.rest = rest[n:]
		return rest[:n]
	}
	var out strings.Builder
	for i := 1; i < len(r.rest); i++ {
		c := r.rest[i]
		switch {
		case c == '"':
			r.rest = r.rest[i+1:]
			return out.String()
		case c == '\\':
			if i++; i >= len(r.rest) || r.rest[i] != '"' && r.rest[i] != '\\' {
				r.fail("a bad escape")
				return ""
			}
			c = r.rest[i]
		case c == 0 || c == '\r' || c == '\n' || c >= 0x80:
			r.fail("a bad quoted character")
			return ""
		}
		out.WriteByte(c)
	}
	r.fail("a string that does not end")
	return ""
}

// fetchResponse reads "* n FETCH (...)"; n is 0 for any other response.
func fetchResponse(s string) (n int, items map[string]value, err error) {
	r := &replyReader{rest: s}
	r.want("* ")
	word, rest, _ := strings.Cut(r.rest, " FETCH ")
	if n, err = strconv.Atoi(word); err != nil {
		return 0, nil, nil
	}
	r.rest = rest
	r.want("(")
	items = map[string]value{}
	for r.err == nil && !r.take(")") {
		if len(items) > 0 {
			r.want(" ")
		}
		name := r.itemName()
		r.want(" ")
		items[name] = r.value()
	}
	if r.rest != "" {
		r.fail("more")
	}
	return n, items, r.err
}

// itemName is the name of an item, with its section.
func (r *replyReader) itemName() string {
	n := strings.IndexAny(r.rest, " [")
	if n >= 0 && r.rest[n] == '[' {
		n += strings.IndexByte(r.rest[n:], ']') + 1
		if strings.HasPrefix(r.rest[n:], "<") {
			n += strings.IndexByte(r.rest[n:], '>') + 1
		}
	}
	if n <= 0 {
		r.fail("no name of an item")
		return ""
	}
	name := r.rest[:n]
	r.rest = r.rest[n:]
	return strings.ToUpper(name) // Dovecot does so with the names of fields
}
