package session

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"postrider/account"
	"postrider/maildir"
	"postrider/vfs/memfs"
	"postrider/watch/watchtest"
	"postrider/wire"
	"postrider/wire/wiretest"
)

// house is one account on a file system in memory.
type house struct {
	t  *testing.T
	h  *account.House
	fs *memfs.FS

	root string                 // of the account
	pair func() (a, b net.Conn) // nil: wiretest.Pair
	ctx  context.Context        // nil: for ever

	events *watchtest.Watcher // crowd's: its events are given by hand
}

func newHouse(t *testing.T) *house {
	fs := memfs.New(memfs.Options{})
	return &house{t: t, fs: fs, root: "/m", h: account.NewHouse(account.HouseConfig{FS: fs, Unique: maildir.NewUnique("h", 1, time.Now), Fsync: true})}
}

// client is the other end of a session.
type client struct {
	t    *testing.T
	conn io.ReadWriteCloser
	r    *bufio.Reader
	done chan error
	sent string // the last command, for messages

	greeting []string
}

// login starts a session and reads its first answer.
func (h *house) login(style account.Style, change func(*Config)) *client {
	h.t.Helper()
	a, err := h.h.Open(context.Background(), account.Config{Root: h.root, Style: style})
	if err != nil {
		h.t.Fatal(err)
	}
	pair := wiretest.Pair
	if h.pair != nil {
		pair = h.pair
	}
	here, there := pair()
	c := &client{t: h.t, conn: here, r: bufio.NewReader(here), done: make(chan error, 1)}
	cfg := Config{Account: a, Conn: wire.NewConn(there, new(wire.Buffers)), FirstTag: "t0"}
	if change != nil {
		change(&cfg)
	}
	h.t.Cleanup(func() { here.Close() })
	ctx := h.ctx
	if ctx == nil {
		ctx = context.Background()
	}
	go func() {
		_, err := Run(ctx, cfg)
		a.Close()
		cfg.Conn.Close()
		c.done <- err
	}()
	c.greeting = c.until(map[bool]string{true: "t0 OK [CAPABILITY ", false: "* PREAUTH [CAPABILITY "}[cfg.FirstTag != ""])
	return c
}

// until reads lines up to one with the prefix and returns them all.
func (c *client) until(prefix string) []string {
	c.t.Helper()
	var lines []string
	for {
		line, err := c.r.ReadString('\n')
		if err != nil {
			c.t.Fatalf("waiting for %q: %v after %q to %.80q", prefix, err, lines, c.sent)
		}
		line = strings.TrimSuffix(line, "\r\n")
		lines = append(lines, line)
		if strings.HasPrefix(line, prefix) {
			return lines
		}
	}
}

// do sends a command and returns all lines of the answer, the tagged one last.
func (c *client) do(command string) []string {
	c.t.Helper()
	c.sent = command
	c.send("t " + command + "\r\n")
	return c.until("t ")
}

// want sends a command and compares the answer.
func (c *client) want(command string, answer ...string) {
	c.t.Helper()
	if got := c.do(command); strings.Join(got, "\n") != strings.Join(answer, "\n") {
		c.t.Errorf("%s\n got %q\nwant %q", command, got, answer)
	}
}

// send writes octets.
func (c *client) send(octets string) {
	c.t.Helper()
	if _, err := io.WriteString(c.conn, octets); err != nil {
		c.t.Fatal(err)
	}
}

// lines compares all lines up to one with the prefix.
func (c *client) lines(prefix string, want ...string) {
	c.t.Helper()
	if got := c.until(prefix); strings.Join(got, "\n") != strings.Join(want, "\n") {
		c.t.Errorf("\n got %q\nwant %q", got, want)
	}
}

// talk runs a conversation: lines that begin with "> " are sent, those between them
// are the whole answer.
func (c *client) talk(script string) {
	c.t.Helper()
	for _, turn := range strings.Split("\n"+strings.TrimSpace(script), "\n> ")[1:] {
		lines := strings.Split(turn, "\n")
		for i := range lines {
			lines[i] = strings.TrimSpace(lines[i])
		}
		c.want(lines[0], lines[1:]...)
	}
}

// append appends a message, with what stands between the mailbox and the literal.
func (c *client) append(box, args, message string) {
	c.t.Helper()
	answer := c.do(fmt.Sprintf("APPEND %s %s{%d+}\r\n%s", box, args, len(message), message))
	if last := answer[len(answer)-1]; !strings.HasPrefix(last, "t OK [APPENDUID ") {
		c.t.Fatalf("append to %s: %q", box, answer)
	}
}

// logout ends the session.
func (c *client) logout() {
	c.t.Helper()
	c.do("LOGOUT")
	if err := <-c.done; err != nil {
		c.t.Error(err)
	}
}
