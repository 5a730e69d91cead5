package dovecot

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"postrider/auth"
	"postrider/auth/socket"
)

const (
	handshakeTime = 10 * time.Second
	stopTime      = 5 * time.Second // for what is being answered, when the server stops
)

// Config is what a Server answers from.
type Config struct {
	Backend     auth.Backend // behind its auth.Guard
	Connections int          // at once, most of them quiet; 0: socket.DefaultConnections
	Logger      *slog.Logger // nil: no log
}

// Server answers the protocol.
type Server struct {
	backend     atomic.Pointer[auth.Backend]
	connections int
	log         *slog.Logger
	number      atomic.Uint32 // of the newest connection
}

// New returns a server.
func New(c Config) *Server {
	s := &Server{connections: c.Connections, log: c.Logger}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.Replace(c.Backend)
	return s
}

// Replace has exchanges that begin from now on ask b.
func (s *Server) Replace(b auth.Backend) { s.backend.Store(&b) }

// Serve answers what comes from l until ctx ends, and closes l.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	listener := socket.Server{Connections: s.connections, Logger: s.log, Handle: func(working context.Context, c net.Conn) {
		s.connection(ctx, working, c)
	}}
	return listener.Serve(ctx, l, stopTime)
}

// connection serves one connection while working; once serving has ended no longer than
// something is open.
func (s *Server) connection(serving, working context.Context, c net.Conn) {
	t := newTalk(s, c)
	defer t.end()
	defer context.AfterFunc(serving, t.leave)()
	err := t.greet()
	if err == nil {
		err = t.run(working)
	}
	if err != nil && !errors.Is(err, io.EOF) && serving.Err() == nil {
		s.log.Warn("a connection to the socket for Dovecot's clients was ended", "err", err.Error())
	}
}

// greet says who we are. The client's words are read later, for it need not wait.
func (t *talk) greet() error {
	var cookie [16]byte
	_, _ = rand.Read(cookie[:]) // never fails
	var b strings.Builder
	b.WriteString("VERSION\t1\t2\n")
	for _, m := range auth.MechanismsFor(*t.server.backend.Load(), auth.Request{TLS: true}) {
		b.WriteString("MECH\t" + m.Name + properties(m) + "\n")
	}
	fmt.Fprintf(&b, "SPID\t%d\nCUID\t%d\nCOOKIE\t%s\nDONE\n", os.Getpid(), t.server.number.Add(1), hex.EncodeToString(cookie[:]))
	_, err := io.WriteString(t.conn, b.String())
	return err
}

// properties are what a client may choose mechanisms by, as Dovecot has them.
func properties(m auth.Mechanism) string {
	switch {
	case m.Clear:
		return "\tplaintext"
	case strings.HasPrefix(m.Name, "CRAM-"):
		return "\tdictionary\tactive"
	case strings.HasPrefix(m.Name, "SCRAM-"):
		return "\tmutual-auth"
	}
	return ""
}

// run reads the client's introduction and then its requests, until it closes.
func (t *talk) run(ctx context.Context) error {
	r := bufio.NewReader(t.conn)
	_ = t.conn.SetReadDeadline(time.Now().Add(handshakeTime))
	introduced := false
	for first := true; ; first = false {
		line, err := readLine(r)
		if err != nil {
			return err
		}
		words := strings.Split(line, "\t")
		switch verb := words[0]; {
		case first:
			if verb != "VERSION" || len(words) < 3 || words[1] != "1" {
				return errProtocol
			}
		case verb == "CPID" && !introduced:
			if len(words) < 2 || words[1] == "" {
				return errProtocol
			}
			introduced = true
			_ = t.conn.SetReadDeadline(time.Time{}) // a mail server's process keeps it for long
		case !introduced:
			return errProtocol
		default:
			err = t.command(ctx, words)
		}
		if err != nil {
			return err
		}
	}
}
