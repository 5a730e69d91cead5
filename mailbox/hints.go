package mailbox

import (
	"context"
	"errors"
	"sync"
	"time"

	"postrider/mail"
)

// maxHints bounds what waits: beyond it a full reading costs less.
const maxHints = 20_000

// hintQueue is the hints that wait to be acted on.
type hintQueue struct {
	mu       sync.Mutex
	list     []Hint
	overflow bool      // some were lost
	since    time.Time // none of them before this; zero: not known
	gone     bool      // the folder may be gone
	journal  bool      // somebody wrote to the journal
	changed  bool      // what is polled looks different
	taken    uint64    // counts the hints
	news     time.Time // when acting on hints last led to a change that clients see
	settling bool      // a goroutine is at it
	stopped  bool
}

// empty says that nothing waits that names a file, or may have.
func (q *hintQueue) empty() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.list) == 0 && !q.overflow && !q.gone
}

// pendingLocked says that something waits to be looked at.
func (q *hintQueue) pendingLocked() bool {
	return len(q.list) > 0 || q.overflow || q.gone || q.journal || q.changed
}

// looked takes out what says no more than to look at times and lengths: its caller is
// about to.
func (q *hintQueue) looked() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.journal, q.changed = false, false
}

// takeJournal takes out that somebody wrote to the journal, if that is all.
func (q *hintQueue) takeJournal() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	only := q.journal && len(q.list) == 0 && !q.overflow && !q.gone && !q.changed
	q.journal = q.journal && !only
	return only
}

// lost says that hints were lost.
func (q *hintQueue) lost() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.overflow
}

// loseLocked notes that hints were lost, none of them before since.
func (q *hintQueue) loseLocked(since time.Time) {
	if !q.overflow || since.Before(q.since) {
		q.since = since
	}
	q.overflow = true
}

// drained is what a drain took out.
type drained struct {
	list     []Hint
	overflow bool
	since    time.Time
}

func (q *hintQueue) drain() drained {
	q.mu.Lock()
	defer q.mu.Unlock()
	d := drained{q.list, q.overflow, q.since}
	q.list, q.overflow, q.since = nil, false, time.Time{}
	return d
}

// takeGone takes out that the folder may be gone.
func (q *hintQueue) takeGone() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	gone := q.gone
	q.gone = false
	return gone
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

func (q *hintQueue) isStopped() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.stopped
}

// Hint takes a hint. It is quick and does no I/O. While somebody listens (Notify), a
// goroutine that ends with the hints acts on them; else the next Refresh does. After
// losses it acts in any case, so that no command has to.
func (m *Mailbox) Hint(h Hint) {
	q := &m.hints
	q.mu.Lock()
	defer q.mu.Unlock()
	q.taken++
	switch {
	case h.Kind == HintJournal:
		q.journal = true
	case h.Kind == HintChanged, h.Kind == HintRegister:
		q.changed = true
	case h.Kind == HintGone:
		q.gone = true
	case h.Kind == HintOverflow:
		q.loseLocked(h.Since)
	case len(q.list) >= maxHints:
		q.list = nil
		q.loseLocked(time.Time{})
	default:
		q.list = append(q.list, h)
	}
	if !q.settling && !q.stopped && (q.overflow || q.gone || m.hasListeners()) {
		q.settling = true
		m.settlers.Go(m.settleHints)
	}
}

// gathering is how long hints are gathered after some led to news: in a burst, who
// listens is woken some hundred times a second and not for each file.
const gathering = 2 * time.Millisecond

// settleHints acts on hints until there are none, on the first at once. After a failure
// it waits for the next.
func (m *Mailbox) settleHints() {
	q := &m.hints
	for {
		q.mu.Lock()
		pause := time.Until(q.news.Add(gathering))
		q.mu.Unlock()
		if pause > 0 {
			time.Sleep(pause)
		}
		q.mu.Lock()
		taken, before := q.taken, m.Snapshot()
		q.mu.Unlock()
		err := m.settleOnce()
		q.mu.Lock()
		if m.Snapshot().modseq != before.modseq {
			q.news = time.Now()
		}
		if err != nil && taken == q.taken || q.stopped || !q.pendingLocked() {
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
	if m.c.Lookers != nil && m.hints.lost() {
		m.c.Lookers <- struct{}{}
		defer func() { <-m.c.Lookers }()
		if m.hints.isStopped() {
			return ErrClosed
		}
	}
	ctx := context.Background()
	if m.hints.takeJournal() {
		err = m.readNews(ctx)
	} else {
		_, err = m.Refresh(ctx)
	}
	if err != nil && !errors.Is(err, ErrClosed) && !errors.Is(err, ErrGone) {
		m.log.Warn("acting on a change failed", "error", err)
	}
	return err
}

// readNews takes over what another process wrote to the journal. That it was
// ourselves costs one fstat to know.
func (m *Mailbox) readNews(ctx context.Context) error {
	if err := m.take(ctx); err != nil {
		return err
	}
	defer func() { <-m.lock }()
	if grown, err := m.journal.Grown(); err != nil || !grown {
		return err
	}
	return m.locked(ctx, func() error { return nil })
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
	d := m.hints.drain()
	if d.overflow {
		m.dirs[inNewDir].lose(d.since)
		m.dirs[inCurDir].lose(d.since)
	}
	list := d.list
	if len(list) == 0 {
		return nil
	}
	trails, order := m.trails(list)
	s := m.Snapshot()
	v, looked := newFindings(s), int64(0)
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
		looked = 1
		if !m.settle(v, base, t.files) && known && t.last == HintWent {
			v.gone.Add(uid)
		}
	}
	m.c.Counts.hintReadings.Add(looked)
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

// maxEchoes bounds how many hints are looked through for echoes.
const maxEchoes = 64

// few returns the hints that name files if there are some, but no more than maxEchoes,
// and nothing else waits.
func (q *hintQueue) few() []Hint {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.list) > maxEchoes || q.overflow || q.gone {
		return nil
	}
	return append([]Hint(nil), q.list...)
}

// forget takes out the first n hints.
func (q *hintQueue) forget(n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.list = append([]Hint(nil), q.list[min(n, len(q.list)):]...) // fewer only after a loss
}

// dropEchoes takes out the hints if all of them end where messages are known to be, as
// the echoes of our own changes do: no file needs to be looked at, and no other process
// kept out. The lock of this process is held, so nobody else takes hints out.
func (m *Mailbox) dropEchoes() {
	list := m.hints.few()
	if len(list) == 0 {
		return
	}
	trails, _ := m.trails(list)
	s := m.Snapshot()
	for base, t := range trails {
		if _, i, known := m.lookup(s, base); !known || !t.harmless(s.Message(i)) {
			return
		}
	}
	m.hints.forget(len(list))
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
