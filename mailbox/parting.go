package mailbox

import (
	"context"
	"errors"

	"postrider/index"
)

// What the next opening may believe is written when a mailbox goes quiet, and not first
// when it is closed: thousands of clients that lose their connections in one moment
// would have as many sleeping mailboxes opened again, each for a few lines. So to close
// one to which nothing happened since costs no file. It is never wrong to leave these
// lines out, or to have written them too early: they name times of directories, and a
// directory that changed later has another.

// part writes what the next opening may believe, if there is something new, and says
// whether it did. It takes the locks itself.
func (m *Mailbox) part(ctx context.Context) (wrote bool) {
	if !m.mayPart() {
		return false
	}
	err := m.Durable(ctx, m.Snapshot())
	if err == nil {
		err = m.syncDeferred()
	}
	if err == nil {
		err = m.change(ctx, func() error {
			if m.c.Fsync && !m.sync.reached(m.Snapshot().at) {
				return nil // there was a change meanwhile, perhaps by another process: later
			}
			records := m.parting()
			if wrote = len(records) > 0; wrote {
				if err := m.note(records...); err != nil {
					return err
				}
			}
			m.parted = m.serial
			return nil
		})
	}
	if err != nil && !errors.Is(err, ErrClosed) && !errors.Is(err, ErrGone) && !bearable(err) {
		m.log.Debug("what the next opening may believe is written later", "error", err)
	}
	return wrote && err == nil
}

// mayPart says whether something happened since part was here last.
func (m *Mailbox) mayPart() bool {
	m.lock <- struct{}{}
	defer func() { <-m.lock }()
	return !m.closed && m.journal != nil && m.parted != m.serial && !m.gone.Load() && !m.readOnly.Load() && !m.doubtful.Load()
}

// parting is what part writes. Both locks are held. That the files were written without
// fsync is said until they are closed.
func (m *Mailbox) parting() []index.Record {
	var records []index.Record
	if t := m.provable(); (t.NewKnown || t.CurKnown) && !sameTimes(t, m.side.times) {
		records = append(records, t)
	}
	if m.unclaimed {
		records = append(records, index.RecentClaimed{UpTo: m.Snapshot().recentFrom - 1})
	}
	if m.side.marks[lifeMark] != "" {
		records = append(records, index.Mark{Name: lifeMark})
	}
	return append(records, m.keptMark()...)
}

// hasParted says that there is nothing to write before the mailbox is closed.
func (m *Mailbox) hasParted() bool {
	m.lock <- struct{}{}
	defer func() { <-m.lock }()
	return m.journal != nil && m.parted == m.serial && m.sync.clean() && m.side.marks[unsafeMark] == "" && !m.registerDue() &&
		!m.removed && !m.outdated.Load() && !m.longJournal() && !m.oldSnapshot() && m.hints.none()
}

// none says that no hint waits.
func (q *hintQueue) none() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return !q.pendingLocked()
}

// writeLast writes what is pending.
func (m *Mailbox) writeLast(ctx context.Context) error {
	err := m.Durable(ctx, m.Snapshot())
	if err == nil {
		err = m.syncDeferred()
	}
	if err == nil {
		m.keepAtEnd()
		err = m.change(ctx, m.finish)
	}
	if errors.Is(err, ErrClosed) || bearable(err) {
		err = nil
	}
	return err
}

// finish notes what the next opening may believe, and writes the snapshot file if
// that is worth it.
func (m *Mailbox) finish() error {
	records := m.parting()
	if m.side.marks[unsafeMark] != "" {
		records = append(records, index.Mark{Name: unsafeMark})
	}
	if len(records) > 0 {
		if err := m.note(records...); err != nil {
			return err
		}
	}
	return m.checkpoint()
}
