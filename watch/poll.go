package watch

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"
)

// settled is how old a modification time must be to prove that nothing changed
// after it was looked at: clocks of file systems are coarse.
const settled = 2 * time.Second

// look is what a polled directory looked like.
type look struct {
	at    Dir
	mtime unix.Timespec
	young bool // it may change again without looking different
}

// look looks at the directory by its path and reports whether it may have
// changed since the last look. What cannot be looked at has no look.
func (d *dir) look(now time.Time) (changed bool) {
	var st unix.Stat_t
	var l look
	if err := unix.Stat(d.path, &st); err == nil {
		l = look{at: Dir{uint64(st.Dev), st.Ino}, mtime: st.Mtim}
		l.young = now.Sub(time.Unix(st.Mtim.Unix())) < settled
	}
	before := d.seen
	d.seen = l
	return before.young || before.at != l.at || before.mtime != l.mtime
}

// poll looks at the polled directories when it is time, after it tried to have
// them watched.
func (w *Watcher) poll(now time.Time) {
	w.mu.Lock()
	if w.closed || now.Before(w.nextPoll) || w.file != nil && len(w.polled) == 0 {
		w.mu.Unlock()
		return
	}
	w.nextPoll = now.Add(w.interval)
	hope := w.file != nil || w.openLocked() == nil
	dirs := make([]*dir, 0, len(w.polled))
	for _, d := range w.polled {
		dirs = append(dirs, d)
	}
	w.mu.Unlock()
	for _, d := range dirs {
		if hope && !d.remote {
			err := w.push(d)
			if err == nil {
				continue
			}
			hope = !exhausted(err)
		}
		if d.look(now) {
			w.tellAll(d, Event{Kind: Overflow})
		}
	}
	if hope {
		w.plenty()
	}
}

var errStale = errors.New("the path leads to another directory, or nobody watches it")

// push turns a polled directory into a watched one. What happened before is
// told as an Overflow.
func (w *Watcher) push(d *dir) error {
	fd, at, err := openPath(d.path)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	w.mu.Lock()
	if w.closed || at != d.at || w.polled[at] != d {
		w.mu.Unlock()
		return errStale
	}
	wd, err := w.kernel.add(w.fd, procPath(fd))
	if err != nil {
		w.mu.Unlock()
		return err
	}
	delete(w.polled, at)
	d.wd = wd
	w.byWD[wd] = d
	w.mu.Unlock()
	w.tellAll(d, Event{Kind: Overflow})
	d.pushed.Store(true)
	return nil
}

// plenty logs that no directory is polled for want of watches any more.
func (w *Watcher) plenty() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.scarce {
		w.scarce = false
		w.log.Info("there are inotify watches again", "watched", len(w.byWD))
	}
}

// tellAll is called by the goroutine.
func (w *Watcher) tellAll(d *dir, e Event) {
	w.mu.Lock()
	subs := d.subs
	w.mu.Unlock()
	for _, s := range subs {
		s.tell(e)
	}
}
