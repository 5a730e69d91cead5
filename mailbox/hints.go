package mailbox

import (
	"context"
	"errors"
	"sync"

	"postrider/mail"
)

// maxHints bounds what waits: beyond it a full reading costs less.
const maxHints = 20_000

// hintQueue is the hints that wait to be acted on.
type hintQueue struct {
	mu       sync.Mutex
	list     []Hint
	overflow bool // some were lost
	journal  bool // the journal has grown, or the register has changed
	settling bool // a goroutine is at it
	stopped  bool
}

func (q *hintQueue) empty() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.list) == 0 && !q.overflow && !q.journal
}

func (q *hintQueue) drain() (list []Hint, overflow bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	list, overflow = q.list, q.overflow
	q.list, q.overflow, q.journal = nil, false, false
	return list, overflow
}

// names returns the file names that waiting hints name, and whether some were lost.
func (q *hintQueue) names() (names []Hint, lost bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return append([]Hint(nil), q.list...), q.overflow
}

func (q *hintQueue) stop() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.stopped = true
}

// Hint takes a hint. It is quick and does no I/O. While somebody listens (Notify), a
// goroutine that ends with the hints acts on them; else the next Refresh does.
func (m *Mailbox) Hint(h Hint) {
	q := &m.hints
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case h.Kind == HintJournal, h.Kind == HintRegister:
		q.journal = true
	case h.Kind == HintOverflow, h.Kind == HintGone, len(q.list) >= maxHints:
		q.list, q.overflow = nil, true
	case !q.overflow:
		q.list = append(q.list, h)
	}
	if !q.settling && !q.stopped && m.hasListeners() {
		q.settling = true
		m.settlers.Go(m.settleHints)
	}
}

// settleHints acts on hints until there are none.
func (m *Mailbox) settleHints() {
	q := &m.hints
	for {
		err := m.settleOnce()
		q.mu.Lock()
		if err != nil || q.stopped || len(q.list) == 0 && !q.overflow && !q.journal {
			q.settling = false
			q.mu.Unlock()
			break
		}
		q.mu.Unlock()
	}
}

func (m *Mailbox) settleOnce() (err error) {
	defer func() {
		if p := recover(); p != nil { // the mailbox is marked doubtful
			m.log.Error("panic while acting on hints", "panic", p)
			err = ErrDoubtful
		}
	}()
	ctx := context.Background()
	_, err = m.Refresh(ctx)
	if err != nil && !errors.Is(err, ErrClosed) && !errors.Is(err, ErrGone) {
		m.log.Warn("acting on a change failed", "mailbox", m.folder.Dir().Path(), "error", err)
	}
	return err
}

// isNamed says whether one of the hints names a file of this base name.
func (m *Mailbox) isNamed(hints []Hint, base string) bool {
	for _, h := range hints {
		for _, name := range [2]string{h.Name, h.OldName} {
			if f, ok := m.folder.Parse(name, false); name != "" && ok && f.Base == base {
				return true
			}
		}
	}
	return false
}

// trail is what the hints say of one base name.
type trail struct {
	files []mail.MessageFile // where it may be
	last  HintKind           // of the last hint
}

// reconcileHints looks at the files that hints name, and only at those.
func (m *Mailbox) reconcileHints(ctx context.Context) error {
	list, overflow := m.hints.drain()
	if overflow {
		m.dirs[inNewDir].broken, m.dirs[inCurDir].broken = true, true
	}
	if len(list) == 0 {
		return nil
	}
	trails, order := m.trails(list)
	s := m.Snapshot()
	v := newFindings(s)
	for _, base := range order {
		t := trails[base]
		uid, i, known := m.lookup(s, base)
		if known {
			msg := s.Message(i)
			if t.harmless(msg) {
				continue
			}
			t.files = append(t.files, msg.file())
		}
		if !m.settle(v, base, t.files) && known && t.last == HintWent {
			v.gone.Add(uid)
		}
	}
	if err := m.commit(ctx, v); err != nil {
		if bearable(err) {
			return nil // m.full has it tried again; what asks is served meanwhile
		}
		return err
	}
	return nil
}

// harmless says that the hints end where the message is known to be, as the echo of
// a change of ours does.
func (t *trail) harmless(msg Message) bool {
	f := t.files[len(t.files)-1]
	return t.last == HintRenamed && sameName(msg, f)
}

func (m *Mailbox) trails(list []Hint) (trails map[string]*trail, order []string) {
	trails = map[string]*trail{}
	note := func(name string, isNew bool, kind HintKind) {
		m.dirs[dirIndex(isNew)].explained = true
		f, ok := m.folder.Parse(name, isNew)
		if name == "" || !ok {
			return
		}
		t := trails[f.Base]
		if t == nil {
			t = &trail{}
			trails[f.Base] = t
			order = append(order, f.Base)
		}
		t.files, t.last = append(t.files, f), kind
	}
	for _, h := range list {
		if h.Kind == HintRenamed {
			note(h.OldName, h.OldNew, HintWent)
		}
		note(h.Name, h.InNew, h.Kind)
	}
	return trails, order
}
