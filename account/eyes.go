package account

import (
	"fmt"
	"sync/atomic"

	"postrider/mailbox"
	"postrider/vfs"
	"postrider/watch"
)

// eyes turns what the watcher sees in new and cur into hints.
type eyes struct {
	w        Watcher
	new, cur watch.Watch
	hint     atomic.Pointer[func(mailbox.Hint)]
	lost     atomic.Bool // an event came before there was a mailbox to hint
}

// openEyes watches the two directories of a folder.
func openEyes(w Watcher, dir vfs.Dir) (*eyes, error) {
	e := &eyes{w: w}
	var err error
	if e.new, err = e.watch(dir, "new", true); err != nil {
		return nil, err
	}
	if e.cur, err = e.watch(dir, "cur", false); err != nil {
		e.new.Close()
		return nil, err
	}
	return e, nil
}

// watch watches a directory of dir, and makes sure that it is that one: the path
// of dir may be stale.
func (e *eyes) watch(dir vfs.Dir, name string, isNew bool) (watch.Watch, error) {
	meant, err := dir.OpenDir(name)
	if err != nil {
		return nil, err
	}
	defer meant.Close()
	s, err := e.w.Watch(meant.Path(), func(v watch.Event) { e.see(v, isNew) })
	if err != nil {
		return nil, err
	}
	if dev, ino := meant.Key(); s.Dir() != (watch.Dir{Dev: dev, Ino: ino}) {
		s.Close()
		return nil, fmt.Errorf("watch %s: another directory is there now", meant.Path())
	}
	return s, nil
}

// start gives the hints to a mailbox, and tells it if some came too early.
func (e *eyes) start(hint func(mailbox.Hint)) {
	e.hint.Store(&hint)
	if e.lost.Load() {
		hint(mailbox.Hint{Kind: mailbox.HintOverflow})
	}
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
		h = mailbox.Hint{Kind: mailbox.HintOverflow}
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
}
