package mailbox

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"postrider/index"
	"postrider/mail"
)

// ClaimRecent claims \Recent for every message that nobody has claimed, takes
// the files in new to cur (RFC 3501 2.3.2; SELECT does it and, when new messages
// appear, a session that has the mailbox selected, not EXAMINE and not STATUS).
// The messages with lowest <= UID < s.UIDNext() are this session's. It is cheap
// when there is nothing to claim.
func (m *Mailbox) ClaimRecent(ctx context.Context) (lowest mail.UID, s *Snapshot, err error) {
	if s = m.Snapshot(); s.recentFrom == s.uidNext {
		return s.recentFrom, s, nil
	}
	err = m.change(ctx, func() error {
		s := m.Snapshot()
		if lowest = s.recentFrom; lowest == s.uidNext {
			return nil
		}
		records := []index.Record{index.RecentClaimed{UpTo: s.uidNext - 1}}
		i, _ := s.Find(lowest)
		for _, msg := range s.All(i) {
			if !msg.New {
				continue
			}
			switch f, err := m.folder.Take(msg.file()); {
			case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrExist):
				m.setOverflow() // somebody else took it
			case err != nil:
				return err
			default:
				records = append(records, index.Renamed{UID: msg.UID, New: f.New, Info: infoOf(f)})
			}
		}
		if len(records) > 1 {
			m.group.touched(true, true)
		}
		return m.note(records...)
	})
	if err != nil {
		return 0, nil, fmt.Errorf("claiming new messages: %w", noSpace(err))
	}
	return lowest, m.Snapshot(), nil
}
