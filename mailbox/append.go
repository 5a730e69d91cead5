package mailbox

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"postrider/index"
	"postrider/mail"
)

// Append is a message on its way into the mailbox. It is for one goroutine.
type Append struct {
	m     *Mailbox
	draft mail.MessageDraft
	done  bool
}

// NewAppend begins an APPEND. n is the literal's length, -1 if unknown.
func (m *Mailbox) NewAppend(ctx context.Context, n int64) (*Append, error) {
	if m.gone.Load() {
		return nil, ErrGone
	}
	d, err := m.folder.Create(n)
	if err != nil {
		return nil, fmt.Errorf("making a message file: %w", noSpace(err))
	}
	return &Append{m: m, draft: d}, nil
}

// Write takes bytes of the message, with CRLF line ends.
func (a *Append) Write(p []byte) (int, error) {
	n, err := a.draft.Write(p)
	return n, noSpace(err)
}

// Commit puts the message into the mailbox. A zero internal date is now. The
// snapshot shows it; say OK only after Durable.
func (a *Append) Commit(ctx context.Context, flags mail.Flags, keywords []string, internal time.Time) (mail.UID, mail.UIDValidity, *Snapshot, error) {
	a.done = true
	m := a.m
	if internal.IsZero() {
		internal = m.now()
	}
	if m.c.Fsync {
		if err := a.draft.Sync(); err != nil {
			a.draft.Abort()
			return 0, 0, nil, fmt.Errorf("syncing the message: %w", noSpace(err))
		}
	}
	var uid mail.UID
	published := false
	err := m.change(ctx, func() error {
		return m.give(ctx, func() error {
			f, err := a.draft.Publish(flags, internal)
			if err != nil {
				return err
			}
			published = true
			uid, err = m.adopt(a.draft, f, keywords, internal)
			return err
		})
	})
	if err != nil {
		if !published {
			err = errors.Join(err, a.draft.Abort())
		}
		return 0, 0, nil, fmt.Errorf("appending: %w", noSpace(err))
	}
	s := m.Snapshot()
	return uid, s.UIDValidity(), s, nil
}

// adopt gives a file that was just put into cur its UID.
func (m *Mailbox) adopt(d mail.MessageDraft, f mail.MessageFile, keywords []string, internal time.Time) (mail.UID, error) {
	m.touched(false, true)
	row, records, err := m.newRow(d, f, keywords, internal)
	if err == nil {
		row.UID, err = m.number(row.Base)
	}
	if err == nil {
		err = m.tell(append(records, index.Appended{Message: row})...)
	}
	if err != nil {
		// Without a UID the message must not stay: its client will send it again.
		if rerr := m.folder.Remove(f); rerr != nil {
			return 0, errors.Join(err, rerr)
		}
		return 0, err
	}
	return row.UID, nil
}

// newRow is a message's row without a UID, and the records that must come before.
func (m *Mailbox) newRow(d mail.MessageDraft, f mail.MessageFile, keywords []string, internal time.Time) (index.Message, []index.Record, error) {
	words, err := newKeywordChange(m.Snapshot().keywords, mail.FlagChange{Keywords: keywords})
	if err != nil {
		return index.Message{}, nil, err
	}
	set, err := words.apply(0)
	if err != nil {
		return index.Message{}, nil, err
	}
	size, crlf := d.Size()
	return index.Message{
		Flags: f.Flags, New: f.New, Keywords: set, Size: size, CRLFSize: crlf,
		Internal: index.StampOf(internal), Saved: index.StampOf(m.now()), Ino: f.Ino,
		Base: strings.Clone(f.Base), Info: strings.Clone(infoOf(f)),
	}, words.records, nil
}

// Abort throws the message away. It does nothing after Commit.
func (a *Append) Abort() error {
	if a.done {
		return nil
	}
	a.done = true
	return a.draft.Abort()
}
