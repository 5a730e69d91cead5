package mailbox

import (
	"context"
	"time"
)

// After a loss of hints, many mailboxes have directories to read at once. That is done by
// some at a time (Config.Lookers), in the background, and whoever acts on other hints in
// that moment leaves it to them.

// lost says that hints were lost.
func (q *hintQueue) lost() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.overflow
}

// loseLocked notes that hints were lost, none of them before since.
func (q *hintQueue) loseLocked(since time.Time) {
	if q.held {
		if !q.aside || since.Before(q.asideFrom) {
			q.asideFrom = since
		}
		q.aside = true
		return
	}
	if !q.overflow || since.Before(q.since) {
		q.since = since
	}
	q.overflow = true
}

func (q *hintQueue) lose(since time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.loseLocked(since)
}

// hold has losses put aside until letGo, unless there are some already. Who acts on other
// hints holds them off: what the loss of hints leads to is for those who are Lookers. The
// mailbox's lock is held until letGo, so that no command misses them.
func (q *hintQueue) hold() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.held = !q.overflow
	return q.held
}

func (q *hintQueue) letGo() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.held = false
	if q.aside {
		q.aside = false
		q.loseLocked(q.asideFrom)
	}
}

// refreshSparing is Refresh for who is no Looker: what is lost meanwhile, or was just now,
// is for the next round.
func (m *Mailbox) refreshSparing(ctx context.Context) error {
	if err := m.take(ctx); err != nil {
		return err
	}
	defer func() { <-m.lock }()
	for i := range m.dirs {
		if d := &m.dirs[i]; d.broken { // a command learnt of it, and read nothing
			m.hints.lose(d.whole)
		}
	}
	if !m.hints.hold() {
		return nil
	}
	defer m.hints.letGo()
	_, err := m.refresh(ctx)
	return err
}

// onlyGone says that nothing waits but that the folder may be gone.
func (q *hintQueue) onlyGone() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.gone && len(q.list) == 0 && !q.overflow && !q.journal && !q.changed
}

// lookWhetherHere acts on a hint that the folder may be gone, and looks at nothing else: the
// hint comes to all mailboxes of an account at once.
func (m *Mailbox) lookWhetherHere(ctx context.Context) error {
	if err := m.take(ctx); err != nil {
		return err
	}
	defer func() { <-m.lock }()
	if m.hints.takeGone() {
		m.departed()
	}
	return nil
}
