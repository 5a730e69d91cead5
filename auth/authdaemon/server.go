package authdaemon

import (
	"bufio"
	"context"
	"errors"
	"log/slog"
	"net"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"postrider/auth"
)

// The times that a connection is given.
const (
	requestTime = 10 * time.Second // to send its request
	answerTime  = 30 * time.Second // to be answered; clients wait no longer
	writeTime   = 30 * time.Second // to take what is written at once
	listTime    = 10 * time.Minute // to take the list of all accounts
	stopTime    = 5 * time.Second  // for what is being answered, when the server stops
)

// DefaultConnections is how many connections are served at once, unless Config says
// otherwise. More wait in the socket's queue, as they do with Courier's daemon.
const DefaultConnections = 1024

// Module is a set of accounts with the name by which a request can ask for it, such
// as "authuserdb".
type Module struct {
	Name    string
	Backend auth.Backend
}

// Config is what a Server answers from.
type Config struct {
	Modules        []Module     // asked in this order; without auth.Guard, whose rules are the client's to apply
	DefaultOptions auth.Options // DEFAULTOPTIONS
	Connections    int          // at once; 0: DefaultConnections
	Logger         *slog.Logger // nil: no log

	// Trace gets each step as a line in Courier's words, with no secret in it;
	// nil: none. It is called by many goroutines at once.
	Trace func(line string)
}

// Server answers authdaemond's protocol. Repeated guesses are slowed down by an
// auth.Brake.
type Server struct {
	places  chan struct{}
	current atomic.Pointer[desk]
	open    sync.WaitGroup
}

// New returns a server.
func New(c Config) *Server {
	if c.Connections <= 0 {
		c.Connections = DefaultConnections
	}
	s := &Server{places: make(chan struct{}, c.Connections)}
	s.Replace(c)
	return s
}

// Replace has requests answered by c from now on. Those that are being answered keep
// what they began with. The number of connections stays.
func (s *Server) Replace(c Config) { s.current.Store(newDesk(c)) }

// Serve answers what comes from l until ctx ends; what it began to answer then has
// stopTime. It closes l.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	defer context.AfterFunc(ctx, func() { l.Close() })()
	working, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer func() {
		late := time.AfterFunc(stopTime, stop)
		s.open.Wait()
		late.Stop()
		stop()
	}()
	var wait time.Duration
	for {
		select {
		case s.places <- struct{}{}:
		case <-ctx.Done():
			return nil
		}
		conn, err := l.Accept()
		if err == nil {
			wait = 0
			s.open.Go(func() { s.connection(working, conn) })
			continue
		}
		<-s.places
		if ctx.Err() != nil {
			return nil
		}
		if errors.Is(err, net.ErrClosed) {
			return err
		}
		// Too many open files, mostly: others end, then there is room again.
		wait = min(max(2*wait, 5*time.Millisecond), time.Second)
		s.current.Load().log.Error("no connection to authdaemond can be taken", "err", err.Error())
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
}

// connection answers one request, and closes.
func (s *Server) connection(ctx context.Context, conn net.Conn) {
	d := s.current.Load()
	defer func() {
		if p := recover(); p != nil {
			d.log.Error("panic in authdaemond", "panic", p, "stack", string(debug.Stack()))
		}
		conn.Close()
		<-s.places
	}()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	_ = conn.SetReadDeadline(time.Now().Add(requestTime))
	q, err := readRequest(bufio.NewReaderSize(conn, maxLine+2))
	if err != nil && !errors.Is(err, errRefused) {
		d.log.Debug("no answer to what is no request", "err", err.Error())
		return
	}
	w := slowWriter{conn}
	switch {
	case err != nil:
		d.tracef("request that no account can fit")
		_, err = w.Write([]byte(failed))
	case q.ask == listing{}:
		err = d.list(ctx, w)
	default:
		within, cancel := context.WithTimeout(ctx, answerTime)
		defer cancel()
		_, err = w.Write(d.answer(within, q))
	}
	if err != nil {
		d.log.Warn("an answer of authdaemond did not go out", "err", err.Error())
	}
}

// slowWriter gives each write its time.
type slowWriter struct{ net.Conn }

func (w slowWriter) Write(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	_ = w.SetWriteDeadline(time.Now().Add(writeTime))
	return w.Conn.Write(b)
}
