package account

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"sync"
	"time"

	"postrider/mail"
	"postrider/maildir"
	"postrider/vfs"
)

// The errors of this package, for errors.Is. A bad name wraps mail.ErrBadName.
var (
	ErrNoMailbox   = errors.New("no such mailbox")
	ErrExists      = errors.New("mailbox exists")
	ErrHasChildren = errors.New("there are mailboxes below it")
	ErrIsInbox     = errors.New("not possible with the inbox")
	ErrClosed      = errors.New("account is closed")
)

// Ledger is the account's memory of what its directories cannot say; the
// account file of package index. Its methods may be called at any time.
type Ledger interface {
	// NextValidity returns a UIDVALIDITY above every one it returned before,
	// durably.
	NextValidity() (mail.UIDValidity, error)
	// Floor returns the UIDNEXT and mod-sequence that a mailbox may not fall
	// below.
	Floor(mail.Name) (mail.UID, mail.ModSeq, error)
	// SpecialUse returns the attributes that were set, by mailbox.
	SpecialUse() (map[mail.Name][]string, error)
	// SetSpecialUse sets the attributes of a mailbox; none removes them.
	SetSpecialUse(n mail.Name, uses []string) error
	// Renamed moves what is known of a mailbox to another name; to "" forgets
	// it, but for what keeps UIDs from coming back.
	Renamed(from, to mail.Name) error
	Close() error
}

// Watcher gives hints; package watch behind a small adapter.
type Watcher interface {
	// Watch has fn called for each event in the directory, from one goroutine.
	// path may be /proc/self/fd/N.
	Watch(path string, fn func(Event)) (Watch, error)
	// Drained reports whether every event that the kernel had queued before
	// the call was delivered.
	Drained() bool
}

// Watch is one watched directory.
type Watch interface {
	// Pushed is false if the directory is only polled.
	Pushed() bool
	Close()
}

// EventKind says what was seen in a directory.
type EventKind uint8

// The kinds of events.
const (
	Came     EventKind = iota // Name appeared
	Went                      // Name is gone
	Renamed                   // OldName of directory OldDir became Name
	Overflow                  // events were lost, or the directory is polled
	Gone                      // the directory itself is gone
)

// Event is something seen in a directory.
type Event struct {
	Kind    EventKind
	Name    string
	OldName string
	OldDir  Watch // Renamed: the watch of the directory it came from
}

// HouseConfig is what all accounts of a process share.
type HouseConfig struct {
	FS         vfs.FS
	Unique     *maildir.Unique                    // required
	Watcher    Watcher                            // nil: no hints
	OpenLedger func(root vfs.Dir) (Ledger, error) // nil: kept in memory only
	FileMode   fs.FileMode                        // of messages; 0: 0666 less the umask
	Fsync      bool                               // false trades durability away
	Fsyncs     int                                // at once, over all mailboxes; 0: 8
	Poll       time.Duration                      // where there is no watch; 0: a minute
	Linger     time.Duration                      // how long an unused mailbox stays open; 0: not at all
	Now        func() time.Time                   // nil: time.Now
	Logger     *slog.Logger                       // nil: none
}

// House owns the open accounts of a process.
type House struct {
	c      HouseConfig
	fsyncs chan struct{}

	mu       sync.Mutex
	accounts map[dirKey]*shared
	closed   bool
}

type dirKey struct{ dev, ino uint64 }

// NewHouse returns a House without accounts.
func NewHouse(c HouseConfig) *House {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Fsyncs == 0 {
		c.Fsyncs = 8
	}
	return &House{c: c, fsyncs: make(chan struct{}, c.Fsyncs), accounts: make(map[dirKey]*shared)}
}

// Config is what one account is opened with.
type Config struct {
	Root     string            // path of the Maildir; made if it is not there
	Style    Style             // zero: PlainStyle
	Encoding *maildir.Encoding // nil: maildir.DetectEncoding
}

// Stats are counts of what is open.
type Stats struct{ Accounts, Mailboxes int }

// Stats counts what is open.
func (h *House) Stats() Stats {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := Stats{Accounts: len(h.accounts)}
	for _, a := range h.accounts {
		a.mu.Lock()
		s.Mailboxes += len(a.open)
		a.mu.Unlock()
	}
	return s
}

// Open opens an account; the same Root is opened once and counted. The style is
// the caller's own, so two sessions may see one account in two styles.
func (h *House) Open(ctx context.Context, c Config) (*Account, error) {
	if c.Style == (Style{}) {
		c.Style = PlainStyle()
	}
	s, err := h.shared(c)
	if err != nil {
		return nil, err
	}
	return &Account{s: s, style: c.Style}, nil
}

// Close closes every account and mailbox, used or not.
func (h *House) Close() error {
	h.mu.Lock()
	h.closed = true
	all := h.accounts
	h.accounts = make(map[dirKey]*shared)
	h.mu.Unlock()
	var errs []error
	for _, a := range all {
		errs = append(errs, a.close())
	}
	return errors.Join(errs...)
}
