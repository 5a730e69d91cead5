package account

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"postrider/mailbox"
	"postrider/maildir"
	"postrider/vfs"
	"postrider/watch"
)

// The errors of this package, for errors.Is. A bad name wraps mail.ErrBadName.
var (
	ErrNoMailbox   = errors.New("no such mailbox")
	ErrExists      = errors.New("mailbox exists")
	ErrHasChildren = errors.New("there are mailboxes below it")
	ErrIsInbox     = errors.New("not possible with the inbox")
	ErrClosed      = errors.New("account is closed")
	ErrRemoved     = errors.New("the account's directory was removed or moved away")
)

// Watcher gives hints: package watch.
type Watcher interface {
	// Watch has fn called for each event in the directory at path, until the
	// Watch is closed.
	Watch(path string, fn func(watch.Event)) (watch.Watch, error)
	// WatchFile is Watch for a file: fn is called when somebody wrote to it.
	WatchFile(path string, fn func(watch.Event)) (watch.Watch, error)
	// Drained reports whether every event that the kernel had queued before
	// the call was delivered.
	Drained() bool
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
	Boot       string                             // names this life of the machine; "": not known
	Poll       time.Duration                      // where there is no watch; 0: a minute
	LockWait   time.Duration                      // for other processes to let go of a mailbox; 0: 30 s
	Linger     time.Duration                      // how long an unused mailbox stays open; 0: not at all
	QuietAfter time.Duration                      // when what nobody uses gives its descriptors back; 0: 15 s
	Courier    Courier                            // how the files that Courier left are kept
	Now        func() time.Time                   // nil: time.Now
	Logger     *slog.Logger                       // nil: none
}

// House owns the open accounts of a process.
type House struct {
	c       HouseConfig
	fsyncs  chan struct{}
	lookers chan struct{} // who looks at directories after events were lost
	counts  mailbox.Counts

	compactor mailbox.Compactor
	purges    purges

	mu       sync.Mutex
	accounts map[dirKey]*shared
	closed   bool
}

type dirKey struct{ dev, ino uint64 }

func keyOf(d vfs.Dir) dirKey {
	dev, ino := d.Key()
	return dirKey{dev, ino}
}

// NewHouse returns a House without accounts.
func NewHouse(c HouseConfig) *House {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.QuietAfter <= 0 {
		c.QuietAfter = quietAfter
	}
	if c.Fsyncs == 0 {
		c.Fsyncs = 8
	}
	return &House{c: c, fsyncs: make(chan struct{}, c.Fsyncs), lookers: make(chan struct{}, lookers), accounts: make(map[dirKey]*shared)}
}

// lookers is how many mailboxes are looked at at once after events were lost.
const lookers = 4

// Config is what one account is opened with.
type Config struct {
	Root     string            // path of the Maildir; made if it is not there
	Style    Style             // zero: PlainStyle
	Encoding *maildir.Encoding // nil: maildir.DetectEncoding

	// DovecotControl is where Dovecot had the account's files, if not in the
	// Maildir (CONTROL= in its settings).
	DovecotControl string
}

// Stats are a House's figures: what is open, and what all its mailboxes did since the
// start, those included that are closed.
type Stats struct {
	Accounts, Mailboxes int
	mailbox.Stats
}

// Stats returns the figures of this moment.
func (h *House) Stats() Stats {
	h.mu.Lock()
	all := slices.Collect(maps.Values(h.accounts))
	h.mu.Unlock()
	s := Stats{Accounts: len(all), Stats: h.counts.Stats()}
	for _, a := range all {
		a.mu.Lock()
		s.Mailboxes += len(a.open)
		a.mu.Unlock()
	}
	return s
}

// Open opens an account; the same Root is opened once and counted. The style is
// the caller's own, but the spelling of directories (Encoding, and whether the
// delimiter is a dot) is the first one's.
func (h *House) Open(ctx context.Context, c Config) (*Account, error) {
	if c.Style == (Style{}) {
		c.Style = PlainStyle()
	}
	a, err := h.enter(c)
	if err != nil {
		return nil, fmt.Errorf("open account: %w", err)
	}
	if err := a.prepare(ctx, c); err != nil {
		return nil, fmt.Errorf("open account %s: %w", c.Root, errors.Join(err, a.leave()))
	}
	return &Account{s: a, style: c.Style}, nil
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
