package session

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"time"

	"postrider/account"
	"postrider/imap"
	"postrider/mail"
	"postrider/mailbox"
	"postrider/wire"
)

// Config is what a session is started with.
type Config struct {
	Account *account.Account // closed by its owner, after Run
	Conn    *wire.Conn
	User    string // for logs

	// FirstTag is the tag of the command that logged in, which Run answers;
	// FirstText is the answer's text. Without a tag Run greets with PREAUTH.
	FirstTag, FirstText string

	Trash        *Trash  // where expunged messages go; nil: they are removed
	Outbox       *Outbox // the folder that sends; nil: none
	LogDeletions bool    // the file of each message that is expunged
	NoSort       bool    // SORT and THREAD are refused

	Hidden   []string    // capability words that are not announced
	ServerID [][2]string // the answer to ID; none: NIL

	AppendLimit  int64         // octets of a message; 0: 100 MiB
	Budget       int           // octets of a command without its message; 0: 1 MiB
	MaxBad       int           // bad commands in a row; 0: 100
	IdleTimeout  time.Duration // without a command, and of one IDLE; 0: 31 minutes
	ReadTimeout  time.Duration // without a byte inside a command; 0: 5 minutes
	KeepAlive    time.Duration // between signs of life in IDLE; 0: 2 minutes
	Poll         time.Duration // how often IDLE looks where nobody watches the mailbox for it; 0: a minute
	EnhancedIdle bool          // changes are told at once, or after seconds, as Courier's word has it
	Workers      int           // messages read at once for one FETCH; 0: the cores

	Logger *slog.Logger // nil: none
}

// Stats counts what a session sent of messages.
type Stats struct {
	HeaderBytes, BodyBytes int64
	Ending                 wire.Ending
}

// Session is one conversation after the password. It belongs to one goroutine.
type Session struct {
	Config
	caps  []string
	sel   *selected // nil: no mailbox is selected
	stats Stats
}

// Capabilities are the words that a session of this configuration announces.
func (c *Config) Capabilities() []string {
	words := commands.Capabilities(c.Hidden)
	if c.NoSort {
		words = slices.DeleteFunc(words, func(w string) bool { return w == "SORT" || strings.HasPrefix(w, "THREAD=") })
	}
	if c.Outbox != nil {
		words = append(words, "XCOURIEROUTBOX="+c.Outbox.Wire)
	}
	if c.Trash != nil {
		words = append(words, "XMAGICTRASH")
	}
	return words
}

// Run runs the session until it ends. It does not close the connection.
func Run(ctx context.Context, c Config) (Stats, error) { return New(&c).Run(ctx) }

// New returns a session that is to be run once. Who runs many that are quiet keeps no Config
// on the stack below.
func New(c *Config) *Session {
	s := &Session{Config: c.withDefaults()}
	s.caps = c.Capabilities()
	return s
}

// Run runs the session until it ends.
func (s *Session) Run(ctx context.Context) (Stats, error) {
	defer s.deselect()
	s.greet()
	end, err := wire.Serve(ctx, s.Conn, commands, s, wire.Options{
		Logger: s.Logger, Budget: s.Budget, MaxBad: s.MaxBad,
		IdleTimeout: s.IdleTimeout, ReadTimeout: s.ReadTimeout,
		TimeoutText: "Disconnected for inactivity", InterruptText: "The server is shutting down",
	})
	s.stats.Ending = end
	return s.stats, err
}

func (c Config) withDefaults() Config {
	if c.AppendLimit == 0 {
		c.AppendLimit = 100 << 20
	}
	if c.Budget == 0 {
		c.Budget = 1 << 20
	}
	if c.MaxBad == 0 {
		c.MaxBad = 100
	}
	if c.IdleTimeout == 0 {
		c.IdleTimeout = 31 * time.Minute
	}
	if c.ReadTimeout == 0 {
		c.ReadTimeout = 5 * time.Minute
	}
	if c.KeepAlive == 0 {
		c.KeepAlive = 2 * time.Minute
	}
	if c.Poll == 0 {
		c.Poll = time.Minute
	}
	if c.FirstText == "" {
		c.FirstText = "LOGIN Ok."
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// greet answers the login, or greets who needs none.
func (s *Session) greet() {
	st := imap.OK(s.capabilityCode(), s.FirstText)
	b := append(s.Conn.AvailableBuffer(), s.FirstTag...)
	if s.FirstTag == "" {
		st = &imap.Status{Kind: imap.KindPreauth, Code: st.Code, Text: "Ready."}
		b = append(b, '*')
	}
	s.Conn.Write(append(st.AppendText(append(b, ' ')), "\r\n"...))
}

// State implements wire.Session.
func (s *Session) State() wire.State {
	if s.sel != nil {
		return wire.Selected
	}
	return wire.Authenticated
}

// Finish implements wire.Session: the view moves, and the client is told how.
func (s *Session) Finish(ctx context.Context, c *wire.Command) error {
	if s.sel == nil {
		return nil
	}
	_, err := s.sync(ctx, syncing{expunge: !c.NoExpunge, uid: c.UID()})
	return err
}

// selected is the mailbox that a session has selected, and what the client was
// told of it.
type selected struct {
	*account.Handle
	name     mail.Name
	view     *mailbox.View
	readOnly bool
	copied   map[mail.UID]struct{} // by this session, where the trash asks for it
}
