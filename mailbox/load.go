package mailbox

import (
	"context"
	"errors"
	"fmt"
	"time"

	"postrider/index"
	"postrider/mail"
	"postrider/vfs"
)

const (
	// jump is how far UIDNEXT and the mod-sequence go ahead when a journal was
	// copied or restored: above all that its other life may have given.
	jump = 1_000_000

	// A journal is made anew when it is this long and this many times as long as
	// a checkpoint of its state would be.
	compactSize  = 1 << 20
	compactTimes = 4
	messageSize  = 120 // bytes of a message in a journal, roughly
)

// load opens the journal and brings the state up to its end, beginning with the
// snapshot file if shortcut allows it. The folder's lock is held. Older snapshots may
// need the files that were open before: those close when nothing refers to them.
func (m *Mailbox) load(shortcut bool) error {
	m.sync.run.Lock()
	defer m.sync.run.Unlock()
	j, found, err := index.Open(m.dir, index.Options{Now: m.now, Fsync: m.c.Fsync})
	if err != nil {
		return fmt.Errorf("opening the journal: %w", err)
	}
	memory := m.memory()
	m.journal, m.infos, m.names, m.side = j, newInfos(), nil, side{}
	m.backing, m.snapped, m.scattered = nil, 0, 0
	m.outdated.Store(false)
	m.epoch++
	m.sync.renewed(m.epoch)
	m.newJournal()
	if found.Damage != nil {
		m.c.Counts.recover.Add(1)
		m.log.Error("a journal that cannot be read was put aside", "as", found.Set, "error", found.Damage)
	}
	m.loading = true
	defer func() { m.loading = false }()
	b := newBuilder(emptySnapshot(m.shape), m.infos)
	if shortcut {
		m.loadSnapshot(b)
	}
	if err := j.ReadTail(func(batch *index.Batch) error { m.apply(b, batch); return nil }); err != nil {
		return fmt.Errorf("reading the journal: %w", err)
	}
	m.readOnly.Store(j.ReadOnly() != nil)
	switch ahead := memory.ahead(&b.next.head, j.Generation()); {
	case ahead && memory.whole():
		err = m.remember(memory)
	default:
		if ahead {
			found.Moved = true
			memory.raise(&b.next.head)
		}
		b.next.at = position{m.epoch, j.Pos()}
		err = m.settleNumbers(m.publish(b), found)
	}
	if err == nil {
		err = m.heal()
	}
	if err == nil {
		m.openCache()
	}
	return err
}

// settleNumbers gives a mailbox that was read its numbers: those of another server if
// it has none, else its own.
func (m *Mailbox) settleNumbers(s *Snapshot, found index.Opened) error {
	adopting, err := m.recall(s, found.Damage != nil)
	if err == nil && !adopting {
		err = m.identify(s, found.Moved)
	}
	return err
}

func (m *Mailbox) openCache() {
	if old := m.cache.Swap(index.OpenCache(m.dir, m.Snapshot().UIDValidity())); old != nil {
		old.Close()
	}
}

// loadSnapshot begins with the snapshot file, if one fits. One that cannot be read
// is as good as none. Messages are read from it when somebody asks for them.
func (m *Mailbox) loadSnapshot(b *builder) {
	s, err := m.journal.OpenSnapshot()
	if err != nil {
		m.log.Warn("the snapshot of a mailbox is not used", "error", err)
	}
	if s == nil {
		return
	}
	modseq, head := s.Head()
	m.apply(b, &index.Batch{ModSeq: modseq, At: index.StampOf(m.now()), Records: head})
	m.backing = m.newBacking(s)
	b.adopt(m.backing)
	b.next.uidNext = max(b.next.uidNext, min(b.last(), maxUID)+1)
	m.backing.uidNext = b.next.uidNext
	m.snapped = m.journal.Pos()
}

func (m *Mailbox) newBacking(s *index.Snapshot) *backing {
	f := &backing{infos: m.infos, file: s, doubt: m.doubt, outdated: func() { m.outdated.Store(true) }, stir: m.stir, inserted: m.inserted}
	dir, now := m.dir, m.now
	f.other = func() (*Snapshot, error) { return fromJournal(dir, s, now) }
	return f
}

// fromJournal makes the state of a snapshot file from the journal that it is of.
func fromJournal(dir vfs.Dir, file *index.Snapshot, now func() time.Time) (*Snapshot, error) {
	l := newLooker(now)
	err := index.ReadUpTo(dir, file.Generation(), file.Pos(), l.take)
	if err != nil {
		return nil, err
	}
	return l.state(), nil
}

// identify gives a mailbox without a UIDVALIDITY one, and goes above every UID that
// may have been given elsewhere.
func (m *Mailbox) identify(s *Snapshot, moved bool) error {
	known, err := m.floor()
	if err != nil {
		return err
	}
	v, next, modseq := s.validity, s.uidNext, s.modseq
	if v == 0 {
		if v, err = m.baptize(known); err != nil {
			return err
		}
	}
	lost := m.lostTail()
	if moved || lost > 0 {
		m.log.Warn("the mailbox's files were copied, restored or not synced: UIDs go on above")
		if moved {
			lost = jump
		}
		next, modseq = next+min(lost, maxUID-next), modseq+mail.ModSeq(lost)
	}
	doubt := moved || lost > 0 || s.validity == 0 || m.interrupted() || m.behind(known)
	if doubt && known.UIDValidity == v {
		next, modseq = max(next, min(known.UIDNext, maxUID)), max(modseq, known.ModSeq)
	}
	m.unproven = !doubt && s.uidNext > 1
	if v == s.validity && next == s.uidNext && modseq == s.modseq {
		err = m.noteMarks(known)
	} else {
		err = m.write(modseq+1, index.ValiditySet{UIDValidity: v, UIDNext: next})
	}
	if err == nil {
		err = m.markLife()
	}
	if s.validity != 0 && bearable(err) {
		return nil // nothing else can be written either
	}
	return err
}

// unsafeMark is in a journal while it is written without fsync. Its value says in which
// life of the machine: only the machine's stop, not the process's, loses what was written.
const unsafeMark = "nofsync"

// smallJump is above what can be lost where it is not known whether something was.
const smallJump = 10_000

// lostTail is how many numbers may have been given that the journal does not know
// because it was written without fsync.
func (m *Mailbox) lostTail() mail.UID {
	switch life := m.side.marks[unsafeMark]; {
	case life == "" || m.epoch > 1 || m.c.Boot != "" && life == m.c.Boot:
		return 0
	case m.c.Boot == "" || life == unknownLife:
		return smallJump
	}
	return jump
}

const unknownLife = "?"

// markLife notes in the journal whether, and in which life, it is not synced.
func (m *Mailbox) markLife() error {
	want := ""
	if !m.c.Fsync {
		if want = m.c.Boot; want == "" {
			want = unknownLife
		}
	}
	if m.side.marks[unsafeMark] == want {
		return nil
	}
	return m.note(index.Mark{Name: unsafeMark, Value: want})
}

// maxUID is the last number that a message may get: UIDNEXT must fit, too.
const maxUID = mail.UID(1<<32 - 2)

// reload throws the state away and loads it from the files.
func (m *Mailbox) reload(shortcut bool) error {
	m.sync.run.Lock()
	m.journal.Close()
	m.sync.run.Unlock()
	err := m.reopenIndexDir()
	if err == nil {
		err = m.load(shortcut)
	}
	if err != nil {
		m.doubtful.Store(true)
	}
	return err
}

// recover makes a doubtful state sure: everything is read anew, of the snapshot file
// nothing is believed, and goes into a new generation of the journal, since an fsync
// that failed is never tried again.
func (m *Mailbox) recover(ctx context.Context) error {
	m.c.Counts.recover.Add(1)
	err := m.reload(false)
	if err == nil {
		m.full = true
		err = m.readStale(ctx)
	}
	if err == nil || bearable(err) {
		err = m.compact()
	}
	m.doubtful.Store(err != nil)
	return err
}

// readTail takes over what other processes wrote.
func (m *Mailbox) readTail() error {
	grown, err := m.journal.Grown()
	if err != nil || !grown {
		return err
	}
	if err := m.journal.Wake(); err != nil && !errors.Is(err, index.ErrReplaced) {
		return fmt.Errorf("reading the journal: %w", err)
	}
	b := newBuilder(m.Snapshot(), m.infos)
	n := 0
	err = m.journal.ReadTail(func(batch *index.Batch) error { m.apply(b, batch); n++; return nil })
	replaced := errors.Is(err, index.ErrReplaced)
	m.readOnly.Store(m.journal.ReadOnly() != nil)
	if err != nil && !replaced {
		m.doubtful.Store(true) // a part of it was applied, and is lost with b
		return fmt.Errorf("reading the journal: %w", err)
	}
	if n > 0 {
		b.next.at = position{m.epoch, m.journal.Pos()}
		m.publish(b)
	}
	if replaced {
		return m.reload(true)
	}
	return nil
}

// publish makes what was built the newest snapshot.
func (m *Mailbox) publish(b *builder) *Snapshot {
	m.serial++
	b.next.serial = m.serial
	m.scattered += b.unhomed
	m.removed = m.removed || b.shrunk
	s := b.finish()
	m.keepLater()
	m.stir()
	old := m.snap.Swap(s)
	if old == nil || s.modseq != old.modseq || s.uidNext != old.uidNext || s.validity != old.validity {
		m.wake()
	}
	return s
}

// write puts records into the journal as one batch and publishes them. A batch
// without a mod-sequence of its own is nothing that must be durable before it is told.
func (m *Mailbox) write(modseq mail.ModSeq, records ...index.Record) error {
	batch := &index.Batch{ModSeq: modseq, At: index.StampOf(m.now()), Records: records}
	if err := m.registerKeywords(records); err != nil {
		m.full = true
		return err
	}
	m.markLifeOf(batch)
	err := m.markAhead(batch)
	var end int64
	if err == nil {
		end, err = m.journal.Append(batch)
	}
	if err != nil {
		m.full = true // what happened to files is not written down
		m.reg.reread = true
		switch {
		case errors.Is(err, index.ErrSyncFailed):
			m.doubtful.Store(true)
		case errors.Is(err, index.ErrFull):
			return fmt.Errorf("%w: %w", ErrFull, err)
		case errors.Is(err, index.ErrReadOnly):
			return fmt.Errorf("%w: %w", ErrReadOnly, err)
		}
		return fmt.Errorf("writing the journal: %w", noSpace(err))
	}
	m.c.Counts.batches.Add(1)
	s := m.Snapshot()
	b := newBuilder(s, m.infos)
	m.apply(b, batch)
	if modseq > s.modseq {
		b.next.at = position{m.epoch, end}
	}
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
