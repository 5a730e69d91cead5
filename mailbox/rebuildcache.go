package mailbox

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"

	"postrider/index"
	"postrider/mail"
)

// RebuildCache makes the cache anew: derive makes of each message what is kept of it.
// No lock is held while messages are read; the new cache takes the old one's place at
// the end. Progress is told how many messages are done. A message that cannot be read
// has nothing cached, and is counted.
func (m *Mailbox) RebuildCache(ctx context.Context, derive func(Served) ([]CacheEntry, error), progress func(done, total int)) (unread int, err error) {
	s, err := m.Refresh(ctx)
	if err != nil {
		return 0, err
	}
	draft, err := index.MakeCache(m.dir, s.UIDValidity())
	if err != nil {
		return 0, err
	}
	unread, err = m.deriveAll(ctx, s, derive, func(done int, uid mail.UID, entries []index.Entry) {
		draft.Put(uid, entries...)
		progress(done, s.Len())
	})
	if err != nil {
		draft.Abort()
		return unread, err
	}
	err = m.change(ctx, func() error {
		if m.Snapshot().UIDValidity() != s.UIDValidity() {
			draft.Abort()
			return fmt.Errorf("the mailbox got another UIDVALIDITY meanwhile")
		}
		if err := draft.Commit(); err != nil {
			return err
		}
		if old := m.cache.Swap(index.OpenCache(m.dir, s.UIDValidity())); old != nil {
			old.Close()
		}
		return nil
	})
	return unread, err
}

// derived is one message on its way through deriveAll.
type derived struct {
	uid     mail.UID
	entries []CacheEntry
	err     error
	ready   chan struct{}
}

// deriveAll derives on all cores and hands over in the order of the messages.
func (m *Mailbox) deriveAll(ctx context.Context, s *Snapshot, derive func(Served) ([]CacheEntry, error), put func(int, mail.UID, []index.Entry)) (unread int, err error) {
	workers := runtime.GOMAXPROCS(0)
	work, order := make(chan *derived), make(chan *derived, 2*workers)
	var wait sync.WaitGroup
	for range workers {
		wait.Go(func() {
			for d := range work {
				d.entries, d.err = m.deriveOne(ctx, d.uid, derive)
				close(d.ready)
			}
		})
	}
	go func() {
		defer close(order)
		defer close(work)
		for i := range s.Len() {
			d := &derived{uid: s.UID(i), ready: make(chan struct{})}
			select {
			case order <- d:
				work <- d
			case <-ctx.Done():
				return
			}
		}
	}()
	done := 0
	for d := range order {
		<-d.ready
		done++
		switch {
		case ctx.Err() != nil:
		case errors.Is(d.err, ErrVanished):
		case d.err != nil:
			unread++
		default:
			put(done, d.uid, indexEntries(d.entries))
		}
	}
	wait.Wait()
	return unread, ctx.Err()
}

func (m *Mailbox) deriveOne(ctx context.Context, uid mail.UID, derive func(Served) ([]CacheEntry, error)) (entries []CacheEntry, err error) {
	defer func() { // one message must not end the work on all
		if p := recover(); p != nil {
			err = fmt.Errorf("reading a message ended abruptly: %v", p)
		}
	}()
	text, err := m.OpenMessage(ctx, uid)
	if err != nil {
		return nil, err
	}
	defer text.Close()
	return derive(text)
}

func indexEntries(fields []CacheEntry) []index.Entry {
	entries := make([]index.Entry, len(fields))
	for i, f := range fields {
		entries[i] = index.Entry{Field: index.Field(f.Field), Bytes: f.Bytes}
	}
	return entries
}
