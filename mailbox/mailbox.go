package mailbox

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"postrider/index"
	"postrider/vfs"
)

// indexDir is the name of the directory of a folder that holds the index files.
const indexDir = "postrider"

// Mailbox is one mailbox's live state. All methods may be called from any
// goroutine.
type Mailbox struct {
	c      Config
	folder Folder
	log    *slog.Logger
	now    func() time.Time
	dev    uint64
	ino    uint64

	// lock is held by whoever makes the next snapshot; it guards the fields below
	// it. A channel, so that who waits can give up.
	lock     chan struct{}
	dir      vfs.Dir // of the index files
	journal  *index.Journal
	infos    *infos
	names    *nameTable
	epoch    uint64 // counts the journal files that this process had open
	times    index.Times
	doubtful bool
	closed   bool

	snap  atomic.Pointer[Snapshot]
	cache atomic.Pointer[index.Cache]
	gone  atomic.Bool
	group group

	// syncing is the journal to sync, for who does not hold the lock.
	syncing atomic.Pointer[syncing]

	hintMu   sync.Mutex
	hints    []Hint // not yet looked at
	overflow bool   // look at everything
	settling bool   // a goroutine is looking at the hints

	notifyMu  sync.Mutex
	listeners map[int]func()
	nextID    int
}

// syncing is a journal with its epoch.
type syncing struct {
	epoch   uint64
	journal *index.Journal
}

// Open opens the mailbox of a folder and brings it up to date.
func Open(ctx context.Context, c Config) (*Mailbox, error) {
	m := &Mailbox{c: c, folder: c.Folder, log: c.Logger, now: c.Now, lock: make(chan struct{}, 1), listeners: map[int]func(){}}
	if m.log == nil {
		m.log = slog.New(slog.DiscardHandler)
	}
	if m.now == nil {
		m.now = time.Now
	}
	m.dev, m.ino = c.Folder.Dir().Key()
	unlock, err := c.Folder.Dir().Lock(ctx)
	if err != nil {
		return nil, fmt.Errorf("locking the mailbox: %w", err)
	}
	defer unlock()
	if m.dir, err = openIndexDir(c.Folder.Dir()); err != nil {
		return nil, fmt.Errorf("opening the mailbox's index: %w", err)
	}
	err = m.load()
	if err == nil {
		err = m.reconcileFull(ctx)
	}
	if err != nil {
		m.shut()
		return nil, err
	}
	return m, nil
}

func openIndexDir(folder vfs.Dir) (vfs.Dir, error) {
	d, err := folder.OpenDir(indexDir)
	if !errors.Is(err, fs.ErrNotExist) {
		return d, err
	}
	if err := folder.Mkdir(indexDir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	if err := folder.Sync(); err != nil {
		return nil, err
	}
	return folder.OpenDir(indexDir)
}

// ID names the mailbox's directory on this machine: the order of locks.
func (m *Mailbox) ID() (dev, ino uint64) { return m.dev, m.ino }

// Snapshot returns the newest published snapshot. It does no I/O.
func (m *Mailbox) Snapshot() *Snapshot { return m.snap.Load() }

// Gone reports whether the mailbox's directory was removed.
func (m *Mailbox) Gone() bool { return m.gone.Load() }

// SetGone says that the mailbox was deleted: who listens is woken, and every
// later call that needs the folder returns ErrGone.
func (m *Mailbox) SetGone() {
	m.gone.Store(true)
	m.wake()
}

// Notify has fn called after each publish, from any goroutine, until stop is
// called; fn must be quick and not call the mailbox. After stop returned, fn is
// not called again. While somebody listens, hints are acted on at once.
func (m *Mailbox) Notify(fn func()) (stop func()) {
	m.notifyMu.Lock()
	defer m.notifyMu.Unlock()
	id := m.nextID
	m.nextID++
	m.listeners[id] = fn
	return func() {
		m.notifyMu.Lock()
		defer m.notifyMu.Unlock()
		delete(m.listeners, id)
	}
}

func (m *Mailbox) wake() {
	m.notifyMu.Lock()
	defer m.notifyMu.Unlock()
	for _, fn := range m.listeners {
		fn()
	}
}

func (m *Mailbox) isWatched() bool {
	m.notifyMu.Lock()
	defer m.notifyMu.Unlock()
	return len(m.listeners) > 0
}

// take takes the lock of this process.
func (m *Mailbox) take(ctx context.Context) error {
	select {
	case m.lock <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	switch {
	case m.closed:
		<-m.lock
		return ErrClosed
	case m.gone.Load():
		<-m.lock
		return ErrGone
	}
	return nil
}

// change runs f with both locks held and the state caught up with what other
// processes wrote. A panic marks the state doubtful: the next call loads it anew.
func (m *Mailbox) change(ctx context.Context, f func() error) error {
	if err := m.take(ctx); err != nil {
		return err
	}
	defer func() { <-m.lock }()
	return m.locked(ctx, f)
}

// locked does the work of change for who holds the lock of this process.
func (m *Mailbox) locked(ctx context.Context, f func() error) error {
	unlock, err := m.folder.Dir().Lock(ctx)
	if err != nil {
		return fmt.Errorf("locking the mailbox: %w", err)
	}
	defer unlock()
	whole := false
	defer func() { m.doubtful = m.doubtful || !whole }()
	if m.doubtful {
		if err := m.reload(); err != nil {
			whole = true
			return errors.Join(ErrDoubtful, err)
		}
	}
	err = m.readTail()
	if err == nil {
		err = f()
	}
	whole = true
	return err
}

// Close ends the mailbox: what is pending is written, files are closed.
func (m *Mailbox) Close() error {
	m.lock <- struct{}{}
	defer func() { <-m.lock }()
	if m.closed {
		return nil
	}
	m.closed = true
	var err error
	if !m.gone.Load() && !m.doubtful {
		err = m.checkpoint(context.Background())
	}
	return errors.Join(err, m.shut())
}

func (m *Mailbox) shut() error {
	var errs []error
	if m.journal != nil {
		errs = append(errs, m.journal.Close())
	}
	if c := m.cache.Load(); c != nil {
		errs = append(errs, c.Close())
	}
	errs = append(errs, m.dir.Close())
	return errors.Join(errs...)
}
