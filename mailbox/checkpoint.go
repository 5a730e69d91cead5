package mailbox

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"postrider/index"
	"postrider/mail"
)

const (
	// A snapshot file is written when the journal has grown by this since the last,
	// and by a byte a message, since it has some 170.
	snapshotSize = 32 << 10

	// It is also written when as many chunks were changed, though the journal grew by
	// less in a large mailbox: the next opening has to read them.
	maxScattered = 512
)

// longJournal says whether the journal is worth to be made anew.
func (m *Mailbox) longJournal() bool {
	pos := m.journal.Pos()
	return m.journal.ReadOnly() == nil && pos > compactSize && pos > compactTimes*messageSize*int64(m.Snapshot().n)
}

// oldSnapshot says whether the snapshot file is worth to be written.
func (m *Mailbox) oldSnapshot() bool {
	grown := m.journal.Pos() - m.snapped
	return grown < 0 || m.sleepy && grown > 0 || grown >= max(snapshotSize, int64(m.Snapshot().n)) || grown >= snapshotSize && m.scattered >= maxScattered
}

// Compact writes the snapshot file, and the journal anew, where that is worth it.
func (m *Mailbox) Compact(ctx context.Context) error {
	return m.change(ctx, m.checkpoint)
}

// checkpoint does the work of Compact under the locks.
func (m *Mailbox) checkpoint() error {
	if m.longJournal() {
		if err := m.compact(); err != nil {
			return err
		}
	}
	if m.removed {
		s := m.Snapshot()
		m.cache.Load().Compact(func(uid mail.UID) bool { _, ok := s.Find(uid); return ok })
		m.removed = false
	}
	if !m.oldSnapshot() {
		return nil
	}
	return m.writeSnapshot()
}

// writeSnapshot writes the snapshot file under the locks.
func (m *Mailbox) writeSnapshot() error {
	d := m.draft("index.new")
	err := m.syncJournal()
	if err == nil {
		err = d.write(func() bool { return false })
	}
	if err == nil {
		err = m.install(d)
	}
	if err != nil {
		return fmt.Errorf("writing the snapshot: %w", noSpace(err))
	}
	return nil
}

// syncJournal makes durable what is in the journal. The lock is held.
func (m *Mailbox) syncJournal() error {
	m.sync.run.Lock()
	defer m.sync.run.Unlock()
	if err := m.journal.Sync(m.journal.Pos()); err != nil {
		m.doubt(err)
		return fmt.Errorf("syncing the journal: %w", err)
	}
	return nil
}

// snapshotDraft is a snapshot file in the making.
type snapshotDraft struct {
	s        *Snapshot
	w        *index.SnapshotWriter
	epoch    uint64
	inserted int
}

// draft begins a snapshot file of the newest snapshot. The lock is held.
func (m *Mailbox) draft(tmp string) *snapshotDraft {
	s := m.Snapshot()
	return &snapshotDraft{s, m.journal.BeginSnapshot(tmp, s.modseq, m.side.head(s)), m.epoch, m.inserted}
}

// errStopped says that there is something better to do.
var errStopped = fmt.Errorf("%w: given up", ErrClosed)

// write writes the file, without any lock. Nothing is left of it after an error.
func (d *snapshotDraft) write(stop func() bool) (err error) {
	for _, c := range d.s.tree().chunks(0) {
		if err = d.chunk(c); err == nil && stop() {
			err = errStopped
		}
		if err != nil {
			break
		}
	}
	if err == nil {
		err = d.w.Finish()
	}
	if err != nil {
		d.w.Abort()
	}
	return err
}

// chunk writes a chunk, which is copied where the file in use has it.
func (d *snapshotDraft) chunk(c *chunk) error {
	if at := c.home.Load(); at != nil {
		if err := at.f.copy(at.i, d.w); err == nil || !errors.Is(err, index.ErrDamaged) && !errors.Is(err, errShut) {
			return err
		}
	}
	names, cols := d.s.tree().infos.names(), c.cols()
	rows := make([]index.Message, len(cols.ids))
	for i := range rows {
		rows[i] = cols.row(i, names)
	}
	return d.w.Chunk(rows)
}

// install puts a snapshot file in place that was written, unless there is a newer one.
// Both locks are held. The chunks of the newest snapshot are read from it from now on,
// so that the file before can be closed: see backing.
func (m *Mailbox) install(d *snapshotDraft) error {
	if d.epoch != m.epoch || d.w.Pos() < m.snapped {
		d.w.Abort()
		return nil
	}
	file, err := d.w.Commit()
	if err != nil {
		return err
	}
	m.c.Counts.snapshots.Add(1)
	m.c.Counts.snapshotSize.Add(d.w.Size())
	f := m.newBacking(file)
	f.uidNext, f.inserted = d.s.uidNext, d.inserted
	places, i := make([]place, file.Chunks()), 0
	for _, c := range d.s.tree().chunks(0) {
		places[i] = place{f, i}
		c.home.Store(&places[i])
		i++
	}
	m.backing.close()
	m.backing, m.names, m.snapped, m.scattered = f, nil, d.w.Pos(), 0
	if m.sleepy {
		m.sleepy = false
		m.dropColumns()
	}
	return nil
}

// compact begins a new journal with the present state.
func (m *Mailbox) compact() error { return m.renew(newBuilder(m.Snapshot(), m.infos)) }

// renew begins a new journal with what was built, and publishes that.
func (m *Mailbox) renew(b *builder) error {
	m.sync.run.Lock()
	defer m.sync.run.Unlock()
	return m.renewSyncLocked(b)
}

// renewSyncLocked does the work of renew. It needs sync.run.
func (m *Mailbox) renewSyncLocked(b *builder) error {
	s := b.finish()
	c := m.journal.BeginCompact("journal.new", s.modseq)
	err := c.Write(records(s, m.side.head(s)))
	if err == nil {
		err = m.replaceJournal(c, b)
	}
	if err != nil {
		m.doubtful.Store(true)
		return fmt.Errorf("writing the journal anew: %w", noSpace(err))
	}
	return nil
}

// replaceJournal puts a new journal in place, and publishes what was built. Both locks
// are held, and sync.run.
func (m *Mailbox) replaceJournal(c *index.Compaction, b *builder) error {
	was := m.journal.Generation()
	if err := m.journal.Replace(c); err != nil {
		if m.journal.Generation() != was {
			m.doubt(err)
		}
		return err
	}
	m.c.Counts.compactions.Add(1)
	m.epoch++
	m.sync.renewed(m.epoch)
	m.newJournal()
	m.snapped = 0
	b.next.at = position{m.epoch, m.journal.Pos()}
	m.publish(b)
	return nil
}

// records are what brings an empty mailbox to the state of s.
func records(s *Snapshot, head []index.Record) iter.Seq[index.Record] {
	return func(yield func(index.Record) bool) {
		for _, r := range head {
			if !yield(r) {
				return
			}
		}
		for row := range s.rows() {
			if !yield(index.Appended{Message: *row}) {
				return
			}
		}
	}
}

// rows yields the messages as the index has them.
func (s *Snapshot) rows() iter.Seq[*index.Message] {
	return func(yield func(*index.Message) bool) {
		t := s.tree()
		for _, c := range t.chunks(0) {
			cols := c.cols()
			for i := range cols.ids {
				row := cols.row(i, t.infos.names())
				if !yield(&row) {
					return
				}
			}
		}
	}
}
