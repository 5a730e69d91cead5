package mailbox

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"postrider/index"
	"postrider/mail"
)

// CopyResult is what Copy and Move did. Source and Dest are paired: the nth
// number of one belongs to the nth of the other (RFC 4315 3).
type CopyResult struct {
	Validity       mail.UIDValidity // of the destination
	Source, Dest   mail.UIDSet
	SourceSnapshot *Snapshot // Move: without the messages; Copy: the one used
	DestSnapshot   *Snapshot
}

// Copy copies the messages of uids, a resolved set, to dst (which may be src):
// all or none. Flags, keywords and internal dates are kept. It returns
// ErrVanished if one of them is gone.
func Copy(ctx context.Context, src *Mailbox, uids mail.UIDSet, dst *Mailbox) (CopyResult, error) {
	res := CopyResult{SourceSnapshot: src.Snapshot()}
	batch, err := stageAll(ctx, src, res.SourceSnapshot, uids, dst)
	if err == nil {
		err = dst.change(ctx, func() error { return dst.give(ctx, func() error { return dst.adoptAll(batch, &res) }) })
	}
	if err != nil {
		for _, st := range batch {
			st.draft.Abort()
		}
		return CopyResult{}, fmt.Errorf("copying: %w", noSpace(err))
	}
	res.DestSnapshot = dst.Snapshot()
	res.Validity = res.DestSnapshot.UIDValidity()
	return res, nil
}

// adoptAll publishes what was staged and gives it UIDs in one batch.
func (m *Mailbox) adoptAll(batch []staged, res *CopyResult) error {
	var files []mail.MessageFile
	undo := func(err error) error {
		for _, f := range files {
			err = errors.Join(err, ignoreMissing(m.folder.Remove(f)))
		}
		if len(files) > 0 {
			m.touched(false, true)
		}
		return err
	}
	words := newWords(m.Snapshot())
	var rows []index.Message
	for _, st := range batch {
		f, err := st.draft.Publish(st.msg.Flags, st.msg.Internal)
		if err != nil {
			return undo(err)
		}
		files = append(files, f)
		set, err := words.set(st.keywords)
		if err != nil {
			return undo(err)
		}
		size, crlf := st.draft.Size()
		if crlf < 0 {
			size, crlf = st.msg.Size, st.msg.CRLFSize
		}
		rows = append(rows, index.Message{
			Flags: f.Flags, Keywords: set, Size: size, CRLFSize: crlf,
			Internal: index.StampOf(st.msg.Internal), Saved: index.StampOf(m.now()), Ino: f.Ino,
			Base: strings.Clone(f.Base), Info: strings.Clone(infoOf(f)),
		})
		res.Source.Add(st.msg.UID)
	}
	if len(rows) == 0 {
		return nil
	}
	m.touched(false, true)
	records, err := m.numberRows(rows)
	if err == nil {
		err = m.tell(append(words.records(), records...)...)
	}
	if err != nil {
		return undo(err)
	}
	for _, row := range rows {
		res.Dest.Add(row.UID)
	}
	return nil
}

// words numbers the keyword sets of messages from another mailbox.
type words struct{ change *keywordChange }

func newWords(s *Snapshot) *words {
	return &words{&keywordChange{table: s.keywords, done: map[index.SetID]index.SetID{}}}
}

func (w *words) records() []index.Record { return w.change.records }

func (w *words) set(names []string) (index.SetID, error) {
	if len(names) == 0 {
		return 0, nil
	}
	next, err := newKeywordChange(w.change.table, mail.FlagChange{Keywords: names})
	if err != nil {
		return 0, err
	}
	id, err := next.apply(0)
	w.change.table = next.table
	w.change.records = append(w.change.records, next.records...)
	return id, err
}
