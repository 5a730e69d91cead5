package serve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"postrider/auth"
	"postrider/login"
	"postrider/wire"
)

// Handover takes a connection on after the login.
type Handover interface {
	// Session serves a connection whose client has proved to be l.Identity,
	// until it ends or ctx does. The tagged answer to the login is still to be
	// given. It does not close the connection.
	Session(ctx context.Context, c *wire.Conn, l *login.Result, remote netip.AddrPort) error
	// Capabilities are the words that a session of it will announce; they are
	// shown before the login too.
	Capabilities() []string
}

// Config is what a Server needs. Nothing in it is changed.
type Config struct {
	Handover Handover
	Backend  auth.Backend
	TLS      *Certificate // nil: no TLS
	StartTLS bool         // offer it on the plain listeners
	// RequireTLS refuses passwords on a connection without TLS.
	RequireTLS bool
	External   string // field of a client's certificate that says who it is; empty: none

	MaxConnections int // in all; 0: no limit
	MaxPerAddress  int // from one address, an IPv6 network of 64 bits counting as one; 0: no limit
	MaxPerNetwork  int // from one network: 24 bits of IPv4, 56 of IPv6; 0: no limit

	LoginTimeout time.Duration // from the connection to the login; 0: a minute
	DrainTimeout time.Duration // for sessions to end by themselves; 0: 10 s
	Logger       *slog.Logger
}

// Server is the listeners and connections of a process.
type Server struct {
	config  Config
	buffers wire.Buffers

	refusing chan struct{} // a place for each connection that is being refused

	places *places

	retired chan struct{} // closed by Retire
	retire  sync.Once

	mu      sync.Mutex
	open    map[*wire.Conn]struct{}
	counts  Stats // of what no place counts: Logins, Failures, Unsecure
	drained bool
	done    sync.WaitGroup
}

// Stats is a Server's figures.
type Stats struct {
	Open      int   // connections
	Strangers int   // those that have not logged in
	Served    int64 // accepted since the start
	Refused   int64 // for a limit
	Displaced int64 // made way for another before they had logged in
	Logins    int64
	Failures  int64 // logins that were refused, or could not be judged
	Unsecure  int64 // TLS handshakes that failed
}

// New returns a Server.
func New(c Config) *Server {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.LoginTimeout == 0 {
		c.LoginTimeout = time.Minute
	}
	if c.DrainTimeout == 0 {
		c.DrainTimeout = 10 * time.Second
	}
	return &Server{
		config: c, refusing: make(chan struct{}, refusals), open: make(map[*wire.Conn]struct{}),
		retired: make(chan struct{}),
		places:  newPlaces(limits{all: c.MaxConnections, perAddress: c.MaxPerAddress, perNetwork: c.MaxPerNetwork}),
	}
}

// Stats is the figures of this moment.
func (s *Server) Stats() Stats {
	now := s.places.stats()
	s.mu.Lock()
	defer s.mu.Unlock()
	now.Logins, now.Failures, now.Unsecure = s.counts.Logins, s.counts.Failures, s.counts.Unsecure
	return now
}

// count changes the figures.
func (s *Server) count(f func(*Stats)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(&s.counts)
}

// secure is the TLS handshake of a connection.
func (s *Server) secure(ctx context.Context, conn net.Conn, limit time.Duration) (net.Conn, error) {
	secured, err := s.config.TLS.handshake(ctx, conn, limit)
	if err != nil {
		s.count(func(now *Stats) { now.Unsecure++ })
	}
	return secured, err
}

// Listener is a listening socket and how its connections begin.
type Listener struct {
	net.Listener
	ImplicitTLS bool // TLS from the first byte
}

// Serve accepts on all listeners until ctx ends, then drains: no more
// connections, BYE to the sessions, and after DrainTimeout an end to those that
// remain. It closes the listeners. The error is nil after a drain, else what
// stopped a listener. Retire has it accept no more before that.
func (s *Server) Serve(ctx context.Context, listeners ...Listener) error {
	for _, l := range listeners {
		if l.ImplicitTLS && s.config.TLS == nil {
			return errors.New("a TLS listener without a certificate")
		}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	sessions, kill := context.WithCancel(context.WithoutCancel(ctx))
	defer kill()
	listening, deaf := context.WithCancel(ctx)
	defer deaf()
	var accepting sync.WaitGroup
	for _, l := range listeners {
		accepting.Go(func() {
			if err := s.accept(listening, sessions, l); err != nil {
				cancel(fmt.Errorf("listening on %v: %w", l.Addr(), err))
			}
		})
	}
	select {
	case <-ctx.Done():
	case <-s.retired:
	}
	deaf()
	for _, l := range listeners {
		l.Close()
	}
	accepting.Wait()
	s.outlast(ctx)
	s.drain(kill)
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// accept takes connections until the listener is closed or breaks. Errors that
// pass (no descriptors left, a client that is gone already) are waited out.
func (s *Server) accept(ctx, sessions context.Context, l Listener) error {
	pause := time.Duration(0)
	for {
		conn, err := l.Accept()
		switch {
		case err == nil: // the last one, too, that came while this ended: nobody else has it
			pause = 0
			s.admit(sessions, conn, l.ImplicitTLS)
		case ctx.Err() != nil:
			return nil
		case !passes(err):
			return err
		default:
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			s.config.Logger.Warn("accept failed; trying again", "err", err, "pause", pause)
			select {
			case <-time.After(pause):
			case <-ctx.Done():
			}
		}
	}
}

// admit starts a connection's goroutine, if the limits let it in.
func (s *Server) admit(ctx context.Context, conn net.Conn, implicit bool) {
	keepAlive(conn)
	remote := addrPort(conn.RemoteAddr())
	eviction := &eviction{conn: conn}
	in, full := s.places.enter(remote.Addr(), eviction.begin)
	if full != "" {
		s.config.Logger.Warn("connection refused", "ip", remote.Addr(), "reason", full)
		s.refuse(ctx, conn, implicit, full)
		return
	}
	s.done.Go(func() {
		defer s.places.leave(in)
		s.connection(ctx, conn, arrival{remote: remote, implicit: implicit, place: in, eviction: eviction})
	})
}

// arrival is what is known of a connection when it is let in.
type arrival struct {
	remote   netip.AddrPort
	implicit bool // TLS from the first byte
	place    *place
	eviction *eviction
}

// connection is the life of one. What comes before the session is done by functions that
// return, since the stack of a goroutine that waits costs more than anything else that a
// quiet session holds: the frames below it are to be small.
func (s *Server) connection(ctx context.Context, conn net.Conn, a arrival) {
	defer s.survive(conn, &a)
	c := s.begin(ctx, conn, &a)
	if c == nil {
		return
	}
	defer c.Close()
	defer s.unregister(c)
	result := s.login(ctx, c, &a)
	if result == nil {
		return
	}
	if err := s.config.Handover.Session(ctx, c, result, a.remote); err != nil {
		s.logger(&a).Warn("session failed", "user", result.Identity.Login, "err", err)
	}
}

// survive is deferred: a panic ends one connection.
func (s *Server) survive(conn net.Conn, a *arrival) {
	if p := recover(); p != nil {
		s.logger(a).Error("a defect ended the connection", "panic", p)
		conn.Close()
	}
}

func (s *Server) logger(a *arrival) *slog.Logger {
	return s.config.Logger.With("ip", a.remote.Addr().String(), "port", a.remote.Port())
}

// begin begins the conversation, which is registered then; nil: it is over already.
func (s *Server) begin(ctx context.Context, conn net.Conn, a *arrival) *wire.Conn {
	if a.implicit {
		secured, err := s.secure(ctx, wire.Records(conn), s.config.LoginTimeout)
		if err != nil {
			s.logger(a).Info("TLS handshake failed", "err", err)
			conn.Close()
			return nil
		}
		conn = secured
	}
	c := wire.NewConn(conn, &s.buffers)
	if !s.register(c) {
		c.WriteString("* BYE The server is shutting down\r\n")
		c.Flush()
		c.Close()
		return nil
	}
	a.eviction.speak(c)
	return c
}

// login has the client say who it is; nil: it did not, or there is no place for it.
func (s *Server) login(ctx context.Context, c *wire.Conn, a *arrival) *login.Result {
	began, logger := time.Now(), s.logger(a)
	result, err := login.Run(ctx, c, s.loginConfig(ctx, a.remote, a.implicit, logger))
	if err != nil {
		login.LogEnd(context.WithoutCancel(ctx), logger, c, began, err)
		return nil
	}
	if !s.places.settle(a.place) {
		c.Write(append(makeWay().AppendText([]byte("* ")), "\r\n"...))
		c.Flush()
		return nil
	}
	s.count(func(now *Stats) { now.Logins++ })
	return result
}

func (s *Server) loginConfig(ctx context.Context, remote netip.AddrPort, implicit bool, logger *slog.Logger) login.Config {
	c := login.Config{
		Backend:      s.config.Backend,
		TLS:          implicit,
		RequireTLS:   s.config.RequireTLS,
		Service:      "imap",
		Remote:       remote,
		Capabilities: s.config.Handover.Capabilities(),
		Subject:      subject,
		External:     s.config.External,
		Timeout:      s.config.LoginTimeout,
		Failed:       func() { s.count(func(now *Stats) { now.Failures++ }) },
		Logger:       logger,
	}
	if s.config.TLS != nil && s.config.TLS.bind {
		c.Bindings = bindings
	}
	if s.config.TLS != nil && s.config.StartTLS && !implicit {
		c.StartTLS = func(conn net.Conn) (net.Conn, error) {
			return s.secure(ctx, conn, s.config.LoginTimeout)
		}
	}
	return c
}
