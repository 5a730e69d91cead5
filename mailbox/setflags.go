package mailbox

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"postrider/index"
	"postrider/mail"
)

// slice is how many messages a change of many handles before it lets go of the
// locks: a rename costs 10 to 25 microseconds.
const slice = 1000

// StoreResult is what SetFlags did.
type StoreResult struct {
	Snapshot *Snapshot   // shows the change; tell nothing before Durable
	Modified mail.UIDSet // changed since unchangedSince: left alone
	Missing  mail.UIDSet // no longer in the mailbox
}

// SetFlags changes the flags and keywords of the messages in uids, a resolved
// set. unchangedSince 0 is no condition (RFC 7162 3.1.3). On an error part of the
// set may be done; the result is valid as far as it went.
func (m *Mailbox) SetFlags(ctx context.Context, uids mail.UIDSet, c mail.FlagChange, unchangedSince mail.ModSeq) (StoreResult, error) {
	res := StoreResult{Snapshot: m.Snapshot()}
	for part := range slices1000(uids) {
		err := m.change(ctx, func() error {
			s := storing{m: m, change: c, since: unchangedSince, res: &res}
			return s.run(ctx, part)
		})
		res.Snapshot = m.Snapshot()
		if err != nil {
			return res, fmt.Errorf("setting flags: %w", noSpace(err))
		}
	}
	return res, nil
}

// withReserve does a rename. On a full disk a directory may lack the room for the new
// name: then the journal's reserve gives a block, which serves many renames.
func (m *Mailbox) withReserve(rename func() error) error {
	err := rename()
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return m.journal.Lend(rename)
	}
	return err
}

// slices1000 cuts a resolved set into sets of at most slice numbers.
func slices1000(uids mail.UIDSet) func(func([]mail.UID) bool) {
	return func(yield func([]mail.UID) bool) {
		part := make([]mail.UID, 0, min(slice, uids.Len()))
		for u := range uids.All() {
			if part = append(part, u); len(part) == slice {
				if !yield(part) {
					return
				}
				part = part[:0]
			}
		}
		if len(part) > 0 {
			yield(part)
		}
	}
}

// storing is one slice of a STORE.
type storing struct {
	m       *Mailbox
	change  mail.FlagChange
	since   mail.ModSeq
	res     *StoreResult
	words   *keywordChange
	records []index.Record
}

func (s *storing) run(ctx context.Context, uids []mail.UID) (err error) {
	if s.words, err = newKeywordChange(s.m.Snapshot().keywords, s.change); err != nil {
		return err
	}
	for _, uid := range uids {
		if err = s.one(ctx, uid); err != nil {
			break
		}
	}
	if len(s.records) > 0 { // what was done is done, also before an error
		if werr := s.m.tell(append(s.words.records, s.records...)...); werr != nil {
			return errors.Join(err, werr)
		}
	}
	return err
}

func (s *storing) one(ctx context.Context, uid mail.UID) error {
	msg, ok := s.m.Snapshot().Lookup(uid)
	if !ok {
		s.res.Missing.Add(uid)
		return nil
	}
	if s.since > 0 && msg.ModSeq > s.since {
		s.res.Modified.Add(uid)
		return nil
	}
	set, err := s.words.apply(msg.Keywords)
	if err != nil {
		return err
	}
	flags := s.change.ApplyFlags(msg.Flags)
	if flags != msg.Flags {
		var f mail.MessageFile
		wasNew := msg.New
		err := s.m.onFile(ctx, &msg, func(msg *Message) (err error) {
			err = s.m.withReserve(func() (err error) {
				f, err = s.m.folder.Rename(msg.file(), s.change.ApplyFlags(msg.Flags))
				return err
			})
			wasNew = msg.New
			return err
		})
		if errors.Is(err, ErrVanished) {
			s.res.Missing.Add(uid)
			return nil
		}
		if err != nil {
			return err
		}
		s.m.touched(wasNew, true)
		s.records = append(s.records, index.FlagsSet{UID: uid, Flags: f.Flags, New: f.New, Info: infoOf(f)})
	}
	if set != msg.Keywords {
		s.records = append(s.records, index.KeywordsSet{UID: uid, Set: set})
	}
	return nil
}
