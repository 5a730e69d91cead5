package account

import (
	"errors"
	"io/fs"
	"strings"

	"postrider/mailbox"
	"postrider/vfs"
	"postrider/watch"
)

// watch has a mailbox that is about to be opened watched.
func (a *shared) watch(o *opened, c *mailbox.Config) {
	if a.h.c.Watcher == nil {
		return
	}
	log := c.Logger
	e, err := openEyes(a.h.c.Watcher, o.folder.Dir())
	if err != nil {
		log.Warn("the folder is not watched", "err", err)
		return
	}
	o.eyes, c.Watch = e, e
	if err := e.watchKeywords(a.h.c.Courier.Mode); err != nil {
		log.Warn("Courier's keywords are not watched", "err", err)
	}
	c.NewJournal = func() {
		if err := e.watchJournal(); err != nil {
			log.Warn("the journal is not watched", "err", err)
		}
	}
}

// watchRoot has the account's root watched, once, for folders that other programs remove
// or move.
func (a *shared) watchRoot() {
	a.rootMu.Lock()
	defer a.rootMu.Unlock()
	if a.h.c.Watcher == nil || a.rootWatch != nil || a.rootLeft {
		return
	}
	s, err := a.watchOpen()
	if err != nil {
		a.h.c.Logger.Warn("the account's root is not watched", "root", a.root.Path(), "err", err)
		return
	}
	a.rootWatch = s
}

func (a *shared) watchOpen() (watch.Watch, error) {
	root, release, err := vfs.Hold(a.root)
	if err != nil {
		return nil, err
	}
	defer release()
	return a.h.c.Watcher.Watch(vfs.LivePath(root), a.seeRoot)
}

// leaveRoot ends what watchRoot began, and waits for what it led to.
func (a *shared) leaveRoot() {
	a.rootMu.Lock()
	a.rootLeft = true
	s := a.rootWatch
	a.rootMu.Unlock()
	if s != nil {
		s.Close()
	}
	a.rootLooks.Wait()
}

// seeRoot is called by the watcher. The account's lock may be held for long, so another
// goroutine takes it.
func (a *shared) seeRoot(v watch.Event) {
	switch v.Kind {
	case watch.Came, watch.Wrote:
		return
	case watch.Went:
		if !isFolder(v.Name) {
			return
		}
	case watch.Renamed:
		if !isFolder(v.OldName) {
			return
		}
	}
	if a.rootSeen.Swap(true) {
		return // one that did not begin yet sees this, too
	}
	a.rootLooks.Go(a.askAll)
}

// isFolder says that a name in the root may be a folder's.
func isFolder(name string) bool { return strings.HasPrefix(name, ".") }

// askAll has every open mailbox find out whether it is still there.
func (a *shared) askAll() {
	a.mu.Lock()
	a.rootSeen.Store(false)
	var boxes []*mailbox.Mailbox
	for _, o := range a.open {
		select {
		case <-o.ready:
			if o.box != nil {
				boxes = append(boxes, o.box)
			}
		default: // who opens it looks
		}
	}
	a.mu.Unlock()
	for _, b := range boxes {
		b.Hint(mailbox.Hint{Kind: mailbox.HintGone})
	}
}

// isHere reports whether the mailbox's folder is still one of the account, by whatever
// name, with the directories that it was opened with. It is called with the mailbox's
// lock held, one call at a time, and takes none. What cannot be looked at is there.
func (a *shared) isHere(o *opened) bool {
	if o.eyes != nil && !o.eyes.sees() {
		return false
	}
	if o.key == a.key {
		st, err := a.root.StatSelf()
		return err != nil && !isMissing(err) || st.Nlink > 0
	}
	name, err := a.findFolder(o)
	return err != nil || name != ""
}

// findFolder is what a mailbox's folder is called in the root now; "" if it is not there.
func (a *shared) findFolder(o *opened) (string, error) {
	if name := *o.dir.Load(); a.isAt(o, name) {
		return name, nil
	}
	found := ""
	err := a.root.List(func(name string, t vfs.Type) bool {
		if isFolder(name) && (t == vfs.Directory || t == vfs.Unknown) && a.isAt(o, name) {
			found = name
		}
		return found == ""
	})
	if found != "" {
		o.dir.Store(&found)
		return found, nil
	}
	if isMissing(err) { // the root itself is gone
		err = nil
	}
	return "", err
}

func isMissing(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// isAt reports whether a name in the root is the folder's. On a network's file system,
// whose inode numbers may not last, the name counts that it had.
func (a *shared) isAt(o *opened, name string) bool {
	st, err := a.root.Stat(name)
	if err != nil || st.Type != vfs.Directory {
		return false
	}
	return dirKey{st.Dev, st.Ino} == o.key || name == *o.dir.Load() && vfs.OnNetwork(a.root)
}

// leftLocked reports whether the mailbox found that its folder is no longer there. It
// needs shared.mu.
func (o *opened) leftLocked() bool {
	select {
	case <-o.ready:
		return o.box != nil && o.box.Gone()
	default:
		return false
	}
}
