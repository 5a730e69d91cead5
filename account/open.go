package account

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"sync/atomic"
	"time"

	"postrider/mail"
	"postrider/mailbox"
	"postrider/maildir"
	"postrider/vfs"
)

var _ mailbox.Folder = (*maildir.Folder)(nil)

// opened is a mailbox in use, or lingering.
type opened struct {
	key    dirKey
	folder *maildir.Folder
	dir    atomic.Pointer[string]    // its name in the root when it was last seen, "" for the inbox
	name   atomic.Pointer[mail.Name] // under which the ledger knows it

	ready chan struct{} // closed when the following are set
	err   error
	box   *mailbox.Mailbox
	eyes  *eyes // nil: nothing is watched

	// Guarded by shared.mu.
	gone   bool // deleted, perhaps before it was ready
	closed bool
	users  int
	timer  *time.Timer // while it lingers
}

// Handle is one use of an open mailbox, from Account.Mailbox to Release.
type Handle struct {
	*mailbox.Mailbox
	release func()
}

// Release ends the use. It may be called more than once.
func (h *Handle) Release() { h.release() }

// Mailbox opens the mailbox, or counts one more use if it is open. It returns
// ErrNoMailbox if there is none of this name that can be selected.
func (a *Account) Mailbox(ctx context.Context, n mail.Name) (*Handle, error) {
	for {
		h, again, err := a.s.use(ctx, n)
		if !again {
			return h, err
		}
	}
}

// use is one try of Mailbox. again says that somebody else, who was opening the
// mailbox for all of us, gave up for reasons of its own.
func (a *shared) use(ctx context.Context, n mail.Name) (h *Handle, again bool, err error) {
	o, mine, err := a.reserve(n)
	if err != nil {
		return nil, false, err
	}
	var once sync.Once
	release := func() { once.Do(func() { a.release(o) }) }
	defer func() {
		if h == nil {
			release()
		}
	}()
	if mine {
		a.fill(ctx, o)
	}
	select {
	case <-o.ready:
	case <-ctx.Done():
		return nil, false, fmt.Errorf("open mailbox: %w", ctx.Err())
	}
	if o.err != nil {
		gaveUp := errors.Is(o.err, context.Canceled) || errors.Is(o.err, context.DeadlineExceeded)
		return nil, gaveUp && ctx.Err() == nil, fmt.Errorf("open mailbox: %w", o.err)
	}
	return &Handle{o.box, release}, false, nil
}

// reserve finds the folder's directory and counts a use of it; mine says that
// the caller has to fill it.
func (a *shared) reserve(n mail.Name) (o *opened, mine bool, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	dir, name, err := a.openDirLocked(n)
	if err != nil {
		return nil, false, err
	}
	key := keyOf(dir)
	if o := a.open[key]; o != nil && (o.leftLocked() || !vfs.SameDir(o.folder.Dir(), dir)) {
		a.goneLocked(o) // it was moved away, and came back; or another got its inode while it rested
	}
	if o := a.open[key]; o != nil {
		dir.Close()
		o.name.Store(&n) // another process may have renamed it
		o.users++
		if o.timer != nil {
			o.timer.Stop()
			o.timer = nil
		}
		return o, false, nil
	}
	o = &opened{key: key, ready: make(chan struct{}), users: 1}
	o.name.Store(&n)
	o.dir.Store(&name)
	c := maildir.Options{Unique: a.h.c.Unique, Now: a.h.c.Now, FileMode: a.h.c.FileMode, NoSync: !a.h.c.Fsync}
	if !vfs.OnNetwork(dir) {
		c.Reopen = func() (vfs.Dir, error) { return a.reopen(o) }
	}
	if o.folder, err = maildir.OpenFolder(dir, c); err != nil {
		return nil, false, fmt.Errorf("open mailbox: %w", err)
	}
	a.open[key] = o
	return o, true, nil
}

// openDirLocked opens the directory of a mailbox; name is what it is called in the root,
// "" for the inbox. It needs a.mu.
func (a *shared) openDirLocked(n mail.Name) (d vfs.Dir, name string, err error) {
	t, err := a.treeLocked()
	if err != nil {
		return nil, "", err
	}
	node, ok := t.Find(n)
	if !ok || !node.Exists {
		return nil, "", ErrNoMailbox
	}
	if node.dir != "" {
		d, err = a.root.OpenDir(node.dir)
		return d, node.dir, err
	}
	// A mailbox closes its handle, so the inbox gets one of its own.
	dir, err := a.h.c.FS.OpenDir(a.root.Path())
	if err == nil && keyOf(dir) != a.key {
		dir.Close()
		return nil, "", a.removedLocked()
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, "", a.removedLocked()
	}
	return dir, "", err
}

var errUnopened = errors.New("opening it ended abruptly")

// fill opens the mailbox itself, without the account's lock. A failure is for
// those who wait now; who comes later tries again.
func (a *shared) fill(ctx context.Context, o *opened) {
	o.err = errUnopened
	defer func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		if o.err != nil && a.open[o.key] == o {
			delete(a.open, o.key)
		}
		if o.gone && o.box != nil {
			o.box.SetGone()
		}
		close(o.ready)
	}()
	o.err = a.openBox(ctx, o)
}

func (a *shared) openBox(ctx context.Context, o *opened) error {
	c := mailbox.Config{
		Folder: o.folder, Validity: a.ledger.NextValidity,
		Predecessor: func() (*mailbox.Past, error) { return a.predecessor(o.folder) },
		Floor:       func() (mailbox.Marks, error) { return a.ledger.Floor(*o.name.Load()) },
		Note:        func(m mailbox.Marks) error { return a.ledger.Note(*o.name.Load(), m) },
		Fsync:       a.h.c.Fsync, Fsyncs: a.h.fsyncs, Compactor: &a.h.compactor, Poll: a.h.c.Poll, Boot: a.h.c.Boot, LockWait: a.h.c.LockWait, QuietAfter: a.h.c.QuietAfter, Now: a.h.c.Now, Logger: a.h.c.Logger,
		Here: func() bool { return a.isHere(o) }, Lookers: a.h.lookers, Counts: &a.h.counts,
	}
	a.h.c.Courier.register(o.folder, &c)
	a.watch(o, &c)
	if err := o.folder.CleanTemp(maildir.TempAge); err != nil {
		a.h.c.Logger.Warn("cleaning tmp", "folder", o.folder.Dir().Path(), "error", err)
	}
	box, err := mailbox.Open(ctx, c)
	if err != nil {
		return err
	}
	o.box = box
	if o.eyes != nil {
		o.eyes.start(box.Hint)
		a.watchRoot()
	}
	return nil
}

// release gives back one use. The last one closes the mailbox, after a while;
// at once if it is no longer the one for its directory.
func (a *shared) release(o *opened) {
	a.mu.Lock()
	defer a.mu.Unlock()
	o.users--
	if o.users > 0 || a.open[o.key] != o {
		if o.users == 0 {
			a.closeLogged(o)
		}
		return
	}
	if a.h.c.Linger <= 0 {
		delete(a.open, o.key)
		a.closeLogged(o)
		return
	}
	o.timer = time.AfterFunc(a.h.c.Linger, func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		if o.users == 0 && a.open[o.key] == o {
			delete(a.open, o.key)
			a.closeLogged(o)
		}
	})
}

func (a *shared) closeLogged(o *opened) {
	if err := o.close(); err != nil {
		a.h.c.Logger.Error("closing a mailbox", "folder", o.folder.Dir().Path(), "error", err)
	}
}

// close needs shared.mu. A second call does nothing.
func (o *opened) close() error {
	if o.closed {
		return nil
	}
	o.closed = true
	if o.timer != nil {
		o.timer.Stop()
	}
	if o.eyes != nil {
		o.eyes.close()
	}
	var err error
	if o.box != nil {
		err = o.box.Close()
		o.box = nil
	}
	return errors.Join(err, o.folder.Close())
}
