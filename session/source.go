package session

import (
	"context"
	"strings"
	"sync"
	"time"

	"postrider/mail"
	"postrider/mailbox"
	"postrider/message"
	"postrider/search"
)

// source is a view as a search sees it (search.Source). The view does not move
// while the command runs, so several goroutines may read it.
type source struct {
	sel    *selected
	warn   func(mail.UID, error) // of a message that cannot be read
	warned sync.Once
}

func newSource(s *Session) *source { return &source{sel: s.sel, warn: s.warn} }

func (s *source) at(i int) mailbox.Message {
	m, _ := s.sel.view.Message(mail.SeqNum(i + 1))
	return m
}

func (s *source) Len() int               { return s.sel.view.Len() }
func (s *source) Flags(i int) mail.Flags { return s.sel.view.Flags(mail.SeqNum(i + 1)) }
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
		if m, err = s.fill(ctx, m); err != nil {
			return time.Time{}, err
		}
	}
	return m.Internal, nil
}

func (s *source) Size(ctx context.Context, i int) (int64, error) {
	m := s.at(i)
	if m.CRLFSize < 0 {
		var err error
		if m, err = s.fill(ctx, m); err != nil {
			return 0, err
		}
	}
	return m.CRLFSize, nil
}

// fill finds out what is not known of a message.
func (s *source) fill(ctx context.Context, m mailbox.Message) (mailbox.Message, error) {
	snap, err := s.sel.Fill(ctx, mail.SetOf(m.UID))
	if err != nil {
		return m, err
	}
	m, ok := snap.Lookup(m.UID)
	if !ok || m.CRLFSize < 0 {
		return m, search.ErrGone
	}
	return m, nil
}

// missing says it in the words of package search. A message that cannot be read
// matches nothing, as one that is gone, and sorts as if it were empty: one bad file
// must not keep anybody from finding the others.
func (s *source) missing(uid mail.UID, err error) error {
	if !isMissing(err) {
		return err
	}
	s.warned.Do(func() { s.warn(uid, err) })
	return search.ErrGone
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
		return nil, s.missing(uid, err)
	}
	if common {
		return message.AppendFields(nil, d.headers, names, false), nil
	}
	return s.wholeHeader(ctx, uid, d, names)
}

func (s *source) wholeHeader(ctx context.Context, uid mail.UID, d derived, names []string) ([]byte, error) {
	text, err := s.sel.OpenMessage(ctx, uid)
	if err != nil {
		return nil, s.missing(uid, err)
	}
	defer text.Close()
	m, err := message.LoadTable(d.table)
	if err != nil {
		return nil, err
	}
	header, err := message.ReadHeader(text, m.Root.Header())
	if err != nil {
		return nil, err
	}
	return message.AppendFields(nil, header, names, false), nil
}

// Open implements search.Source.
func (s *source) Open(ctx context.Context, i int) (search.Text, error) {
	uid := s.UID(i)
	text, err := s.sel.OpenMessage(ctx, uid)
	if err != nil {
		return nil, s.missing(uid, err)
	}
	return text, nil
}
