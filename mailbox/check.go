package mailbox

import (
	"context"
	"errors"
	"fmt"

	"postrider/index"
	"postrider/mail"
)

// Check compares directory, journal and snapshot and returns what does not
// agree. It is for tests and for an administrator's doubt.
func (m *Mailbox) Check(ctx context.Context) error {
	return m.change(ctx, func() error {
		if err := m.reconcile(ctx, [2]bool{true, true}); err != nil {
			return err
		}
		s := m.Snapshot()
		return errors.Join(m.checkOrder(s), m.checkFiles(s), m.checkJournal(s))
	})
}

// checkOrder looks at the snapshot alone.
func (m *Mailbox) checkOrder(s *Snapshot) error {
	var errs []error
	last, bases := mail.UID(0), map[string]mail.UID{}
	counted := sums{}
	for i, msg := range s.All(0) {
		if msg.UID <= last {
			errs = append(errs, fmt.Errorf("UID %d follows %d", msg.UID, last))
		}
		last = msg.UID
		if other, twice := bases[msg.Base]; twice {
			errs = append(errs, fmt.Errorf("UIDs %d and %d have the base name %q", other, msg.UID, msg.Base))
		}
		bases[msg.Base] = msg.UID
		if at, ok := s.Find(msg.UID); !ok || at != i {
			errs = append(errs, fmt.Errorf("UID %d is found at %d, not %d", msg.UID, at, i))
		}
		if msg.ModSeq > s.modseq {
			errs = append(errs, fmt.Errorf("UID %d has modseq %d above %d", msg.UID, msg.ModSeq, s.modseq))
		}
	}
	for start, c := range s.tree().chunks(0) {
		counted.add(c.cols().count(), 1)
		var m chunk
		if m.measure(c.cols()); m.meta != c.meta {
			errs = append(errs, fmt.Errorf("of the chunk at %d is known %+v, its messages say %+v", start, c.meta, m.meta))
		}
	}
	if last >= s.uidNext {
		errs = append(errs, fmt.Errorf("UIDNEXT is %d, the last UID %d", s.uidNext, last))
	}
	if counted != s.sums {
		errs = append(errs, fmt.Errorf("the counters say %+v, the messages %+v", s.sums, counted))
	}
	return errors.Join(errs...)
}

// checkFiles compares the snapshot with the directories.
func (m *Mailbox) checkFiles(s *Snapshot) error {
	var errs []error
	n := 0
	err := m.folder.Scan(true, true, func(f mail.MessageFile) bool {
		n++
		msg, ok := m.byBase(s, f.Base)
		switch {
		case !ok:
			errs = append(errs, fmt.Errorf("the file %q has no UID", f.Name))
		case msg.Base+msg.Info != f.Name || msg.New != f.New || msg.Flags != f.Flags:
			errs = append(errs, fmt.Errorf("UID %d has the file %q (new %v), the snapshot says %q (new %v, %v)", msg.UID, f.Name, f.New, msg.Base+msg.Info, msg.New, msg.Flags))
		}
		return true
	})
	if n != s.Len() {
		errs = append(errs, fmt.Errorf("%d files, %d messages", n, s.Len()))
	}
	return errors.Join(append(errs, err)...)
}

// checkJournal reads the journal anew and compares.
func (m *Mailbox) checkJournal(s *Snapshot) error {
	j, _, err := index.Open(m.dir, index.Options{Now: m.now, Fsync: m.c.Fsync})
	if err != nil {
		return err
	}
	defer j.Close()
	other := &Mailbox{c: m.c, folder: m.folder, log: m.log, now: m.now, journal: j, infos: newInfos()}
	b := newBuilder(emptySnapshot(m.shape), other.infos)
	if err := j.ReadTail(func(batch *index.Batch) error { other.apply(b, batch); return nil }); err != nil {
		return fmt.Errorf("reading the journal: %w", err)
	}
	t := b.finish()
	if t.Len() != s.Len() || t.uidNext != s.uidNext || t.validity != s.validity || t.modseq != s.modseq || (t.recentFrom != s.recentFrom && !m.unclaimed) {
		return fmt.Errorf("the journal says %d messages, %+v; the snapshot %d, %+v", t.Len(), t.head, s.Len(), s.head)
	}
	var errs []error
	for i, a := range s.All(0) {
		b := t.Message(i)
		if a.UID != b.UID || a.Flags != b.Flags || a.ModSeq != b.ModSeq || a.Base != b.Base || a.Info != b.Info || a.New != b.New || a.Keywords != b.Keywords {
			errs = append(errs, fmt.Errorf("the journal says %+v, the snapshot %+v", b, a))
		}
	}
	return errors.Join(errs...)
}
