package parent

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"syscall"
	"time"

	"postrider/cmd/messages"
	"postrider/cmd/privilege"
	"postrider/packet"
)

// worker is the process of one owner's sessions. Its fields are under the lock of its
// generation, but for child and gone.
type worker struct {
	child    *child
	key      string
	sessions map[uint64]*handover // by number
	last     uint64
	linger   *time.Timer   // runs while there are no sessions
	gone     chan struct{} // closed when it is
}

var errStopping = errors.New("the server is shutting down")

// seat finds or starts the worker of an owner and counts a session in.
func (g *Generation) seat(o messages.Owner, h *handover) (*worker, uint64, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closing || g.stopped() {
		return nil, 0, errStopping
	}
	key := fmt.Sprint(o)
	w := g.workers[key]
	if w == nil {
		var err error
		if w, err = g.hireLocked(o, key); err != nil {
			return nil, 0, err
		}
	}
	if w.linger != nil {
		w.linger.Stop()
		w.linger = nil
	}
	w.last++
	w.sessions[w.last] = h
	return w, w.last, nil
}

// hireLocked starts a worker: from its first instruction on it is its owner's.
func (g *Generation) hireLocked(o messages.Owner, key string) (*worker, error) {
	p := g.plan
	as := &syscall.Credential{Uid: o.UID, Gid: o.GID, Groups: slices.Clone(o.Groups)}
	if as.Uid == 0 || as.Gid == 0 || slices.Contains(as.Groups, 0) {
		return nil, fmt.Errorf("uid %d, gid %d and groups %d would be root's", o.UID, o.GID, o.Groups)
	}
	c, err := spawn("worker", privilege.Spec{Program: p.Program, Args: append(slices.Clone(p.Worker), fmt.Sprint(o.UID)), Env: p.Env, As: as}, p.WorkerSettings, p.Log, p.Journal)
	if err != nil {
		return nil, err
	}
	p.Logger.Debug("a worker was started", "uid", o.UID, c.group())
	w := &worker{child: c, key: key, sessions: make(map[uint64]*handover), gone: make(chan struct{})}
	g.workers[key] = w
	go g.listen(w)
	return w, nil
}

// listen takes in what a worker says until it is gone.
func (g *Generation) listen(w *worker) {
	defer close(w.gone)
	err := w.child.receive(func(f *packet.Fields, k messages.Kind, files []*os.File) error {
		packet.CloseAll(files)
		number, _, err := messages.ReadEnd(f)
		if k != messages.Ended || err != nil {
			return packet.ErrMalformed
		}
		if h := g.ended(w, number); h != nil {
			h.front.tell(messages.EndOf(h.number, false))
		}
		return nil
	})
	left := g.dismiss(w)
	if state := w.child.state; len(left) > 0 || state == nil || !state.Success() {
		g.plan.Logger.Error("a worker died", w.child.group(), "sessions", len(left), "state", state.String(), "err", err)
	}
	for _, h := range left {
		h.front.tell(messages.EndOf(h.number, true))
	}
}

// ended counts a session out. It is nil if the worker has none of that number.
func (g *Generation) ended(w *worker, number uint64) *handover {
	g.mu.Lock()
	defer g.mu.Unlock()
	h := w.sessions[number]
	if h == nil {
		return nil
	}
	delete(w.sessions, number)
	g.lingerLocked(w)
	return h
}

// lingerLocked has a worker without sessions end: after a while, if more may come.
func (g *Generation) lingerLocked(w *worker) {
	switch {
	case len(w.sessions) > 0 || g.workers[w.key] != w:
	case g.retired || g.plan.Linger == 0:
		g.releaseLocked(w)
	case w.linger == nil:
		w.linger = time.AfterFunc(g.plan.Linger, func() {
			g.mu.Lock()
			defer g.mu.Unlock()
			if w.linger != nil && len(w.sessions) == 0 {
				g.releaseLocked(w)
			}
		})
	}
}

// releaseLocked ends a worker that has no sessions: it sees that its socket is closed.
func (g *Generation) releaseLocked(w *worker) {
	if g.workers[w.key] == w {
		delete(g.workers, w.key)
	}
	g.releasing.Go(func() { <-w.gone })
	w.child.control.Close()
}

// dismiss forgets a worker that is gone, and returns the sessions that it had.
func (g *Generation) dismiss(w *worker) []*handover {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.workers[w.key] == w {
		delete(g.workers, w.key)
	}
	return slices.Collect(maps.Values(w.sessions))
}
