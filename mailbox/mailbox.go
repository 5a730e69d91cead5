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
	"postrider/mail"
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
	shape  shape

	// lock is held by whoever makes the next snapshot; it guards the fields below
	// it. A channel, so that who waits can give up.
	lock      chan struct{}
	dir       vfs.Dir        // of the index files
	left      []vfs.Dir      // what dir was before somebody put another in its place
	journal   *index.Journal // replaced only with sync.run held, too
	infos     *infos
	names     *nameTable
	backing   *backing  // the snapshot file in use, nil: none
	inserted  int       // counts the messages that came out of order
	scattered int       // chunks of the snapshot file that were changed since
	removed   bool      // messages have gone since the cache was looked at
	rested    time.Time // when the compactor may come again
	parted    uint64    // the snapshot with which part was here last; 0: more happened since
	sleepy    bool      // the snapshot file is to be written, so that more memory can be given back
	side      side
	reg       registerState
	epoch     uint64 // counts the journal files that this process had open
	serial    uint64 // counts the snapshots
	snapped   int64  // where in the journal the snapshot file stands
	dirs      [2]dirState
	own       [2]bool // we changed the directory since the lock was taken
	full      bool    // both directories must be read
	unclaimed bool    // the journal does not know of every claim of \Recent
	past      *Past   // what the next reading takes over; nil: nothing
	pastLost  bool    // there was a journal, and nothing is left of it
	unproven  bool    // the journal was not yet compared with the directories
	unnoted   bool    // the account could not be told of the numbers
	loading   bool    // what is applied was written before this process looked
	twins     map[string][]mail.MessageFile
	again     *time.Timer // nil: lookAgain was never called
	closed    bool

	snap     atomic.Pointer[Snapshot]
	cache    atomic.Pointer[index.Cache]
	gone     atomic.Bool
	readOnly atomic.Bool // the journal takes no batches
	doubtful atomic.Bool // nothing about the state is sure
	outdated atomic.Bool // another snapshot file took the place of the one in use while that rested
	sync     syncer
	hints    hintQueue
	memo     memo
	settlers sync.WaitGroup

	compacting compacting
	rest       rest

	notifyMu  sync.Mutex
	listeners map[int]func()
	nextID    int
}

// Open opens the mailbox of a folder and brings it up to date.
func Open(ctx context.Context, c Config) (*Mailbox, error) {
	m := &Mailbox{c: c, folder: c.Folder, log: c.Logger, now: c.Now, lock: make(chan struct{}, 1), twins: map[string][]mail.MessageFile{}, listeners: map[int]func(){}}
	if m.log == nil {
		m.log = slog.New(slog.DiscardHandler)
	}
	m.log = m.log.With("folder", c.Folder.Dir().Path())
	if m.now == nil {
		m.now = time.Now
	}
	if m.c.Poll <= 0 {
		m.c.Poll = time.Minute
	}
	if m.c.LockWait <= 0 {
		m.c.LockWait = 30 * time.Second
	}
	if m.c.QuietAfter <= 0 {
		m.c.QuietAfter = quietAfter
	}
	if m.c.Counts == nil {
		m.c.Counts = new(Counts)
	}
	m.dev, m.ino = c.Folder.Dir().Key()
	if m.shape = c.shape; m.shape == (shape{}) {
		m.shape = usual()
	}
	unlock, err := m.lockFolder(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	m.lock <- struct{}{} // timers begin while it is opened
	defer func() { <-m.lock }()
	c.Folder.OnWake(m.stir)
	if m.dir, err = m.openIndexDir(); err != nil {
		return nil, fmt.Errorf("opening the mailbox's index: %w", err)
	}
	err = m.load(true)
	if err == nil {
		m.full = m.full || len(m.intents()) > 0
		m.believe(m.side.times)
		err = m.readStale(ctx)
		m.unproven = false
	}
	if err == nil {
		err = m.meetRegister(ctx)
	}
	if err != nil && (m.past != nil || !bearable(err)) {
		m.closed = true
		m.shut()
		return nil, err
	}
	return m, nil
}

// openIndexDir opens the directory of the index files, which can rest.
func (m *Mailbox) openIndexDir() (vfs.Dir, error) {
	folder := m.folder.Dir()
	d, err := openIndexDir(folder)
	if err != nil {
		return nil, err
	}
	return vfs.NewSleeper(d, func() (vfs.Dir, error) { return folder.OpenDir(indexDir) }, m.stir), nil
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

// ReadOnly reports whether nothing can be written: the file system is read only, the
// files are not ours, or a newer version wrote them.
func (m *Mailbox) ReadOnly() bool { return m.readOnly.Load() }

// SetGone says that the mailbox was deleted: who listens is woken, and every
// later call that needs the folder returns ErrGone.
func (m *Mailbox) SetGone() {
	m.gone.Store(true)
	m.wake()
}

// Notify has fn called after each publish of what clients see, from any goroutine, until stop is
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

func (m *Mailbox) hasListeners() bool {
	m.notifyMu.Lock()
	defer m.notifyMu.Unlock()
	return len(m.listeners) > 0
}

// take takes the lock of this process.
func (m *Mailbox) take(ctx context.Context) error {
	late := time.NewTimer(m.c.LockWait)
	defer late.Stop()
	select {
	case m.lock <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	case <-late.C:
		m.c.Counts.lockTimeouts.Add(1)
		return fmt.Errorf("waiting for another session: %w", ErrInUse)
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
	if m.hints.takeGone() && m.departed() {
		return ErrGone
	}
	err := m.lockedHere(ctx, f)
	if errors.Is(err, fs.ErrNotExist) && m.departed() {
		return ErrGone
	}
	return err
}

// lockedHere is locked for a folder that is there.
func (m *Mailbox) lockedHere(ctx context.Context, f func() error) (err error) {
	unlock, err := m.lockFolder(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	whole := false
	defer func() {
		if !whole {
			m.doubtful.Store(true)
		}
		if lost, ok := recovered(recover()); ok {
			err = lost
		}
	}()
	err = m.catchUp(ctx)
	if err == nil {
		err = f()
	}
	m.noteOwnChanges()
	if err == nil {
		m.askCompactor()
	}
	whole = true
	return err
}

// catchUp takes in what other processes wrote and what hints tell.
func (m *Mailbox) catchUp(ctx context.Context) error {
	if m.indexDirReplaced() {
		m.full = true
		if err := m.renewIndex(); err != nil {
			return err
		}
	}
	if m.doubtful.Load() {
		if err := m.recover(ctx); err != nil {
			return errors.Join(ErrDoubtful, err)
		}
	}
	if err := m.readTail(); err != nil {
		return err
	}
	if err := m.wakeFiles(); err != nil {
		return err
	}
	if err := m.takePending(ctx); err != nil {
		return err
	}
	m.full = m.full || len(m.intents()) > 0
	m.lookBefore()
	if err := m.reconcileHints(ctx); err != nil {
		return err
	}
	return m.meetRegister(ctx)
}

// touched notes that we changed names in directories: they are to be synced before
// the change is told. It comes after the change and before its snapshot.
func (m *Mailbox) touched(newToo, curToo bool) {
	for i, yes := range [2]bool{newToo, curToo} {
		if yes {
			m.own[i] = true
			m.sync.dirty(i == inNewDir)
		}
	}
}

// The places of the two directories in arrays.
const (
	inNewDir = iota
	inCurDir
)

func dirIndex(isNew bool) int {
	if isNew {
		return inNewDir
	}
	return inCurDir
}

// Close ends the mailbox: what is pending is written, files are closed.
func (m *Mailbox) Close() error {
	ctx := context.Background()
	m.hints.stop()
	m.settlers.Wait()
	m.endRest()
	m.rest.work.Wait()
	m.stopCompactor()
	m.endKeeping()
	var err error
	if !m.gone.Load() && !m.doubtful.Load() && !m.hasParted() {
		defer m.crowd()()
		err = m.writeLast(ctx)
	}
	m.lock <- struct{}{}
	defer func() { <-m.lock }()
	if m.closed {
		return nil
	}
	m.closed = true
	if m.again != nil {
		m.again.Stop()
	}
	m.sync.run.Lock()
	defer m.sync.run.Unlock()
	return errors.Join(err, m.shut())
}

func (m *Mailbox) shut() error {
	m.DropMemo()
	m.endRest()
	var errs []error
	if m.journal != nil {
		errs = append(errs, m.journal.Close())
	}
	if c := m.cache.Load(); c != nil {
		errs = append(errs, c.Close())
	}
	errs = append(errs, m.backing.close())
	for _, d := range append(m.left, m.dir) {
		errs = append(errs, d.Close())
	}
	return errors.Join(errs...)
}
