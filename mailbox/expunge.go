package mailbox

import (
	"context"
	"errors"
	"fmt"

	"postrider/index"
	"postrider/mail"
)

// Expunge removes the messages of uids, a resolved set, or all if uids is nil;
// with onlyDeleted only those that have \Deleted now. It returns what is gone
// by it.
func (m *Mailbox) Expunge(ctx context.Context, uids mail.UIDSet, onlyDeleted bool) (*Snapshot, mail.UIDSet, error) {
	var gone mail.UIDSet
	for part := range slices1000(m.Snapshot().victims(uids, onlyDeleted)) {
		err := m.change(ctx, func() error {
			done, err := m.expungeSome(ctx, part, onlyDeleted)
			for _, u := range done {
				gone.Add(u)
			}
			return err
		})
		if err != nil {
			return m.Snapshot(), gone, fmt.Errorf("expunging: %w", noSpace(err))
		}
	}
	return m.Snapshot(), gone, nil
}

// DeletedAmong are those of uids, a resolved set, that have \Deleted; of all
// messages if uids is nil.
func (s *Snapshot) DeletedAmong(uids mail.UIDSet) mail.UIDSet { return s.victims(uids, true) }

// victims are the messages that an EXPUNGE means.
func (s *Snapshot) victims(uids mail.UIDSet, onlyDeleted bool) mail.UIDSet {
	if onlyDeleted && s.Deleted() == 0 {
		return nil
	}
	if uids == nil {
		uids = mail.UIDSet{{First: 1, Last: maxUID}}
	}
	var out mail.UIDSet
	for _, r := range uids {
		i, _ := s.Find(r.First)
		s.victimsIn(&out, i, r.Last, onlyDeleted)
	}
	return out
}

// victimsIn adds the victims from an index on up to a UID.
func (s *Snapshot) victimsIn(out *mail.UIDSet, i int, last mail.UID, onlyDeleted bool) {
	if i >= s.n {
		return
	}
	for start, c := range s.tree().chunks(i) {
		if onlyDeleted && c.sums.deleted == 0 {
			if c.last >= last {
				return
			}
			continue
		}
		cols := c.cols()
		for j := max(i-start, 0); j < len(cols.ids); j++ {
			switch uid := cols.ids[j].uid; {
			case uid > last:
				return
			case !onlyDeleted || cols.states[j].mail().Has(mail.Deleted):
				out.Add(uid)
			}
		}
	}
}

// expungeSome removes the files and then says so in one batch. What was removed is
// recorded also if a later one fails.
func (m *Mailbox) expungeSome(ctx context.Context, uids []mail.UID, onlyDeleted bool) (done []mail.UID, err error) {
	var gone mail.UIDSet
	for _, uid := range uids {
		msg, ok := m.Snapshot().Lookup(uid)
		if !ok || onlyDeleted && !msg.Flags.Has(mail.Deleted) {
			continue
		}
		var removed bool
		if removed, err = m.removeFile(ctx, &msg, onlyDeleted); err != nil {
			break
		}
		if removed {
			gone.Add(uid)
			done = append(done, uid)
		}
	}
	if len(gone) == 0 {
		return nil, err
	}
	if terr := m.tell(index.Vanished{UIDs: gone}); terr != nil {
		return nil, errors.Join(err, terr)
	}
	return done, err
}

// removeFile removes a message's file, with every other name that it was seen to
// have. Somebody else may have removed it, or taken its \Deleted: then it is not done.
func (m *Mailbox) removeFile(ctx context.Context, msg *Message, onlyDeleted bool) (done bool, err error) {
	err = m.onFile(ctx, msg, func(msg *Message) error {
		if onlyDeleted && !msg.Flags.Has(mail.Deleted) {
			return nil
		}
		if err := m.folder.Remove(msg.file()); err != nil {
			return err
		}
		done = true
		m.touched(msg.New, !msg.New)
		return nil
	})
	if errors.Is(err, ErrVanished) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	for _, f := range m.twins[msg.Base] {
		if err := ignoreMissing(m.folder.Remove(f)); err != nil {
			m.full = true
			m.log.Warn("a second name of an expunged message stays", "file", f.Name, "error", err)
		}
		m.touched(f.New, !f.New)
	}
	delete(m.twins, msg.Base)
	return done, nil
}
