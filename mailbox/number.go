package mailbox

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"maps"
	"time"

	"postrider/index"
	"postrider/mail"
)

// give runs f, which may give UIDs (number) and makes the files visible that get them.
// Where another server gives UIDs in the same folder, f runs under its lock, and what
// it wrote was taken in before.
func (m *Mailbox) give(ctx context.Context, f func() error) error {
	return m.giveWithin(ctx, patience, f)
}

// giveWithin is give with a bound for the wait for the other server's lock.
func (m *Mailbox) giveWithin(ctx context.Context, within time.Duration, f func() error) error {
	if m.reg.held || m.c.Register == nil {
		return f()
	}
	look, err := m.lookAtRegister()
	if err != nil && m.live() {
		return fmt.Errorf("looking at the register: %w", err)
	}
	meets := look == registerFirst || look == registerForeign
	if !meets && !m.c.RegisterLock && !(m.live() && look != registerNone && look != registerLost) {
		return f()
	}
	unlock, err := m.lockRegister(ctx, within)
	if err != nil {
		return err
	}
	defer unlock()
	if err := m.merge(ctx); err != nil {
		return err
	}
	return f()
}

// number gives UIDs to messages of these base names: the first number, and those after
// it. New UIDs come from here alone, but for those of a folder that is taken over or made
// anew as a whole (takeOver, Rebuild). Its caller is run by give, and writes the messages
// into the journal at once.
func (m *Mailbox) number(bases ...string) (mail.UID, error) {
	s := m.Snapshot()
	first := s.uidNext
	if first > maxUID || mail.UID(len(bases)) > maxUID-first+1 {
		return 0, ErrFull
	}
	if !m.reg.held || !m.live() || len(bases) == 0 {
		return first, nil
	}
	if mark, known := m.registerMark(); !known || mark.list == "" && mark.next == "" {
		return first, nil // there is no register, or it is left alone
	}
	m.reg.firm = false // the messages may have keywords already
	return first, m.writeRegister(first+mail.UID(len(bases)), appended(s.bases(), first, bases))
}

// bases yields what the list says of the messages.
func (s *Snapshot) bases() iter.Seq2[mail.UID, string] {
	return func(yield func(mail.UID, string) bool) {
		for _, msg := range s.All(0) {
			if !yield(msg.UID, msg.Base) {
				return
			}
		}
	}
}

// appended yields a list and then these.
func appended(list iter.Seq2[mail.UID, string], first mail.UID, bases []string) iter.Seq2[mail.UID, string] {
	return func(yield func(mail.UID, string) bool) {
		for uid, base := range list {
			if !yield(uid, base) {
				return
			}
		}
		for i, base := range bases {
			if !yield(first+mail.UID(i), base) {
				return
			}
		}
	}
}

// writeRegister puts a list in place, under the other server's lock. The journal knows
// first what it will look like.
func (m *Mailbox) writeRegister(next mail.UID, list iter.Seq2[mail.UID, string]) error {
	staged, err := m.c.Register.Stage(m.Snapshot().validity, next, list)
	if err != nil {
		return noSpace(err)
	}
	return m.placeRegister(staged, m.Snapshot().modseq)
}

// placeRegister puts a list in place that shows the mailbox as of modseq. All files that
// it names are taken from new to cur first: Courier gives a file that it finds in new a
// fresh UID, whatever its list says.
func (m *Mailbox) placeRegister(staged StagedRegister, modseq mail.ModSeq) error {
	mark, _ := m.registerMark()
	before, err := m.c.Register.Stamp()
	if err != nil {
		staged.Abort()
		return err
	}
	mark.list, mark.next, mark.modseq = before, staged.Stamp(), modseq
	records := m.takeNew(m.Snapshot(), 1)
	if mark.keywords, _, err = m.c.Register.KeywordsStamp(); err != nil {
		staged.Abort()
		return err
	}
	if err := m.note(append(records, mark.record())...); err != nil {
		staged.Abort()
		return err
	}
	m.reg.reread = false
	if err := staged.Publish(); err != nil {
		m.reg.reread = true
		return noSpace(err)
	}
	return nil
}

// numberRows gives UIDs to messages that come in together, in this order.
func (m *Mailbox) numberRows(rows []index.Message) ([]index.Record, error) {
	bases := make([]string, len(rows))
	for i := range rows {
		bases[i] = rows[i].Base
	}
	next, err := m.number(bases...)
	if err != nil {
		return nil, err
	}
	records := make([]index.Record, len(rows))
	for i := range rows {
		rows[i].UID = next + mail.UID(i)
		records[i] = index.Appended{Message: rows[i]}
	}
	return records, nil
}

// unknown leaves out the files that became messages since they were found.
func (m *Mailbox) unknown(files map[string]sighting) map[string]sighting {
	s := m.Snapshot()
	maps.DeleteFunc(files, func(base string, _ sighting) bool {
		_, _, known := m.lookup(s, base)
		return known && m.reg.held
	})
	return files
}

// takeFresh takes files that are about to be listed from new to cur, as placeRegister
// does with those that are. One that cannot be taken now gets no UID yet; the error is
// to be returned when the others have theirs.
func (m *Mailbox) takeFresh(files []sighting) (taken []sighting, err error) {
	if !m.reg.held || !m.live() {
		return files, nil
	}
	taken = files[:0]
	for _, at := range files {
		if at.file.New {
			f, terr := m.folder.Take(at.file)
			if terr != nil {
				err = cmp.Or(err, fmt.Errorf("taking a message from new: %w", noSpace(terr)))
				continue
			}
			at.file = f
			m.touched(true, true)
		}
		taken = append(taken, at)
	}
	return taken, err
}

func basesOf(files []sighting) []string {
	bases := make([]string, len(files))
	for i := range files {
		bases[i] = files[i].file.Base
	}
	return bases
}
