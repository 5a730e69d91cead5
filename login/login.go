package login

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"time"

	"postrider/auth"
	"postrider/imap"
	"postrider/sasl"
	"postrider/wire"
)

// ErrEnded says that the connection ended without a login; what was to be said
// was said.
var ErrEnded = errors.New("the connection ended before a login")

// Config is what a login needs. It is not changed.
type Config struct {
	Backend      auth.Backend
	StartTLS     func(net.Conn) (net.Conn, error) // the whole handshake; nil: STARTTLS is not offered
	TLS          bool                             // the connection is protected already
	RequireTLS   bool                             // no password without TLS
	Service      string                           // "" is "imap"
	Remote       netip.AddrPort                   // the client
	Greeting     string                           // text after "* OK [CAPABILITY ...]"; "" has a default
	Capabilities []string                         // words that a session will announce
	ServerID     [][2]string                      // the answer to ID; nil: NIL
	Timeout      time.Duration                    // of the whole login; 0 is 60 s
	// Subject is the fields of the client's certificate, by name, if there is one that
	// was verified; nil: certificates are not asked for.
	Subject func(net.Conn) map[string]string
	// External is the name of the field of it that says who the client is (EXTERNAL);
	// empty: none does.
	External string
	// Bindings are what an authentication can be tied to the connection with; nil: that
	// is not offered.
	Bindings    func(net.Conn) sasl.Bindings
	FailDelay   time.Duration // after a failure, doubled with each, at most 8 s; 0 is 1 s
	MaxFailures int           // 0 is 10
	Failed      func()        // called for each login that fails; nil: nobody counts
	Logger      *slog.Logger  // nil: none
}

// Result is a login that succeeded. Its command has no tagged answer yet.
type Result struct {
	Identity *auth.Identity
	Tag      string // of the command
	Method   string // "LOGIN", or a mechanism's name
	TLS      bool
	Subject  map[string]string // of the client's certificate, as Config.Subject has it
}

const (
	// budget is the octets of one command before the login.
	budget = 64 << 10

	maxBad   = 10
	maxDelay = 8 * time.Second

	// grace is what a client that reads too slowly for its BYE gets before the
	// connection is cut.
	grace = 5 * time.Second

	// maxLogged bounds what a client says and a log repeats, in bytes.
	maxLogged = 1 << 10

	interruptText = "The login took too long, or the server is shutting down"
)

// Run greets the client and answers it until it has logged in. Its error wraps
// ErrEnded; the caller then closes the connection.
func Run(ctx context.Context, c *wire.Conn, cfg Config) (*Result, error) {
	a := newAttempt(cfg)
	a.conn = c
	// The whole login has one time, however the client spreads its bytes.
	limited, cancel := context.WithTimeout(ctx, a.cfg.Timeout)
	defer cancel()
	// A client that takes a byte now and then keeps a write alive, and a handshake
	// has a time of its own; so in the end the stream below is closed.
	stream := c.NetConn()
	cut := time.AfterFunc(a.cfg.Timeout+grace, func() { stream.Close() })
	defer cut.Stop()
	a.greet(c)
	end, err := wire.Serve(limited, c, table(), a, wire.Options{
		Logger: a.log, Budget: budget, MaxBad: maxBad,
		IdleTimeout: 2 * a.cfg.Timeout, ReadTimeout: 2 * a.cfg.Timeout, // limited ends first
		TimeoutText: interruptText, InterruptText: interruptText,
	})
	if end == wire.EndLeft && err == nil && a.result != nil {
		if a.cfg.Subject != nil {
			a.result.Subject = a.cfg.Subject(c.NetConn())
		}
		return a.result, nil
	}
	return nil, &Ended{How: end, TLS: a.tls, Err: err}
}

// attempt is the state of one login.
type attempt struct {
	cfg      Config
	log      *slog.Logger
	tls      bool
	failures int
	delay    time.Duration
	named    bool // the client's ID is logged
	conn     *wire.Conn
	peer     *auth.Request // what TLS proved of the client; nil: not looked at
	result   *Result
}

func newAttempt(cfg Config) *attempt {
	if cfg.Service == "" {
		cfg.Service = "imap"
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = time.Minute
	}
	if cfg.FailDelay == 0 {
		cfg.FailDelay = time.Second
	}
	if cfg.MaxFailures == 0 {
		cfg.MaxFailures = 10
	}
	if cfg.Greeting == "" {
		cfg.Greeting = "Postrider ready."
	}
	if cfg.Failed == nil {
		cfg.Failed = func() {}
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &attempt{cfg: cfg, log: cfg.Logger, tls: cfg.TLS, delay: cfg.FailDelay}
}

func (a *attempt) greet(c *wire.Conn) {
	caps := imap.Code("CAPABILITY " + strings.Join(a.capabilities(), " "))
	b := append(c.AvailableBuffer(), "* "...)
	c.Write(append(imap.OK(caps, a.cfg.Greeting).AppendText(b), "\r\n"...))
}

// clearAllowed reports whether a password may cross the wire as it is.
func (a *attempt) clearAllowed() bool { return a.tls || !a.cfg.RequireTLS }

// capabilities are the words of this moment: what the session will have, and the
// ways to log in.
func (a *attempt) capabilities() []string {
	words := append([]string{imap.CapIMAP4rev1}, a.cfg.Capabilities...)
	words = append(words, imap.CapSASLIR)
	if !a.tls && a.cfg.StartTLS != nil {
		words = append(words, imap.CapStartTLS)
	}
	for _, m := range a.mechanisms() {
		words = append(words, imap.CapAuthPrefix+m.Name)
	}
	if !a.clearAllowed() {
		words = append(words, imap.CapLoginDisabled)
	}
	return unique(words)
}

func unique(words []string) []string {
	seen := map[string]bool{}
	out := words[:0]
	for _, w := range words {
		if !seen[w] {
			seen[w] = true
			out = append(out, w)
		}
	}
	return out
}

// mechanisms are those that are offered now.
func (a *attempt) mechanisms() []auth.Mechanism {
	var out []auth.Mechanism
	for _, m := range auth.MechanismsFor(a.cfg.Backend, a.request("")) {
		if !m.Clear || a.clearAllowed() {
			out = append(out, m)
		}
	}
	return out
}

func (a *attempt) request(login string) auth.Request {
	r := auth.Request{Login: login, Service: a.cfg.Service, Remote: a.cfg.Remote, TLS: a.tls}
	if a.tls && a.conn != nil {
		if a.peer == nil {
			a.peer = a.proved(a.conn.NetConn())
		}
		r.External, r.Bindings = a.peer.External, a.peer.Bindings
	}
	return r
}

// proved is what TLS has proved of the client.
func (a *attempt) proved(conn net.Conn) *auth.Request {
	var r auth.Request
	if a.cfg.External != "" && a.cfg.Subject != nil {
		r.External = a.cfg.Subject(conn)[strings.ToUpper(a.cfg.External)]
	}
	if a.cfg.Bindings != nil {
		r.Bindings = a.cfg.Bindings(conn)
	}
	return &r
}

// State is always the first: a login ends the conversation.
func (a *attempt) State() wire.State { return wire.NotAuthenticated }

// Finish has nothing to tell.
func (a *attempt) Finish(context.Context, *wire.Command) error { return nil }

// Status knows what the accounts say.
func (a *attempt) Status(err error) *imap.Status { return status(err) }
