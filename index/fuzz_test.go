package index

import (
	"errors"
	"testing"

	"postrider/vfs/memfs"
)

// A journal of any bytes is read without a panic, takes batches afterwards or says
// why not, and what it takes is there at the next opening.
func FuzzJournal(f *testing.F) {
	d := testDir(f, memfs.New(memfs.Options{}))
	j, _ := mustOpen(f, d)
	for _, b := range sample() {
		j.Append(&b)
	}
	j.Sync(j.Pos())
	j.Append(&Batch{ModSeq: 9, Records: []Record{Appended{message(9)}}})
	whole := contents(f, d, journalName)
	f.Add(whole, true)
	f.Add(whole[:len(whole)-3], true)
	f.Add(append(whole[:len(whole):len(whole)], make([]byte, 100)...), false)
	f.Add([]byte{}, false)
	f.Fuzz(func(t *testing.T, b []byte, seal bool) {
		if seal {
			sealAll(b, headLen)
		}
		d := testDir(t, memfs.New(memfs.Options{}))
		replace(t, d, journalName, b)
		j, _, err := Open(d, Options{Now: clock, Fsync: true})
		if errors.Is(err, ErrNewer) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		records := 0
		err = j.ReadTail(func(b *Batch) error { records += len(b.Records); return nil })
		if records > len(b) {
			t.Errorf("%d records of %d bytes", records, len(b))
		}
		if err != nil {
			return
		}
		if _, err := j.Append(&Batch{ModSeq: 1, Records: []Record{Mark{"fuzz", "was here"}}}); err != nil {
			if !errors.Is(err, ErrReadOnly) {
				t.Errorf("append: %v", err)
			}
			return
		}
		j.Close()
		j, _ = mustOpen(t, d)
		last := Record(nil)
		j.ReadTail(func(b *Batch) error {
			for _, r := range b.Records {
				last = r
			}
			return nil
		})
		if last != (Mark{"fuzz", "was here"}) && j.Damage() == nil {
			t.Errorf("the last record is %#v", last)
		}
	})
}

// A snapshot file of any bytes gives rows or an error.
func FuzzSnapshot(f *testing.F) {
	d := testDir(f, memfs.New(memfs.Options{}))
	j, _ := mustOpen(f, d)
	if err := j.WriteSnapshot(1, []Record{ValiditySet{7, 9}}, many(3)); err != nil {
		f.Fatal(err)
	}
	f.Add(contents(f, d, snapshotName), true)
	f.Add(contents(f, d, snapshotName)[:200], true)
	f.Fuzz(func(t *testing.T, b []byte, seal bool) {
		if seal && len(b) >= snapshotHead {
			le32(b[snapshotHead-4:], castagnoli(b[:snapshotHead-4]))
		}
		d := testDir(t, memfs.New(memfs.Options{}))
		replace(t, d, snapshotName, b)
		s, err := (&Journal{dir: d}).readSnapshot()
		if err != nil {
			return
		}
		defer s.Close()
		for i := range s.Chunks() {
			rows, err := s.Chunk(i, nil)
			if err == nil && len(rows) > len(b)/recordLen {
				t.Errorf("%d rows of %d bytes", len(rows), len(b))
			}
		}
		s.Lookup("x")
	})
}

// An account file of any bytes is read, and written over.
func FuzzLedger(f *testing.F) {
	d := testDir(f, memfs.New(memfs.Options{}))
	l := testLedger(d, clock)
	l.SetSpecialUse("A/B", []string{`\Sent`})
	f.Add(contents(f, d, ledgerName), true)
	f.Add([]byte{}, false)
	f.Fuzz(func(t *testing.T, b []byte, seal bool) {
		if seal && len(b) > ledgerHeadLen+frameHead {
			le32(b[ledgerHeadLen:], uint32(len(b)-ledgerHeadLen-frameHead))
			le32(b[ledgerHeadLen+4:], castagnoli(b[ledgerHeadLen+frameHead:]))
		}
		d := testDir(t, memfs.New(memfs.Options{}))
		replace(t, d, ledgerName, b)
		l := testLedger(d, clock)
		v, err := l.NextValidity()
		if errors.Is(err, ErrNewer) || errors.Is(err, ErrOlder) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if w, err := l.NextValidity(); err != nil || w != v+1 {
			t.Errorf("%d after %d: %v", w, v, err)
		}
		if err := l.Note("Z", Marks{2, 3, 4}); err != nil {
			t.Error(err)
		}
	})
}
