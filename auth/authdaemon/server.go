package authdaemon

import (
	"bufio"
	"context"
	"errors"
	"log/slog"
	"net"
	"sync/atomic"
	"time"

	"postrider/auth"
	"postrider/auth/socket"
)

// The times that a connection is given.
const (
	requestTime = 10 * time.Second // to send its request
	answerTime  = 30 * time.Second // to be answered; clients wait no longer
	listTime    = 10 * time.Minute // to take the list of all accounts
	stopTime    = 5 * time.Second  // for what is being answered, when the server stops
)

// Module is a set of accounts with the name by which a request can ask for it, such
// as "authuserdb".
type Module struct {
	Name    string
	Backend auth.Backend
}

// Brake slows guessing down, as auth.Brake does, and auth.Guard with one behind it.
type Brake interface {
	Attempt(ctx context.Context, r auth.Request, secret string, try func() error) error
}

// Config is what a Server answers from.
type Config struct {
	Modules        []Module     // asked in this order; without auth.Guard, whose rules are the client's to apply
	DefaultOptions auth.Options // DEFAULTOPTIONS
	Connections    int          // at once; 0: socket.DefaultConnections
	Logger         *slog.Logger // nil: no log

	// Brake says when an attempt to prove a password may be made; nil: a brake of its own.
	Brake Brake

	// Changer is what passwords are changed through, if something that stands before the
	// modules must know of it, such as a cache; it counts guesses itself. nil: the modules.
	Changer auth.PasswordChanger

	// Trace gets each step as a line in Courier's words, with no secret in it;
	// nil: none. It is called by many goroutines at once.
	Trace func(line string)
}

// Server answers authdaemond's protocol. Repeated guesses are slowed down.
type Server struct {
	current     atomic.Pointer[desk]
	connections int
}

// New returns a server.
func New(c Config) *Server {
	s := &Server{connections: c.Connections}
	s.Replace(c)
	return s
}

// Replace has requests answered by c from now on. Those that are being answered keep
// what they began with. The number of connections stays.
func (s *Server) Replace(c Config) { s.current.Store(newDesk(c)) }

// Serve answers what comes from l until ctx ends; what it began to answer then has
// stopTime. It closes l.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	listener := socket.Server{Connections: s.connections, Logger: s.current.Load().log, Handle: s.connection}
	return listener.Serve(ctx, l, stopTime)
}

// connection answers one request.
func (s *Server) connection(ctx context.Context, conn net.Conn) {
	d := s.current.Load()
	_ = conn.SetReadDeadline(time.Now().Add(requestTime))
	q, err := readRequest(bufio.NewReaderSize(conn, maxLine+2))
	var reply []byte
	switch {
	case errors.Is(err, errRefused):
		d.tracef("request that no account can fit")
		reply = []byte(failed)
	case err != nil:
		// Nothing is answered to what is no request.
	case q.ask == listing{}:
		err = d.list(ctx, conn)
	default:
		within, cancel := context.WithTimeout(ctx, answerTime)
		defer cancel()
		reply = d.answer(within, q)
	}
	if len(reply) > 0 {
		_, err = conn.Write(reply)
	}
	if err != nil {
		d.log.Debug("a request was not answered", "err", err.Error())
	}
}
