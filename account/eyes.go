package account

import (
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"sync/atomic"

	"postrider/mailbox"
	"postrider/vfs"
	"postrider/watch"
)

// eyes turns what the watcher sees in new, in cur and of the journal into hints.
type eyes struct {
	w        Watcher
	folder   vfs.Dir
	new, cur watch.Watch
	keywords watch.Watch // Courier's; nil: not watched
	hint     atomic.Pointer[func(mailbox.Hint)]
	lost     atomic.Bool // an event came before there was a mailbox to hint

	mu      sync.Mutex
	journal watch.Watch // nil: it is not watched
}

// openEyes watches the two directories of a folder, which stays open longer than they.
func openEyes(w Watcher, folder vfs.Dir) (*eyes, error) {
	e := &eyes{w: w, folder: folder}
	var err error
	if e.new, err = e.watch("new", true); err != nil {
		return nil, err
	}
	if e.cur, err = e.watch("cur", false); err != nil {
		e.new.Close()
		return nil, err
	}
	return e, nil
}

// watch watches a directory of the folder, and makes sure that it is that one.
func (e *eyes) watch(name string, isNew bool) (watch.Watch, error) {
	meant, err := e.folder.OpenDir(name)
	if err != nil {
		return nil, err
	}
	defer meant.Close()
	s, err := e.w.Watch(vfs.LivePath(meant), func(v watch.Event) { e.see(v, isNew) })
	if err != nil {
		return nil, err
	}
	if dev, ino := meant.Key(); s.Dir() != (watch.Dir{Dev: dev, Ino: ino}) {
		s.Close()
		return nil, fmt.Errorf("watch %s: another directory is there now", meant.Path())
	}
	return s, nil
}

// watchJournal watches the journal that is there now instead of the one before. What is
// only there, such as keywords, another process tells us of in no other way.
func (e *eyes) watchJournal() error {
	s, err := e.openJournal()
	e.mu.Lock()
	old := e.journal
	e.journal = s
	e.mu.Unlock()
	if old != nil {
		old.Close()
	}
	if hint := e.hint.Load(); hint != nil {
		(*hint)(mailbox.Hint{Kind: mailbox.HintJournal}) // it may have grown already
	}
	return err
}

func (e *eyes) openJournal() (watch.Watch, error) {
	dir, err := e.folder.OpenDir("postrider")
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	s, err := e.w.WatchFile(vfs.LivePath(dir)+"/journal", e.seeJournal)
	if err != nil {
		return nil, err
	}
	if st, err := dir.Stat("journal"); err != nil || s.Dir() != (watch.Dir{Dev: st.Dev, Ino: st.Ino}) {
		s.Close()
		return nil, errors.Join(fmt.Errorf("watch %s: another file is there now", dir.Path()), err)
	}
	return s, nil
}

// seeJournal is called by the watcher. Whether it was another process that wrote, the
// mailbox finds out.
func (e *eyes) seeJournal(v watch.Event) {
	hint := e.hint.Load()
	if hint == nil {
		return // the journal is about to be read
	}
	kind := mailbox.HintJournal
	if v.Kind == watch.Changed {
		kind = mailbox.HintChanged
	}
	(*hint)(mailbox.Hint{Kind: kind})
}

// sees reports whether a folder's directories are those that are watched. Where they are
// polled, a network's file system may give one another inode number any time.
func (e *eyes) sees() bool {
	for name, s := range map[string]watch.Watch{"new": e.new, "cur": e.cur} {
		st, err := e.folder.Stat(name)
		if errors.Is(err, fs.ErrNotExist) || err == nil && s.Pushed() && st.Ino != s.Dir().Ino {
			return false
		}
	}
	return true
}

// start gives the hints to a mailbox, and tells it if some came too early.
func (e *eyes) start(hint func(mailbox.Hint)) {
	e.hint.Store(&hint)
	if e.lost.Load() {
		hint(mailbox.Hint{Kind: mailbox.HintOverflow})
	}
	hint(mailbox.Hint{Kind: mailbox.HintJournal})
}

// see is called by the watcher. It may run before new and cur are set, but then
// there is no hint yet.
func (e *eyes) see(v watch.Event, inNew bool) {
	hint := e.hint.Load()
	if hint == nil {
		e.lost.Store(true)
		if hint = e.hint.Load(); hint == nil {
			return
		}
	}
	h := mailbox.Hint{Name: v.Name, InNew: inNew}
	switch v.Kind {
	case watch.Came:
		h.Kind = mailbox.HintCame
	case watch.Went:
		if v.ToDir == e.new.Dir() || v.ToDir == e.cur.Dir() {
			return // that directory's watch told of it, as Renamed
		}
		h.Kind = mailbox.HintWent
	case watch.Renamed:
		h.Kind = mailbox.HintCame
		if v.FromDir == e.new.Dir() || v.FromDir == e.cur.Dir() {
			h.Kind, h.OldName, h.OldNew = mailbox.HintRenamed, v.OldName, v.FromDir == e.new.Dir()
		}
	case watch.Overflow:
		h = mailbox.Hint{Kind: mailbox.HintOverflow, Since: v.Since}
	case watch.Changed:
		h = mailbox.Hint{Kind: mailbox.HintChanged}
	case watch.Gone:
		h = mailbox.Hint{Kind: mailbox.HintGone}
	}
	(*hint)(h)
}

// Covers implements mailbox.Watch.
func (e *eyes) Covers() bool { return e.new.Pushed() && e.cur.Pushed() }

// Drained implements mailbox.Watch.
func (e *eyes) Drained() bool { return e.w.Drained() }

func (e *eyes) close() {
	e.new.Close()
	e.cur.Close()
	if e.keywords != nil {
		e.keywords.Close()
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.journal != nil {
		e.journal.Close()
	}
}
