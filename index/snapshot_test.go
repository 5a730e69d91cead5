package index

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"postrider/mail"
	"postrider/vfs"
	"postrider/vfs/memfs"
)

// many yields messages 1, 3, 5 ... in the order of UIDs.
func many(n int) iter.Seq[*Message] {
	return func(yield func(*Message) bool) {
		for i := range n {
			m := message(mail.UID(2*i + 1))
			if i%3 == 0 {
				m.Flags = mail.Deleted
			}
			if i%5 == 0 {
				m.Size = -1
			}
			if !yield(&m) {
				return
			}
		}
	}
}

func TestSnapshotGivesBackWhatItWasGiven(t *testing.T) {
	for _, n := range []int{0, 1, 255, 256, 257, 1500} {
		d := testDir(t, memfs.New(memfs.Options{}))
		j, _ := mustOpen(t, d)
		j.Append(&Batch{ModSeq: 4, Records: []Record{ValiditySet{7, 8}}})
		head := []Record{ValiditySet{7, mail.UID(2 * n)}, KeywordNamed{0, "x"}}
		if err := j.WriteSnapshot(4, head, many(n)); err != nil {
			t.Fatal(err)
		}
		j.Append(&Batch{ModSeq: 5, Records: []Record{RecentClaimed{9}}})
		j.Close()

		j, _ = mustOpen(t, d)
		s, err := j.OpenSnapshot()
		if err != nil || s == nil {
			t.Fatalf("%d messages: %v", n, err)
		}
		modseq, got := s.Head()
		if d := cmp.Diff(head, got); d != "" || modseq != 4 || s.Len() != n {
			t.Errorf("%d messages: mod-sequence %d, length %d, %s", n, modseq, s.Len(), d)
		}
		var want Counts
		i := 0
		var rows []Message
		for k := range s.Chunks() {
			if rows, err = s.Chunk(k, rows); err != nil {
				t.Fatal(err)
			}
		}
		for m := range many(n) {
			want.add(m)
			if rows[i] != *m {
				t.Fatalf("message %d: got %+v, want %+v", i, rows[i], *m)
			}
			if uids, err := s.Lookup(m.Base); err != nil || len(uids) == 0 || !contains(uids, m.UID) {
				t.Fatalf("look-up of %s: %v %v", m.Base, uids, err)
			}
			i++
		}
		if i != len(rows) || s.Counts() != want {
			t.Errorf("%d rows, counts %+v, want %d, %+v", len(rows), s.Counts(), i, want)
		}
		if uids, err := s.Lookup("17000.nobody"); err != nil || len(uids) != 0 {
			t.Errorf("look-up of nobody: %v %v", uids, err)
		}
		var tail []Batch
		j.ReadTail(func(b *Batch) error { tail = append(tail, *b); return nil })
		if len(tail) != 1 || tail[0].ModSeq != 5 {
			t.Errorf("the tail behind the snapshot: %+v", tail)
		}
		j.Rewind()
		tail = nil
		j.ReadTail(func(b *Batch) error { tail = append(tail, *b); return nil })
		if len(tail) != 2 {
			t.Errorf("%d batches from the start, want 2", len(tail))
		}
	}
}

func contains(uids []mail.UID, uid mail.UID) bool {
	for _, u := range uids {
		if u == uid {
			return true
		}
	}
	return false
}

// countingFile counts the bytes that are read.
type countingFile struct {
	vfs.File
	n *int64
}

func (f countingFile) ReadAt(p []byte, off int64) (int, error) {
	*f.n += int64(len(p))
	return f.File.ReadAt(p, off)
}

func TestSnapshotOpensAndLooksUpWithoutReadingAll(t *testing.T) {
	d := testDir(t, memfs.New(memfs.Options{}))
	j, _ := mustOpen(t, d)
	if err := j.WriteSnapshot(1, nil, many(20_000)); err != nil {
		t.Fatal(err)
	}
	f, _ := d.Open(snapshotName)
	info, _ := f.Stat()
	var read int64
	s := &Snapshot{file: &restingFile{file: countingFile{f, &read}}}
	if _, err := s.load(info.Size); err != nil {
		t.Fatal(err)
	}
	if read > info.Size/100 {
		t.Errorf("opening read %d of %d bytes", read, info.Size)
	}
	read = 0
	m := message(12345)
	if uids, err := s.Lookup(m.Base); err != nil || !contains(uids, 12345) {
		t.Fatal(uids, err)
	}
	if read > 5*tableBlock {
		t.Errorf("a look-up read %d bytes", read)
	}
}

func TestDamagedSnapshotIsNoticed(t *testing.T) {
	d := testDir(t, memfs.New(memfs.Options{}))
	j, _ := mustOpen(t, d)
	if err := j.WriteSnapshot(1, []Record{ValiditySet{7, 1000}}, many(600)); err != nil {
		t.Fatal(err)
	}
	whole := contents(t, d, snapshotName)
	for at := 0; at < len(whole); at += 61 {
		b := bytes.Clone(whole)
		b[at] ^= 0x55
		replace(t, d, snapshotName, b)
		if err := readAll(j); !errors.Is(err, ErrDamaged) {
			t.Errorf("byte %d of %d changed: %v", at, len(whole), err)
		}
	}
	for n := range len(whole) {
		if n%97 != 0 {
			continue
		}
		replace(t, d, snapshotName, whole[:n])
		if err := readAll(j); !errors.Is(err, ErrDamaged) {
			t.Errorf("cut to %d of %d bytes: %v", n, len(whole), err)
		}
	}
}

// readAll reads everything of the snapshot file.
func readAll(j *Journal) error {
	s, err := j.readSnapshot()
	if err != nil {
		return err
	}
	defer s.Close()
	for i := range s.Chunks() {
		if _, err := s.Chunk(i, nil); err != nil {
			return err
		}
	}
	for i := range s.Len() {
		if _, err := s.Lookup(fmt.Sprint("x", i)); err != nil {
			return err
		}
	}
	return nil
}

func contents(t testing.TB, d vfs.Dir, name string) []byte {
	t.Helper()
	f, err := d.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, _ := f.Stat()
	b := make([]byte, info.Size)
	f.ReadAt(b, 0)
	return b
}

// replace changes a file's bytes and leaves its inode.
func replace(t testing.TB, d vfs.Dir, name string, b []byte) {
	t.Helper()
	f, err := d.OpenFile(name, os.O_CREATE|os.O_RDWR|os.O_TRUNC, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt(b, 0); err != nil && len(b) > 0 {
		t.Fatal(err)
	}
}

func TestLostJournalIsRecoveredFromTheSnapshot(t *testing.T) {
	lose := map[string]func(t *testing.T, d vfs.Dir, whole []byte){
		"deleted": func(t *testing.T, d vfs.Dir, _ []byte) { d.Remove(journalName) },
		"empty":   func(t *testing.T, d vfs.Dir, _ []byte) { replace(t, d, journalName, nil) },
		"header gone": func(t *testing.T, d vfs.Dir, b []byte) {
			b = bytes.Clone(b)
			clear(b[:8])
			replace(t, d, journalName, b)
		},
		"an older backup": func(t *testing.T, d vfs.Dir, b []byte) { replace(t, d, journalName, b[:headLen]) },
	}
	for name, f := range lose {
		t.Run(name, func(t *testing.T) {
			d := testDir(t, memfs.New(memfs.Options{}))
			j, _ := mustOpen(t, d)
			want := newModel()
			b := Batch{ModSeq: 10, Records: []Record{ValiditySet{7, 5000}}}
			for m := range many(300) {
				m.ModSeq = 10
				b.Records = append(b.Records, Appended{*m})
			}
			j.Append(&b)
			want.apply(&b)
			if err := j.WriteSnapshot(10, want.head(), want.rows); err != nil {
				t.Fatal(err)
			}
			after := Batch{ModSeq: 11, Records: []Record{FlagsSet{1, mail.Draft, false, ":2,D"}}}
			j.Append(&after)
			j.Sync(j.Pos())
			j.Close()
			f(t, d, contents(t, d, journalName))
			if name == "header gone" {
				want.apply(&after)
			}
			j, got, found := load(t, d)
			if !found.Moved || found.Fresh || found.Damage == nil {
				t.Errorf("found %+v", found)
			}
			if d := want.diff(got); d != "" || got.next < want.next || got.modseq < want.modseq {
				t.Error(d, got.next, got.modseq)
			}
			if found.Set != "" {
				if _, err := d.Stat(found.Set); err != nil {
					t.Errorf("the old file: %v", err)
				}
			}
			j.Append(&Batch{ModSeq: 11 + jumpBy, Records: []Record{ValiditySet{7, got.next + jumpBy}}})
			j.Close()
			if _, again, found := load(t, d); found.Moved || found.Damage != nil || want.diff(again) != "" {
				t.Errorf("opened again: %+v, %s", found, want.diff(again))
			}
		})
	}
}

func TestSnapshotOfAnotherJournalIsNotUsed(t *testing.T) {
	d := testDir(t, memfs.New(memfs.Options{}))
	j, _ := mustOpen(t, d)
	m := newModel()
	b := Batch{ModSeq: 1, Records: []Record{ValiditySet{7, 1}, Appended{message(1)}}}
	j.Append(&b)
	m.apply(&b)
	if err := j.WriteSnapshot(1, m.head(), m.rows); err != nil {
		t.Fatal(err)
	}
	if err := m.compact(j); err != nil {
		t.Fatal(err)
	}
	if s, err := j.OpenSnapshot(); s != nil || err != nil {
		t.Errorf("the snapshot of generation 1 beside generation 2: %v %v", s, err)
	}
}
