package account

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"postrider/mail"
	"postrider/mailbox"
	"postrider/maildir"
	"postrider/vfs"
)

// opened is a mailbox in use, or lingering.
type opened struct {
	key    dirKey
	ready  chan struct{} // closed when box or err is set
	err    error
	box    *mailbox.Mailbox
	folder *maildir.Folder
	eyes   *eyes

	closed bool        // guarded by shared.mu
	users  int         // guarded by shared.mu
	timer  *time.Timer // while it lingers; guarded by shared.mu
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
	o, mine, err := a.s.reserve(n)
	if err != nil {
		return nil, err
	}
	if mine {
		o.err = a.s.fill(ctx, o, n)
		close(o.ready)
	}
	select {
	case <-o.ready:
	case <-ctx.Done():
		a.s.release(o)
		return nil, ctx.Err()
	}
	if o.err != nil {
		a.s.release(o)
		return nil, fmt.Errorf("open mailbox: %w", o.err)
	}
	var once sync.Once
	return &Handle{o.box, func() { once.Do(func() { a.s.release(o) }) }}, nil
}

// reserve finds the folder's directory and counts a use of it; mine says that
// the caller has to open it.
func (a *shared) reserve(n mail.Name) (o *opened, mine bool, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	dir, err := a.openDirLocked(n)
	if err != nil {
		return nil, false, err
	}
	dev, ino := dir.Key()
	key := dirKey{dev, ino}
	if o := a.open[key]; o != nil {
		dir.Close()
		o.users++
		if o.timer != nil {
			o.timer.Stop()
			o.timer = nil
		}
		return o, false, nil
	}
	folder, err := maildir.OpenFolder(dir, maildir.Options{
		Unique: a.h.c.Unique, Now: a.h.c.Now, FileMode: a.h.c.FileMode})
	if err != nil {
		return nil, false, err
	}
	o = &opened{key: key, ready: make(chan struct{}), folder: folder, users: 1}
	a.open[key] = o
	return o, true, nil
}

// openDirLocked needs a.mu.
func (a *shared) openDirLocked(n mail.Name) (vfs.Dir, error) {
	t, err := a.treeLocked()
	if err != nil {
		return nil, err
	}
	node, ok := t.Find(n)
	if !ok || !node.Exists {
		return nil, ErrNoMailbox
	}
	if node.dir == "" {
		return a.h.c.FS.OpenDir(a.root.Path())
	}
	return a.root.OpenDir(node.dir)
}

// fill opens the mailbox itself, without the account's lock.
func (a *shared) fill(ctx context.Context, o *opened, n mail.Name) error {
	c := mailbox.Config{
		Folder: o.folder, Validity: a.ledger.NextValidity,
		Floor: func() (mail.UID, mail.ModSeq, error) { return a.ledger.Floor(n) },
		Fsync: a.h.c.Fsync, Fsyncs: a.h.fsyncs, Poll: a.h.c.Poll, Now: a.h.c.Now, Logger: a.h.c.Logger,
	}
	if a.h.c.Watcher != nil {
		o.eyes = &eyes{w: a.h.c.Watcher}
		if o.eyes.open(o.folder.Dir()) == nil {
			c.Watch = o.eyes
		}
	}
	if err := o.folder.CleanTemp(maildir.TempAge); err != nil {
		a.h.c.Logger.Warn("cleaning tmp", "folder", o.folder.Dir().Path(), "err", err)
	}
	box, err := mailbox.Open(ctx, c)
	if err == nil {
		o.box = box
		if o.eyes != nil {
			o.eyes.start(box.Hint)
		}
	}
	return err
}

// release gives back one use. The last one closes the mailbox, after a while.
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
	if a.h.c.Linger <= 0 || o.err != nil {
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
		a.h.c.Logger.Error("closing a mailbox", "folder", o.folder.Dir().Path(), "err", err)
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

// eyes turns what the watcher sees in new and cur into hints.
type eyes struct {
	w        Watcher
	new, cur Watch
	hint     atomic.Pointer[func(mailbox.Hint)]
	lost     atomic.Bool // an event came before there was a mailbox to hint
}

func (e *eyes) open(dir vfs.Dir) error {
	var err error
	if e.new, err = e.w.Watch(dir.Path()+"/new", func(v Event) { e.see(v, true) }); err != nil {
		return err
	}
	e.cur, err = e.w.Watch(dir.Path()+"/cur", func(v Event) { e.see(v, false) })
	return err
}

func (e *eyes) start(hint func(mailbox.Hint)) {
	e.hint.Store(&hint)
	if e.lost.Load() {
		hint(mailbox.Hint{Kind: mailbox.HintOverflow})
	}
}

func (e *eyes) see(v Event, inNew bool) {
	hint := e.hint.Load()
	if hint == nil {
		e.lost.Store(true)
		if hint = e.hint.Load(); hint == nil {
			return
		}
	}
	h := mailbox.Hint{Name: v.Name, InNew: inNew}
	switch v.Kind {
	case Came:
		h.Kind = mailbox.HintCame
	case Went:
		h.Kind = mailbox.HintWent
	case Renamed:
		h.Kind, h.OldName, h.OldNew = mailbox.HintRenamed, v.OldName, v.OldDir == e.new
		if v.OldDir != e.new && v.OldDir != e.cur {
			h.Kind = mailbox.HintCame
		}
	case Overflow:
		h.Kind = mailbox.HintOverflow
	case Gone:
		h.Kind = mailbox.HintGone
	}
	(*hint)(h)
}

// Covers implements mailbox.Watch.
func (e *eyes) Covers() bool { return e.new.Pushed() && e.cur.Pushed() }

// Drained implements mailbox.Watch.
func (e *eyes) Drained() bool { return e.w.Drained() }

func (e *eyes) close() {
	for _, w := range []Watch{e.new, e.cur} {
		if w != nil {
			w.Close()
		}
	}
}
