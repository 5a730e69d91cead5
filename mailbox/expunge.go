package mailbox

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"postrider/index"
	"postrider/mail"
)

// Expunge removes the messages of uids, a resolved set, or all if uids is nil;
// with onlyDeleted only those that have \Deleted now. It returns what is gone
// by it.
func (m *Mailbox) Expunge(ctx context.Context, uids mail.UIDSet, onlyDeleted bool) (*Snapshot, mail.UIDSet, error) {
	var gone mail.UIDSet
	for part := range slices1000(m.victims(uids, onlyDeleted)) {
		err := m.change(ctx, func() error {
			done, err := m.expungeSome(part, onlyDeleted)
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

// victims are the messages that an EXPUNGE means now.
func (m *Mailbox) victims(uids mail.UIDSet, onlyDeleted bool) mail.UIDSet {
	s := m.Snapshot()
	if onlyDeleted && s.Deleted() == 0 {
		return nil
	}
	var out mail.UIDSet
	for k, sp := range s.spine {
		if onlyDeleted && s.spine[k].c.sums.deleted == 0 {
			continue
		}
		for i, id := range sp.c.ids {
			if (!onlyDeleted || sp.c.states[i].mail().Has(mail.Deleted)) && (uids == nil || uids.Contains(id.uid, 0)) {
				out.Add(id.uid)
			}
		}
	}
	return out
}

// expungeSome removes the files and then says so in one batch. What was removed is
// recorded also if a later one fails.
func (m *Mailbox) expungeSome(uids []mail.UID, onlyDeleted bool) (done []mail.UID, err error) {
	s := m.Snapshot()
	var gone mail.UIDSet
	for _, uid := range uids {
		msg, ok := s.Lookup(uid)
		if !ok || onlyDeleted && !msg.Flags.Has(mail.Deleted) {
			continue
		}
		var removed bool
		if removed, err = m.removeFile(&msg, onlyDeleted); err != nil {
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
	m.group.touched(true, true)
	if terr := m.tell(index.Vanished{UIDs: gone}); terr != nil {
		m.setOverflow()
		return nil, errors.Join(err, terr)
	}
	return done, err
}

// removeFile removes a message's file. One that moved is looked for once; if it lost
// its \Deleted meanwhile it stays.
func (m *Mailbox) removeFile(msg *Message, onlyDeleted bool) (bool, error) {
	err := m.folder.Remove(msg.file())
	if !errors.Is(err, fs.ErrNotExist) {
		return err == nil, err
	}
	f, err := m.current(msg)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil // somebody else removed it
	}
	if err != nil {
		return false, err
	}
	if onlyDeleted && !f.Flags.Has(mail.Deleted) {
		return false, m.record(changes{moved: []movedFile{{*msg, f}}})
	}
	err = m.folder.Remove(f)
	return err == nil || errors.Is(err, fs.ErrNotExist), ignoreMissing(err)
}
