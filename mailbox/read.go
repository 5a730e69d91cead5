package mailbox

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"postrider/index"
	"postrider/mail"
	"postrider/vfs"
)

// maxFollow is how often a file that is renamed while it is opened is followed.
const maxFollow = 10

// OpenMessage opens a message's text as it is served. It follows renames, and
// returns ErrVanished if the message is gone. The caller closes it.
func (m *Mailbox) OpenMessage(ctx context.Context, uid mail.UID) (Served, error) {
	msg, ok := m.Snapshot().Lookup(uid)
	if !ok {
		return nil, ErrVanished
	}
	for range maxFollow {
		file, err := m.folder.Open(msg.file())
		if err == nil {
			if err = m.isItself(uid, file); err == nil {
				return m.served(&msg, file)
			}
			file.Close()
			if !errors.Is(err, fs.ErrNotExist) {
				return nil, err
			}
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("opening a message: %w", err)
		}
		if msg, err = m.follow(ctx, uid); err != nil {
			return nil, err
		}
	}
	return nil, ErrVanished
}

// isItself returns fs.ErrNotExist if another file took the place of the message's
// under its name: that is a new message.
func (m *Mailbox) isItself(uid mail.UID, file vfs.File) error {
	info, err := file.Stat()
	if err != nil {
		return fmt.Errorf("looking at a message: %w", err)
	}
	s := m.Snapshot()
	i, ok := s.Find(uid)
	if !ok || newFindings(s).replaced(i, sighting{info: info, looked: true}) {
		return fs.ErrNotExist
	}
	return nil
}

func (m *Mailbox) served(msg *Message, file vfs.File) (Served, error) {
	s, err := m.folder.Served(msg.file(), file)
	if err != nil {
		return nil, fmt.Errorf("reading a message: %w", err)
	}
	return s, nil
}

// Fill finds out the sizes and internal dates of the messages of uids that are
// not known yet and returns a snapshot that has them; a message that is gone
// keeps what it has. It costs nothing if all is known.
func (m *Mailbox) Fill(ctx context.Context, uids mail.UIDSet) (*Snapshot, error) {
	s := m.Snapshot()
	var records []index.Record
	for _, r := range uids {
		for i, _ := s.Find(r.First); i < s.Len() && s.UID(i) <= r.Last; i++ {
			if msg := s.Message(i); msg.CRLFSize < 0 || msg.Internal.IsZero() {
				k, err := m.find(ctx, &msg)
				if errors.Is(err, ErrVanished) {
					continue
				}
				if err != nil {
					return s, err
				}
				records = append(records, k)
			}
		}
	}
	if len(records) == 0 {
		return s, nil
	}
	err := m.change(ctx, func() error {
		for len(records) > 0 {
			n := min(len(records), batchLen)
			if err := m.note(records[:n]...); err != nil {
				return err
			}
			records = records[n:]
		}
		return nil
	})
	if errors.Is(err, ErrFull) || errors.Is(err, ErrReadOnly) {
		return m.with(s, records), nil // known, though not written down
	}
	return m.Snapshot(), err
}

// with is a snapshot with facts that the journal does not have.
func (m *Mailbox) with(s *Snapshot, records []index.Record) *Snapshot {
	b := newBuilder(s, &infos{list: s.infos})
	for _, r := range records {
		if k, ok := r.(index.Known); ok {
			b.applyKnown(&k)
		}
	}
	return b.finish()
}

// find looks at a message's file for its sizes and date. Sizes that the file's name
// hints at are checked here.
func (m *Mailbox) find(ctx context.Context, msg *Message) (index.Known, error) {
	for range maxFollow {
		file, err := m.folder.Open(msg.file())
		if errors.Is(err, fs.ErrNotExist) {
			if *msg, err = m.follow(ctx, msg.UID); err != nil {
				return index.Known{}, err
			}
			continue
		}
		if err != nil {
			return index.Known{}, fmt.Errorf("opening a message: %w", err)
		}
		st, err := file.Stat()
		if err != nil {
			file.Close()
			return index.Known{}, fmt.Errorf("looking at a message: %w", err)
		}
		k := index.Known{UID: msg.UID, Size: st.Size, CRLFSize: msg.CRLFSize, Internal: index.StampOf(st.Mtime), Ino: st.Ino}
		if msg.CRLFSize >= 0 && msg.Size == st.Size {
			return k, file.Close()
		}
		t, err := m.served(msg, file)
		if err != nil {
			return index.Known{}, err
		}
		k.CRLFSize, err = t.Size()
		return k, errors.Join(err, t.Close())
	}
	return index.Known{}, ErrVanished
}

// Cached appends the cached bytes of a field to dst; false if there are none.
func (m *Mailbox) Cached(uid mail.UID, f uint8, dst []byte) ([]byte, bool) {
	return m.cache.Load().Get(uid, index.Field(f), dst)
}

// PutCached keeps bytes for Cached. It is best effort. All fields of a message at
// once are one write.
func (m *Mailbox) PutCached(uid mail.UID, fields ...CacheEntry) {
	entries := make([]index.Entry, len(fields))
	for i, f := range fields {
		entries[i] = index.Entry{Field: index.Field(f.Field), Bytes: f.Bytes}
	}
	m.cache.Load().Put(uid, entries...)
}
