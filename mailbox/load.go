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
	// jump is how far UIDNEXT and the mod-sequence go ahead when a journal was
	// copied or restored: above all that its other life may have given.
	jump = 1_000_000

	// A journal is made anew when it is this long and this many times as long as
	// a checkpoint of its state would be; a snapshot file is written when the
	// journal has grown by that since the last.
	compactSize  = 1 << 20
	compactTimes = 4
	snapshotSize = 32 << 10
	messageSize  = 120 // bytes of a message in a journal, roughly
)

// load opens the journal and brings the state up to its end. The folder's lock is
// held.
func (m *Mailbox) load() error {
	j, found, err := index.Open(m.dir, index.Options{Now: m.now, Fsync: m.c.Fsync})
	if err != nil {
		return fmt.Errorf("opening the journal: %w", err)
	}
	m.journal, m.infos, m.names = j, newInfos(), newNameTable()
	m.epoch++
	m.syncing.Store(&syncing{m.epoch, j})
	m.times = index.Times{}
	if found.Damage != nil {
		m.log.Error("a journal that cannot be read was put aside", "folder", m.folder.Dir().Path(), "as", found.Set, "error", found.Damage)
	}
	b := newBuilder(emptySnapshot(), m.infos)
	m.loadSnapshot(b)
	if err := j.ReadTail(func(batch *index.Batch) error { m.apply(b, batch); return nil }); err != nil {
		return fmt.Errorf("reading the journal: %w", err)
	}
	s := m.publish(b)
	if err := m.identify(s, found.Moved); err != nil {
		return err
	}
	if old := m.cache.Swap(index.OpenCache(m.dir, m.Snapshot().UIDValidity())); old != nil {
		old.Close()
	}
	return nil
}

// loadSnapshot begins with the snapshot file, if one fits. One that cannot be read
// is as good as none.
func (m *Mailbox) loadSnapshot(b *builder) {
	s, err := m.journal.OpenSnapshot()
	if err != nil {
		m.log.Warn("the snapshot of a mailbox is not used", "folder", m.folder.Dir().Path(), "error", err)
	}
	if s == nil {
		return
	}
	defer s.Close()
	modseq, head := s.Head()
	m.apply(b, &index.Batch{ModSeq: modseq, Records: head})
	var rows []index.Message
	for i := range s.Chunks() {
		if rows, err = s.Chunk(i, rows[:0]); err != nil {
			m.log.Warn("the snapshot of a mailbox is damaged; the journal is read instead", "folder", m.folder.Dir().Path(), "error", err)
			m.journal.Rewind()
			*b = *newBuilder(emptySnapshot(), m.infos)
			m.names = newNameTable()
			return
		}
		for k := range rows {
			b.add(&rows[k])
			m.names.add(rows[k].Base, rows[k].UID)
		}
	}
}

// identify gives a mailbox without a UIDVALIDITY one, and goes above every UID that
// may have been given elsewhere.
func (m *Mailbox) identify(s *Snapshot, moved bool) error {
	v, next, modseq := s.validity, s.uidNext, s.modseq
	if v == 0 {
		var err error
		if v, err = m.c.Validity(); err != nil {
			return fmt.Errorf("asking for a UIDVALIDITY: %w", err)
		}
	}
	if moved {
		m.log.Warn("the mailbox's files were copied or restored: UIDs go on far above", "folder", m.folder.Dir().Path())
		next, modseq = next+jump, modseq+jump
	}
	if m.c.Floor != nil {
		uid, mod, err := m.c.Floor()
		if err != nil {
			return fmt.Errorf("asking for the account's marks: %w", err)
		}
		next, modseq = max(next, uid), max(modseq, mod)
	}
	if v == s.validity && next == s.uidNext && modseq == s.modseq {
		return nil
	}
	return m.write(modseq+1, index.ValiditySet{UIDValidity: v, UIDNext: next})
}

// reload throws the state away and loads it from the files.
func (m *Mailbox) reload() error {
	if m.journal != nil {
		m.journal.Close()
		m.journal = nil
	}
	if err := m.load(); err != nil {
		return err
	}
	m.doubtful = false
	m.setOverflow()
	return nil
}

// readTail takes over what other processes wrote.
func (m *Mailbox) readTail() error {
	grown, err := m.journal.Grown()
	if err != nil || !grown {
		return err
	}
	b := newBuilder(m.Snapshot(), m.infos)
	n := 0
	err = m.journal.ReadTail(func(batch *index.Batch) error { m.apply(b, batch); n++; return nil })
	if errors.Is(err, index.ErrReplaced) {
		return m.reload()
	}
	if err != nil {
		return fmt.Errorf("reading the journal: %w", err)
	}
	if n > 0 {
		m.publish(b)
	}
	return nil
}

// publish makes what was built the newest snapshot.
func (m *Mailbox) publish(b *builder) *Snapshot {
	b.next.at = position{m.epoch, m.journal.Pos()}
	s := b.finish()
	m.snap.Store(s)
	m.group.wrote(s.at)
	m.wake()
	return s
}

// write puts records into the journal as one batch and publishes them.
func (m *Mailbox) write(modseq mail.ModSeq, records ...index.Record) error {
	batch := &index.Batch{ModSeq: modseq, At: index.StampOf(m.now()), Records: records}
	if _, err := m.journal.Append(batch); err != nil {
		switch {
		case errors.Is(err, index.ErrFull):
			return fmt.Errorf("%w: %w", ErrFull, err)
		case errors.Is(err, index.ErrReadOnly):
			return fmt.Errorf("%w: %w", ErrReadOnly, err)
		}
		return fmt.Errorf("writing the journal: %w", noSpace(err))
	}
	b := newBuilder(m.Snapshot(), m.infos)
	m.apply(b, batch)
	m.publish(b)
	return nil
}

// tell writes records that clients can see.
func (m *Mailbox) tell(records ...index.Record) error {
	return m.write(m.Snapshot().modseq+1, records...)
}

// note writes records that clients do not see.
func (m *Mailbox) note(records ...index.Record) error {
	return m.write(m.Snapshot().modseq, records...)
}

// checkpoint writes the snapshot file, and the journal anew, where that is worth it.
func (m *Mailbox) checkpoint(ctx context.Context) error {
	s := m.Snapshot()
	live := int64(s.n) * messageSize
	pos := m.journal.Pos()
	if pos < snapshotSize && s.n < chunkLen {
		return nil
	}
	unlock, err := m.folder.Dir().Lock(ctx)
	if err != nil {
		return fmt.Errorf("locking the mailbox: %w", err)
	}
	defer unlock()
	if err := m.readTail(); err != nil {
		return err
	}
	s = m.Snapshot()
	if pos > compactSize && pos > compactTimes*live {
		if err := m.compact(); err != nil {
			return err
		}
	}
	if err := m.durable(m.Snapshot().at); err != nil {
		return err
	}
	c := m.cache.Load()
	c.Compact(func(uid mail.UID) bool { _, ok := s.Find(uid); return ok })
	return m.journal.WriteSnapshot(s.modseq, m.head(s), m.rows(s))
}

// compact begins a new journal with the present state.
func (m *Mailbox) compact() error {
	s := m.Snapshot()
	err := m.journal.Compact(s.modseq, func(yield func(index.Record) bool) {
		for _, r := range m.head(s) {
			if !yield(r) {
				return
			}
		}
		for row := range m.rows(s) {
			if !yield(index.Appended{Message: *row}) {
				return
			}
		}
	})
	if err != nil {
		return fmt.Errorf("writing the journal anew: %w", err)
	}
	m.epoch++
	m.syncing.Store(&syncing{m.epoch, m.journal})
	next := *s
	next.at = position{m.epoch, m.journal.Pos()}
	m.snap.Store(&next)
	m.group.restart(next.at)
	return nil
}

// head is the records that bring an empty mailbox to the state of s, but for the
// messages.
func (m *Mailbox) head(s *Snapshot) []index.Record {
	records := []index.Record{index.ValiditySet{UIDValidity: s.validity, UIDNext: s.uidNext}, index.RecentClaimed{UpTo: s.recentFrom - 1}}
	for id, name := range s.keywords.names {
		records = append(records, index.KeywordNamed{ID: index.KeywordID(id), Name: name})
	}
	for id, set := range s.keywords.sets {
		if id > 0 {
			records = append(records, index.SetNamed{ID: index.SetID(id), Keywords: set})
		}
	}
	return records
}

// rows yields the messages as the index has them.
func (m *Mailbox) rows(s *Snapshot) iter.Seq[*index.Message] {
	return func(yield func(*index.Message) bool) {
		for _, sp := range s.spine {
			for i := range sp.c.ids {
				row := sp.c.row(i, s.infos)
				if !yield(&row) {
					return
				}
			}
		}
	}
}
