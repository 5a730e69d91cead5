package index

import (
	"testing"

	"postrider/mail"
	"postrider/vfs"
)

func benchDir(b *testing.B) vfs.Dir {
	b.Helper()
	d, err := vfs.OS().OpenDir(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { d.Close() })
	return d
}

const benchMessages = 100_000

func BenchmarkAppendFlag(b *testing.B) {
	j, _ := mustOpen(b, benchDir(b))
	batch := Batch{Records: []Record{FlagsSet{UID: 1, Flags: mail.Seen, Info: ":2,S"}}}
	for b.Loop() {
		batch.ModSeq++
		if _, err := j.Append(&batch); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLoadSnapshot(b *testing.B) {
	d := benchDir(b)
	j, _ := mustOpen(b, d)
	if err := j.WriteSnapshot(1, nil, many(benchMessages)); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		s, err := j.OpenSnapshot()
		if err != nil {
			b.Fatal(err)
		}
		var rows []Message
		for i := range s.Chunks() {
			if rows, err = s.Chunk(i, rows[:0]); err != nil {
				b.Fatal(err)
			}
		}
		s.Close()
	}
}

func BenchmarkReadJournal(b *testing.B) {
	d := benchDir(b)
	j, _ := mustOpen(b, d)
	batch := Batch{ModSeq: 1}
	for m := range many(benchMessages) {
		if batch.Records = append(batch.Records, Appended{*m}); len(batch.Records) == checkpointBatch {
			j.Append(&batch)
			batch.Records = batch.Records[:0]
		}
	}
	for b.Loop() {
		n := 0
		j.Rewind()
		if err := j.ReadTail(func(b *Batch) error { n += len(b.Records); return nil }); err != nil || n != benchMessages {
			b.Fatal(n, err)
		}
	}
}

func BenchmarkLookup(b *testing.B) {
	j, _ := mustOpen(b, benchDir(b))
	if err := j.WriteSnapshot(1, nil, many(benchMessages)); err != nil {
		b.Fatal(err)
	}
	s, err := j.OpenSnapshot()
	if err != nil {
		b.Fatal(err)
	}
	base := message(77_777).Base
	for b.Loop() {
		if uids, err := s.Lookup(base); err != nil || len(uids) == 0 {
			b.Fatal(uids, err)
		}
	}
}

// One round gets one field of 100,000 messages, in order.
func BenchmarkCacheSequential(b *testing.B) {
	d := benchDir(b)
	c := OpenCache(d, 1)
	bytes := int64(0)
	for uid := mail.UID(1); uid <= benchMessages; uid++ {
		c.Put(uid, Entry{FieldEnvelope, value(uid, FieldEnvelope)}, Entry{FieldHeaders, value(uid, FieldHeaders)})
		bytes += int64(len(value(uid, FieldHeaders)))
	}
	b.SetBytes(bytes)
	var buf []byte
	for b.Loop() {
		for uid := mail.UID(1); uid <= benchMessages; uid++ {
			var ok bool
			if buf, ok = c.Get(uid, FieldHeaders, buf[:0]); !ok {
				b.Fatal(uid)
			}
		}
	}
	c.Close()
}

func BenchmarkCacheOpen(b *testing.B) {
	d := benchDir(b)
	c := OpenCache(d, 1)
	for uid := mail.UID(1); uid <= benchMessages; uid++ {
		fill(c, uid)
	}
	c.Close()
	for b.Loop() {
		c := OpenCache(d, 1)
		if len(c.slots) != benchMessages {
			b.Fatal(len(c.slots))
		}
		c.Close()
	}
}
