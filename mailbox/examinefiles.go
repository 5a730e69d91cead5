package mailbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"postrider/index"
	"postrider/mail"
)

// order looks at a state alone.
func (x *Examination) order(s *Snapshot) {
	last, bases := mail.UID(0), map[string]mail.UID{}
	counted := sums{}
	for i, msg := range s.All(0) {
		if msg.UID <= last {
			x.add(Damage, partJournal, msg.UID, "it follows UID %d", last)
		}
		last = msg.UID
		if other, twice := bases[msg.Base]; twice {
			x.add(Damage, partJournal, msg.UID, "UID %d has the base name %q, too", other, msg.Base)
		}
		bases[msg.Base] = msg.UID
		if at, ok := s.Find(msg.UID); !ok || at != i {
			x.add(Damage, partJournal, msg.UID, "it is found at %d, not %d", at, i)
		}
		if msg.ModSeq > s.modseq {
			x.add(Damage, partJournal, msg.UID, "it has mod-sequence %d, above the mailbox's %d", msg.ModSeq, s.modseq)
		}
	}
	for start, c := range s.tree().chunks(0) {
		counted.add(c.cols().count(), 1)
		var m chunk
		if m.measure(c.cols()); m.meta != c.meta {
			x.add(Damage, partJournal, 0, "of the messages from %d on is known %+v; they are %+v", start, c.meta, m.meta)
		}
	}
	if last >= s.uidNext {
		x.add(Damage, partJournal, 0, "UIDNEXT is %d, the last UID %d", s.uidNext, last)
	}
	if counted != s.sums {
		x.add(Damage, partJournal, 0, "the counters say %+v, the messages %+v", s.sums, counted)
	}
}

// snapshotFile compares the snapshot file with what the journal says where it stands.
func (x *examiner) snapshotFile() {
	s := x.file
	switch {
	case s == nil:
		return
	case s.Pos() > x.ending.End:
		x.add(Damage, partSnapshot, 0, "it stands at byte %d of the journal, which ends at %d", s.Pos(), x.ending.End)
		return
	case x.at == nil:
		x.add(Damage, partSnapshot, 0, "no batch of the journal ends at byte %d, where it stands", s.Pos())
		return
	}
	l := newLooker(x.Now)
	if err := l.begin(s); err != nil {
		x.add(Damage, partSnapshot, 0, "%v", err)
		return
	}
	t := l.state()
	x.compare(partSnapshot, t, x.at)
	c := s.Counts()
	size, unsized := t.Size()
	first := mail.UID(0)
	if i := t.FirstUnseen(); i >= 0 {
		first = t.UID(i)
	}
	if want := (index.Counts{Messages: t.Len(), Unseen: t.Unseen(), Deleted: t.Deleted(), FirstUnseen: first, Size: size, Unsized: unsized}); c != want {
		x.add(Damage, partSnapshot, 0, "the header counts %+v, the messages are %+v", c, want)
	}
	x.nameTable(s, t)
	x.directory(s)
}

// directory compares what the chunk directory says with the chunks.
func (x *examiner) directory(s *index.Snapshot) {
	f := &backing{infos: newInfos(), file: s}
	for i := range s.Chunks() {
		rows, err := f.rows(i, nil)
		if err != nil || len(rows) == 0 {
			x.add(Damage, partSnapshot, 0, "chunk %d has %d messages: %v", i, len(rows), err)
			continue
		}
		var c chunk
		c.measure(f.columns(rows))
		if want := metaOf(s.Info(i)); c.meta != want || rows[0].UID != s.Info(i).First {
			x.add(Damage, partSnapshot, rows[0].UID, "the directory says of its chunk %+v, it is %+v", want, c.meta)
		}
	}
}

func (x *examiner) nameTable(s *index.Snapshot, t *Snapshot) {
	for _, msg := range t.All(0) {
		uids, err := s.Lookup(msg.Base)
		if err != nil {
			x.add(Damage, partSnapshot, 0, "%v", err)
			return
		}
		if !slices.Contains(uids, msg.UID) {
			x.add(Damage, partSnapshot, msg.UID, "its base name is not in the table of names")
		}
	}
}

// compare compares two states message by message. Part says whose is the first; the
// second is the journal's.
func (x *Examination) compare(part string, a, b *Snapshot) {
	if a.Len() != b.Len() || a.uidNext != b.uidNext || a.validity != b.validity || a.modseq != b.modseq {
		x.add(Damage, part, 0, "%d messages, UIDVALIDITY %d, UIDNEXT %d, mod-sequence %d; the journal says %d, %d, %d, %d",
			a.Len(), a.validity, a.uidNext, a.modseq, b.Len(), b.validity, b.uidNext, b.modseq)
	}
	if !slices.Equal(a.keywords.names, b.keywords.names) {
		x.add(Damage, part, 0, "the keywords are %q; the journal says %q", a.keywords.names, b.keywords.names)
	}
	for i, m := range a.All(0) {
		n, ok := b.Lookup(m.UID)
		if i < b.Len() && b.UID(i) == m.UID {
			n, ok = b.Message(i), true
		}
		switch {
		case !ok:
			x.add(Damage, part, m.UID, "the journal does not have this message")
		case m != n || !slices.Equal(a.KeywordsOf(m), b.KeywordsOf(n)):
			x.add(Damage, part, m.UID, "%s; the journal says %s", a.describe(m), b.describe(n))
		}
	}
	for _, n := range b.All(0) {
		if _, ok := a.Find(n.UID); !ok {
			x.add(Damage, part, n.UID, "it is missing; the journal has it")
		}
	}
}

// describe is a message in words.
func (s *Snapshot) describe(m Message) string {
	return fmt.Sprintf("%s with %v %q, mod-sequence %d, sizes %d and %d, dates %d and %d",
		where(m.file()), m.Flags, s.KeywordsOf(m), m.ModSeq, m.Size, m.CRLFSize, index.StampOf(m.Internal), index.StampOf(m.Saved))
}

// cached looks at each entry of the cache. Nothing of that file is synced, and a frame that
// does not pass its check is none, so one is no damage; an entry that would be believed is.
func (x *examiner) cached() {
	if x.cache == nil {
		return
	}
	h, err := index.ReadCacheHead(x.dir)
	if err == nil && h.UIDValidity != x.state.UIDValidity() {
		x.add(Note, partCache, 0, "it is of UIDVALIDITY %d, the mailbox of %d: it is begun anew", h.UIDValidity, x.state.UIDValidity())
		return
	}
	found := &Examination{}
	gone := 0
	for uid := range x.cache.UIDs {
		_, err := x.cache.Entries(uid)
		_, live := x.state.Find(uid)
		switch {
		case err != nil:
			found.add(Note, partCache, uid, "%v: it counts as not there", err)
		case uid >= x.state.UIDNext():
			found.add(Damage, partCache, uid, "no message has had this UID: it would be taken for the one that gets it")
		case !live:
			gone++
		default:
			x.Cached++
		}
	}
	if err := x.cache.Fault(); err != nil {
		found.add(Note, partCache, 0, "%v", err)
	}
	if x.cache.Begun() { // by a server, while it was read
		x.add(Note, partCache, 0, "it was begun anew meanwhile")
		return
	}
	x.adopt(found)
	if gone > 0 {
		x.add(Note, partCache, 0, "%d entries are of messages that are gone: they are dropped when the file is written anew", gone)
	}
}

func (x *Examination) adopt(y *Examination) {
	for _, f := range y.Findings {
		x.add(f.Severity, f.Part, f.UID, "%s", f.Text)
	}
	for key, n := range y.kept {
		if more := n - maxFindings; more > 0 {
			x.kept[key] += more
			x.Left[key.part] += more
		}
	}
}

// deep reads each message and compares sizes and what is cached of it with what the
// file gives.
func (x *examiner) deep(ctx context.Context) error {
	for i, msg := range x.state.All(0) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if x.Progress != nil {
			x.Progress(i, x.state.Len())
		}
		if err := x.deepOne(msg); err != nil && !errors.Is(err, fs.ErrNotExist) {
			x.add(Damage, partNames, msg.UID, "%v", err)
		}
	}
	if x.Progress != nil {
		x.Progress(x.state.Len(), x.state.Len())
	}
	return nil
}

// deepOne returns fs.ErrNotExist if the file is gone, which names has told.
func (x *examiner) deepOne(msg Message) error {
	f := msg.file()
	file, err := x.folder.Open(f)
	if errors.Is(err, fs.ErrNotExist) {
		found, ferr := x.folder.Find(msg.Base)
		if ferr != nil || len(found) == 0 {
			return errors.Join(err, ferr)
		}
		f = found[0]
		file, err = x.folder.Open(f)
	}
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err != nil {
		file.Close()
		return err
	}
	text, err := x.folder.Served(f, file)
	if err != nil {
		return err
	}
	defer text.Close()
	size, err := text.Size()
	if err != nil {
		return err
	}
	if msg.Size >= 0 && msg.Size != info.Size {
		x.add(Unseen, partNames, msg.UID, "the file has %d octets, the journal says %d: another message took its name", info.Size, msg.Size)
		return nil
	}
	if msg.CRLFSize >= 0 && msg.CRLFSize != size {
		x.add(Damage, partJournal, msg.UID, "the message has %d octets as served, the journal says %d", size, msg.CRLFSize)
	}
	return x.deepCache(msg.UID, text)
}

// deepCache compares what is cached of a message with what its text gives.
func (x *examiner) deepCache(uid mail.UID, text Served) error {
	if x.cache == nil {
		return nil
	}
	entries, err := x.cache.Entries(uid)
	if err != nil || len(entries) == 0 {
		return nil // cached told of it
	}
	want, err := x.Derive(text)
	if err != nil {
		return err
	}
	for _, e := range entries {
		i := slices.IndexFunc(want, func(w CacheEntry) bool { return w.Field == uint8(e.Field) })
		if i >= 0 && !bytes.Equal(e.Bytes, want[i].Bytes) {
			x.add(Damage, partCache, uid, "field %d is not what the message gives: %.60q, not %.60q", e.Field, e.Bytes, want[i].Bytes)
		}
	}
	return nil
}
