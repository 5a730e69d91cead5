package mailbox

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"

	"postrider/index"
	"postrider/mail"
	"postrider/vfs"
)

// maxFollow is how often a file that is renamed while it is opened is followed.
const maxFollow = 10

// OpenMessage opens a message's text as it is served. It follows renames, and
// returns ErrVanished if the message is gone, ErrUnreadable if its file cannot be
// read. The caller closes it.
func (m *Mailbox) OpenMessage(ctx context.Context, uid mail.UID) (Served, error) {
	msg, ok := m.Snapshot().Lookup(uid)
	if !ok {
		return nil, ErrVanished
	}
	for range maxFollow {
		file, err := m.folder.Open(msg.file())
		if err == nil {
			var info vfs.Info
			if info, err = m.isItself(uid, file); err == nil {
				return m.checked(ctx, &msg, file, info)
			}
			file.Close()
			if !errors.Is(err, fs.ErrNotExist) {
				return nil, err
			}
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, unopened(err)
		}
		if msg, err = m.follow(ctx, uid); err != nil {
			return nil, err
		}
	}
	return nil, ErrVanished
}

// unopened is the error of a message that could not be opened. What is wrong with its
// file alone is told apart: it must not keep anybody from the others.
func unopened(err error) error {
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EIO) {
		err = fmt.Errorf("%w: %w", ErrUnreadable, err)
	}
	return fmt.Errorf("opening a message: %w", err)
}

// isItself looks at an open file. It returns fs.ErrNotExist if another file took the
// place of the message's under its name: that is a new message.
func (m *Mailbox) isItself(uid mail.UID, file vfs.File) (vfs.Info, error) {
	info, err := file.Stat()
	if err != nil {
		return info, fmt.Errorf("looking at a message: %w", err)
	}
	s := m.Snapshot()
	i, ok := s.Find(uid)
	if !ok || (&findings{s: s}).replaced(i, sighting{info: info, looked: true}) {
		return info, fs.ErrNotExist
	}
	return info, nil
}

// cheapSize is up to which size the length as served costs nothing to know.
const cheapSize = 256 << 10

// checked opens a message's text and compares the sizes that the file's name hinted at
// with the truth, where that is known by now.
func (m *Mailbox) checked(ctx context.Context, msg *Message, file vfs.File, info vfs.Info) (Served, error) {
	text, err := m.served(msg, file)
	if err != nil || msg.CRLFSize < 0 {
		return text, err
	}
	wrong := info.Size != msg.Size
	if info.Size <= cheapSize {
		n, err := text.Size()
		wrong = wrong || err == nil && n != msg.CRLFSize
	}
	if !wrong {
		return text, nil
	}
	n, err := text.Size()
	if err == nil {
		k := index.Known{UID: msg.UID, Size: info.Size, CRLFSize: n, Internal: index.StampOf(info.Mtime), Ino: info.Ino}
		err = m.change(ctx, func() error { return m.note(k) })
	}
	if err != nil && !bearable(err) {
		text.Close()
		return nil, fmt.Errorf("noting the size of a message: %w", err)
	}
	return text, nil
}

func (m *Mailbox) served(msg *Message, file vfs.File) (Served, error) {
	m.c.Counts.opened.Add(1)
	s, err := m.folder.Served(msg.file(), file)
	if err != nil {
		return nil, fmt.Errorf("reading a message: %w", err)
	}
	return s, nil
}

// fillers is how many message files are read at once to fill in what is not known.
const fillers = 4

// Fill finds out the sizes and internal dates of the messages of uids that are
// not known yet and returns a snapshot that has them; a message that is gone or
// cannot be read keeps what it has. It costs nothing if all is known.
func (m *Mailbox) Fill(ctx context.Context, uids mail.UIDSet) (*Snapshot, error) {
	return m.FillReading(ctx, uids, func(mail.UID, Served) {})
}

// FillReading is Fill for who wants to know more of the messages whose text must be
// read for it: each is handed to also, from several goroutines, and is good until that
// returns.
func (m *Mailbox) FillReading(ctx context.Context, uids mail.UIDSet, also func(mail.UID, Served)) (*Snapshot, error) {
	s := m.Snapshot()
	var unknown []Message
	for _, r := range uids {
		for i, _ := s.Find(r.First); i < s.Len() && s.UID(i) <= r.Last; i++ {
			if msg := s.Message(i); msg.CRLFSize < 0 || msg.Internal.IsZero() {
				unknown = append(unknown, msg)
			}
		}
	}
	if len(unknown) == 0 {
		return s, nil
	}
	records, err := m.findAll(ctx, unknown, also)
	if err != nil {
		return s, err
	}
	err = m.change(ctx, func() error {
		for part := range slices.Chunk(records, batchLen) {
			if err := m.note(part...); err != nil {
				return err
			}
		}
		return nil
	})
	if bearable(err) {
		return m.with(s, records), nil // known, though not written down
	}
	return m.Snapshot(), err
}

// findAll looks at the files of messages, several at once. A panic of one look comes
// out here.
func (m *Mailbox) findAll(ctx context.Context, unknown []Message, also func(mail.UID, Served)) ([]index.Record, error) {
	found := make([]index.Record, len(unknown))
	var next atomic.Int64
	look := func() (err error) {
		for {
			i := int(next.Add(1)) - 1
			if i >= len(unknown) {
				return nil
			}
			k, err := m.find(ctx, &unknown[i], also)
			if err == nil {
				found[i] = k
			} else if !errors.Is(err, ErrVanished) && !errors.Is(err, ErrUnreadable) {
				next.Store(int64(len(unknown)))
				return err
			}
		}
	}
	var wait sync.WaitGroup
	errs := make([]error, min(fillers, len(unknown)))
	panics := make([]any, len(errs))
	for n := range errs {
		wait.Go(func() {
			defer func() { panics[n] = recover() }()
			errs[n] = look()
		})
	}
	wait.Wait()
	for _, p := range panics {
		if p != nil {
			panic(p)
		}
	}
	return slices.DeleteFunc(found, func(r index.Record) bool { return r == nil }), errors.Join(errs...)
}

// with is a snapshot with facts that the journal does not have.
func (m *Mailbox) with(s *Snapshot, records []index.Record) *Snapshot {
	b := newBuilder(s, s.tree().infos)
	for _, r := range records {
		if k, ok := r.(index.Known); ok {
			b.applyKnown(&k)
		}
	}
	return b.finish()
}

// find looks at a message's file for its sizes and date. Sizes that the file's name
// hints at are checked here.
func (m *Mailbox) find(ctx context.Context, msg *Message, also func(mail.UID, Served)) (index.Known, error) {
	for range maxFollow {
		file, err := m.folder.Open(msg.file())
		if errors.Is(err, fs.ErrNotExist) {
			if *msg, err = m.follow(ctx, msg.UID); err != nil {
				return index.Known{}, err
			}
			continue
		}
		if err != nil {
			return index.Known{}, unopened(err)
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
		if k.CRLFSize, err = t.Size(); err == nil && (msg.Size < 0 || msg.Size == st.Size) {
			also(msg.UID, t)
		}
		return k, errors.Join(err, t.Close())
	}
	return index.Known{}, ErrVanished
}

// Cached appends the cached bytes of a field to dst; false if there are none.
func (m *Mailbox) Cached(uid mail.UID, f uint8, dst []byte) ([]byte, bool) {
	m.stir()
	b, ok := m.cache.Load().Get(uid, index.Field(f), dst)
	if ok {
		m.c.Counts.cacheHits.Add(1)
	} else {
		m.c.Counts.cacheMisses.Add(1)
	}
	return b, ok
}

// PutCached keeps bytes for Cached. It is best effort. All fields of a message at
// once are one write.
func (m *Mailbox) PutCached(uid mail.UID, fields ...CacheEntry) {
	m.c.Counts.cacheFills.Add(1)
	m.cache.Load().Put(uid, indexEntries(fields)...)
}
