package mailbox

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"postrider/index"
	"postrider/mail"
)

// ClaimRecent claims \Recent for every message that nobody has claimed, and takes
// the files in new to cur (RFC 3501 2.3.2; SELECT does it and, when new messages
// appear, a session that has the mailbox selected, not EXAMINE and not STATUS).
// The messages with lowest <= UID < s.UIDNext() are this session's. It is cheap
// when there is nothing to claim.
//
// A claim that cannot be written down, since the disk is full or read only, counts
// until the mailbox is closed.
func (m *Mailbox) ClaimRecent(ctx context.Context) (lowest mail.UID, s *Snapshot, err error) {
	if s = m.Snapshot(); s.recentFrom == s.uidNext {
		return s.recentFrom, s, nil
	}
	if err := m.take(ctx); err != nil {
		return 0, nil, fmt.Errorf("claiming new messages: %w", err)
	}
	defer func() { <-m.lock }()
	if s = m.Snapshot(); s.recentFrom == s.uidNext { // of many that were woken, one does it
		return s.recentFrom, s, nil
	}
	err = m.locked(ctx, func() error {
		s = m.Snapshot()
		if lowest = s.recentFrom; lowest == s.uidNext {
			return nil
		}
		records := append(m.takeNew(s, lowest), index.RecentClaimed{UpTo: s.uidNext - 1})
		err := m.note(records...)
		if bearable(err) {
			b := newBuilder(m.Snapshot(), m.infos)
			b.next.recentFrom = s.uidNext
			m.publish(b)
			m.unclaimed = true
			err = nil
		}
		s = m.Snapshot()
		return err
	})
	if err != nil {
		return 0, nil, fmt.Errorf("claiming new messages: %w", noSpace(err))
	}
	return lowest, s, nil
}

// takeNew takes the files of the messages from a UID on from new to cur. One that
// cannot be taken stays in new, where it is as good.
func (m *Mailbox) takeNew(s *Snapshot, from mail.UID) []index.Record {
	var records []index.Record
	i, _ := s.Find(from)
	for _, msg := range s.All(i) {
		if !msg.New {
			continue
		}
		f, err := m.folder.Take(msg.file())
		switch {
		case err == nil:
			m.own = [2]bool{true, true}
			m.sync.later(true)
			m.sync.later(false)
			records = append(records, index.Renamed{UID: msg.UID, New: f.New, Info: infoOf(f)})
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrExist):
			m.full = true // somebody else took it
		default:
			m.log.Warn("a message stays in new", "error", err)
			return records
		}
	}
	return records
}
