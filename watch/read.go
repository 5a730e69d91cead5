package watch

import (
	"bytes"
	"encoding/binary"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// A rename is two events that the kernel queues one after the other, not both at
// once, and others may come between. So a name that moved out waits for its
// partner until the queue was empty for a while, or a lot was read after it.
const (
	patience    = 2 * time.Millisecond
	patientFor  = 64 << 10 // bytes
	bufferSize  = 64 << 10
	drainedWait = 10 * time.Millisecond
)

// held is a name that moved out and may turn up in another directory.
type held struct {
	d      *dir
	name   string
	cookie uint32
	pos    uint64    // where it stands in the stream
	until  time.Time // how long an empty queue does not mean that it is gone
}

// delivery is an event on its way to the watches of a directory.
type delivery struct {
	to []*watch
	e  Event
}

func (w *Watcher) run() {
	defer close(w.done)
	buf := make([]byte, bufferSize)
	var out []delivery
	for {
		b, ok := w.wait(buf)
		if !ok {
			return
		}
		out = w.take(out[:0], b)
		for _, d := range out {
			for _, s := range d.to {
				s.tell(d.e)
			}
		}
		clear(out)
		w.delivered()
		w.poll(time.Now())
	}
}

// wait returns bytes of events, or none when it is time to do something else;
// false at the end.
func (w *Watcher) wait(buf []byte) ([]byte, bool) {
	w.mu.Lock()
	conn, closed := w.conn, w.closed
	if !closed {
		w.armLocked()
	}
	pause := time.Until(w.nextPoll)
	w.mu.Unlock()
	if closed {
		return nil, false
	}
	if conn == nil {
		return nil, w.sleep(pause)
	}
	n := 0
	// Its error is the deadline, or Close, which the next call sees.
	_ = conn.Read(func(fd uintptr) bool {
		// The lock makes taking bytes from the queue and counting them one
		// step for Drained.
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.closed {
			return true
		}
		var err error
		if n, err = unix.Read(int(fd), buf); err != nil {
			n = 0
		}
		w.read += uint64(n)
		if err == unix.EAGAIN {
			w.whole = time.Now()
		}
		return err != unix.EAGAIN
	})
	return buf[:n], true
}

// sleep waits; false at the end.
func (w *Watcher) sleep(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-w.stop:
		return false
	}
}

// armLocked sets the deadline of the goroutine's reading to when there is
// something else to do.
func (w *Watcher) armLocked() {
	if w.file == nil {
		return
	}
	var at time.Time
	if len(w.polled) > 0 {
		at = w.nextPoll
	}
	if len(w.held) > 0 && (at.IsZero() || w.held[0].until.Before(at)) {
		at = w.held[0].until
	}
	// A deadline in the past would keep the queue from being read.
	if soon := time.Now().Add(patience / 2); !at.IsZero() && at.Before(soon) {
		at = soon
	}
	// It fails only after Close.
	_ = w.file.SetReadDeadline(at)
}

// take makes deliveries of what was read and of names held for long enough.
func (w *Watcher) take(out []delivery, b []byte) []delivery {
	w.mu.Lock()
	defer w.mu.Unlock()
	for pos := w.read - uint64(len(b)); len(b) >= unix.SizeofInotifyEvent; {
		e := rawEvent{
			wd:     int(int32(binary.NativeEndian.Uint32(b))),
			mask:   binary.NativeEndian.Uint32(b[4:]),
			cookie: binary.NativeEndian.Uint32(b[8:]),
			pos:    pos,
		}
		end := unix.SizeofInotifyEvent + int(binary.NativeEndian.Uint32(b[12:]))
		name, _, _ := bytes.Cut(b[unix.SizeofInotifyEvent:end], []byte{0})
		e.name = string(name)
		out = w.eventLocked(out, e)
		pos += uint64(end)
		b = b[end:]
	}
	return w.releaseLocked(out)
}

// rawEvent is an event as inotify gives it.
type rawEvent struct {
	wd           int
	mask, cookie uint32
	name         string
	pos          uint64
}

func (w *Watcher) eventLocked(out []delivery, e rawEvent) []delivery {
	if e.mask&unix.IN_Q_OVERFLOW != 0 {
		w.held = nil
		w.overflows++
		for _, d := range w.byWD {
			out = append(out, delivery{d.subs, Event{Kind: Overflow, Since: w.whole}})
		}
		return out
	}
	d := w.byWD[e.wd]
	if e.mask&unix.IN_MOVED_TO != 0 {
		return w.movedToLocked(out, d, e)
	}
	if d == nil {
		return out // about a watch that was closed meanwhile
	}
	switch {
	case e.mask&unix.IN_MODIFY != 0:
		return append(out, delivery{d.subs, Event{Kind: Wrote}})
	case e.mask&unix.IN_CREATE != 0:
		return append(out, delivery{d.subs, Event{Kind: Came, Name: e.name}})
	case e.mask&unix.IN_DELETE != 0:
		return append(out, delivery{d.subs, Event{Kind: Went, Name: e.name}})
	case e.mask&unix.IN_MOVED_FROM != 0:
		w.held = append(w.held, held{d, e.name, e.cookie, e.pos, time.Now().Add(patience)})
	case e.mask&unix.IN_MOVE_SELF != 0:
		return append(out, delivery{d.subs, Event{Kind: Overflow}})
	case e.mask&(unix.IN_DELETE_SELF|unix.IN_UNMOUNT|unix.IN_IGNORED) != 0:
		delete(w.byWD, e.wd)
		d.pushed.Store(false)
		return append(out, delivery{d.subs, Event{Kind: Gone}})
	}
	return out
}

// movedToLocked finds where a name came from. d is nil if nobody watches the
// directory that it came to any more.
func (w *Watcher) movedToLocked(out []delivery, d *dir, e rawEvent) []delivery {
	i := len(w.held) - 1
	for ; i >= 0 && w.held[i].cookie != e.cookie; i-- {
	}
	if i < 0 {
		if d == nil {
			return out
		}
		return append(out, delivery{d.subs, Event{Kind: Came, Name: e.name}})
	}
	from := w.held[i]
	w.held = slices.Delete(w.held, i, i+1)
	if d == from.d {
		return append(out, delivery{d.subs, Event{Kind: Renamed, Name: e.name, OldName: from.name, FromDir: from.d.at}})
	}
	went := Event{Kind: Went, Name: from.name}
	if d != nil {
		went.ToDir = d.at
		out = append(out, delivery{d.subs, Event{Kind: Renamed, Name: e.name, OldName: from.name, FromDir: from.d.at}})
	}
	return append(out, delivery{from.d.subs, went})
}

// releaseLocked gives up waiting for partners that will not come.
func (w *Watcher) releaseLocked(out []delivery) []delivery {
	if len(w.held) == 0 {
		return out
	}
	now := time.Now()
	queued, err := w.queuedLocked()
	empty := err == nil && queued == 0
	n := 0
	for ; n < len(w.held); n++ {
		h := &w.held[n]
		if !(empty && !now.Before(h.until)) && w.read-h.pos < patientFor {
			break
		}
		out = append(out, delivery{h.d.subs, Event{Kind: Went, Name: h.name}})
	}
	w.held = slices.Delete(w.held, 0, n)
	return out
}

// queuedLocked is how many bytes of events wait in the kernel.
func (w *Watcher) queuedLocked() (int, error) {
	if w.closed {
		return 0, unix.EBADF
	}
	return unix.IoctlGetInt(w.fd, unix.TIOCINQ) // FIONREAD by its other name
}

// delivered notes how far everything was told.
func (w *Watcher) delivered() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.told = w.read
	if len(w.held) > 0 {
		w.told = w.held[0].pos
	}
	if w.step != nil {
		close(w.step)
		w.step = nil
	}
}

// Drained reports whether every event that the kernel had queued before the call
// was delivered. It waits some milliseconds for that. Polled directories have
// no queue. It must not be called from a watch's function.
func (w *Watcher) Drained() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.file == nil {
		return true
	}
	queued, err := w.queuedLocked()
	if err != nil {
		return false
	}
	target := w.read + uint64(queued)
	if w.told >= target {
		return true
	}
	timeout := time.NewTimer(drainedWait)
	defer timeout.Stop()
	for w.told < target {
		if w.step == nil {
			w.step = make(chan struct{})
		}
		step := w.step
		w.mu.Unlock()
		select {
		case <-step:
		case <-timeout.C:
			w.mu.Lock()
			return false
		case <-w.stop:
			w.mu.Lock()
			return false
		}
		w.mu.Lock()
	}
	return true
}
