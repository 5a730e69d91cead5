package watch

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"
)

// settled is how old a modification time must be to prove that nothing changed
// after it was looked at: clocks of file systems are coarse.
const settled = 2 * time.Second

// look is what something that is polled looked like.
type look struct {
	at    Dir
	mtime time.Time
	size  int64 // a file's length
	young bool  // it may change again without looking different
}

// look looks at the directory or file by its path and reports whether it may have
// changed since the last look. What cannot be looked at has no look.
func (d *dir) look(k kernel, now time.Time) (changed bool) {
	l, err := k.look(d.path, d.remote)
	if err != nil {
		l = look{}
	} else if l.young = now.Sub(l.mtime) < settled; !d.file {
		l.size = 0
	}
	before := d.seen
	d.seen = l
	return before.young || before.at != l.at || before.size != l.size || !before.mtime.Equal(l.mtime)
}

// poll has the polled directories looked at when it is time, after it was tried to
// have them watched: those of each file system by a goroutine that ends with that. A
// file system that has not answered since the last time is left alone.
func (w *Watcher) poll(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed || now.Before(w.nextPoll) || w.file != nil && len(w.polled) == 0 {
		return
	}
	w.nextPoll = now.Add(w.interval)
	if w.file == nil && !w.pollOnly {
		// Without an instance everything is polled as before.
		_ = w.openLocked()
	}
	rounds := make(map[uint64][]*dir)
	for _, d := range w.polled {
		if !w.looking[d.at.Dev] {
			rounds[d.at.Dev] = append(rounds[d.at.Dev], d)
		}
	}
	for dev, dirs := range rounds {
		w.looking[dev] = true
		w.pollers.Go(func() { w.round(dev, dirs) })
	}
}

// round looks at the polled directories of one file system.
func (w *Watcher) round(dev uint64, dirs []*dir) {
	hope := w.hopeful()
	for _, d := range dirs {
		if w.isClosed() {
			break
		}
		if hope && !d.remote {
			err := w.push(d)
			if err == nil {
				continue
			}
			hope = !exhausted(err)
		}
		if d.look(w.kernel, time.Now()) {
			w.tellAll(d, Event{Kind: Changed})
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.looking, dev)
	w.plentyLocked()
}

// hopeful says that there is an instance which may take watches.
func (w *Watcher) hopeful() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.file != nil
}

func (w *Watcher) isClosed() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.closed
}

var errStale = errors.New("the path leads elsewhere, or nobody watches it")

// push turns a polled directory into a watched one. What happened before is
// told as an Overflow.
func (w *Watcher) push(d *dir) error {
	fd, at, err := openPath(d.path, d.file)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	w.mu.Lock()
	if w.closed || at != d.at || w.polled[at] != d {
		w.mu.Unlock()
		return errStale
	}
	wd, err := w.kernel.add(w.fd, procPath(fd), d.mask())
	if err != nil {
		w.mu.Unlock()
		return err
	}
	delete(w.polled, at)
	d.wd = wd
	w.byWD[wd] = d
	w.mu.Unlock()
	w.tellAll(d, Event{Kind: Overflow})
	w.mu.Lock()
	defer w.mu.Unlock()
	d.pushed.Store(w.byWD[wd] == d) // not if it is gone meanwhile
	return nil
}

// plentyLocked logs that nothing is polled for want of watches any more.
func (w *Watcher) plentyLocked() {
	if !w.scarce || w.file == nil || w.closed {
		return
	}
	for _, d := range w.polled {
		if !d.remote {
			return
		}
	}
	w.scarce = false
	w.log.Info("there are inotify watches again", "watched", len(w.byWD))
}

// tellAll tells the watches of a directory from outside the reading goroutine.
func (w *Watcher) tellAll(d *dir, e Event) {
	w.mu.Lock()
	subs := d.subs
	w.mu.Unlock()
	for _, s := range subs {
		s.tell(e)
	}
}
