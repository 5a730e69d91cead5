package session

import (
	"context"
	"errors"
	"strings"
	"time"

	"postrider/mail"
	"postrider/mailbox"
	"postrider/message"
	"postrider/search"
)

// source is a view as a search sees it (search.Source). The view does not move
// while the command runs, so several goroutines may read it.
type source struct{ sel *selected }

func newSource(sel *selected) *source { return &source{sel} }

func (s *source) at(i int) mailbox.Message {
	m, _ := s.sel.view.Message(mail.SeqNum(i + 1))
	return m
}

func (s *source) Len() int               { return s.sel.view.Len() }
func (s *source) Flags(i int) mail.Flags { return s.at(i).Flags }
func (s *source) Recent(i int) bool      { return s.sel.view.IsRecent(s.UID(i)) }

func (s *source) UID(i int) mail.UID {
	uid, _ := s.sel.view.UID(mail.SeqNum(i + 1))
	return uid
}

func (s *source) HasKeyword(i int, keyword string) bool {
	for _, k := range s.sel.view.KeywordsAt(mail.SeqNum(i + 1)) {
		if strings.EqualFold(k, keyword) {
			return true
		}
	}
	return false
}

func (s *source) Internal(ctx context.Context, i int) (time.Time, error) {
	m := s.at(i)
	if m.Internal.IsZero() {
		var err error
		if m, err = fill(ctx, s.sel.Mailbox, m); err != nil {
			return time.Time{}, err
		}
	}
	return m.Internal, nil
}

func (s *source) Size(ctx context.Context, i int) (int64, error) {
	m := s.at(i)
	if m.CRLFSize < 0 {
		var err error
		if m, err = fill(ctx, s.sel.Mailbox, m); err != nil {
			return 0, err
		}
	}
	return m.CRLFSize, nil
}

// fill finds out what is not known of a message.
func fill(ctx context.Context, box *mailbox.Mailbox, m mailbox.Message) (mailbox.Message, error) {
	snap, err := box.Fill(ctx, mail.SetOf(m.UID))
	if err != nil {
		return m, gone(err)
	}
	m, ok := snap.Lookup(m.UID)
	if !ok || m.CRLFSize < 0 {
		return m, search.ErrGone
	}
	return m, nil
}

// gone says it in the words of package search.
func gone(err error) error {
	if errors.Is(err, mailbox.ErrVanished) {
		return search.ErrGone
	}
	return err
}

// Header implements search.Source: from the cache if the fields are in it.
func (s *source) Header(ctx context.Context, i int, names []string) ([]byte, error) {
	uid := s.UID(i)
	common := allCommon(names)
	if common {
		if b, ok := s.sel.Cached(uid, mailbox.FieldHeaders, nil); ok {
			return message.AppendFields(nil, b, names, false), nil
		}
	}
	d, err := load(ctx, s.sel.Mailbox, uid)
	if err != nil {
		return nil, gone(err)
	}
	if common {
		return message.AppendFields(nil, d.headers, names, false), nil
	}
	return s.wholeHeader(ctx, uid, d, names)
}

func (s *source) wholeHeader(ctx context.Context, uid mail.UID, d derived, names []string) ([]byte, error) {
	text, err := s.sel.OpenMessage(ctx, uid)
	if err != nil {
		return nil, gone(err)
	}
	defer text.Close()
	m, err := message.LoadTable(d.table)
	if err != nil {
		return nil, err
	}
	header, err := readSpan(text, m.Root.Header())
	if err != nil {
		return nil, err
	}
	return message.AppendFields(nil, header, names, false), nil
}

// Open implements search.Source.
func (s *source) Open(ctx context.Context, i int) (search.Text, error) {
	text, err := s.sel.OpenMessage(ctx, s.UID(i))
	if err != nil {
		return nil, gone(err)
	}
	return text, nil
}
