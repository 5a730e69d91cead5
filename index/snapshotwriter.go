package index

import (
	"encoding/binary"
	"fmt"
	"iter"
	"os"

	"postrider/mail"
	"postrider/vfs"
)

// SnapshotWriter writes a snapshot file beside the one in use. But for BeginSnapshot
// and Commit it needs no lock: a large mailbox is written while others use it.
type SnapshotWriter struct {
	dir    vfs.Dir
	fsync  bool
	tmp    string
	modseq mail.ModSeq
	head   []Record
	gen    uint64
	at     int64 // the position in the journal

	f      vfs.File
	pos    int64
	chunks []chunkEntry
	hashes []uint64 // hash of a base name above its UID
	counts Counts
	tail   int64  // where the head begins
	headed []byte // the header, once it is written
}

// BeginSnapshot begins a snapshot file of the state at Pos. head brings an empty
// mailbox to that state but for its messages. It makes no file yet, and is called
// under the lock that guards the journal. Before Commit the journal must be durable
// up to that position. Of two writers with the same tmp, a file name, one must have
// ended before the other makes its first chunk.
func (j *Journal) BeginSnapshot(tmp string, modseq mail.ModSeq, head []Record) *SnapshotWriter {
	return &SnapshotWriter{dir: j.dir, fsync: j.opt.Fsync, tmp: tmp, modseq: modseq, head: head, gen: j.generation, at: j.pos, pos: snapshotHead}
}

// WriteSnapshot writes the state at Pos as the snapshot file, replacing an older
// one: messages are in ascending order of UIDs. Under the folder's lock.
func (j *Journal) WriteSnapshot(modseq mail.ModSeq, head []Record, messages iter.Seq[*Message]) error {
	w := j.BeginSnapshot(snapshotName+".new", modseq, head)
	part := make([]Message, 0, ChunkLen)
	var err error
	for m := range messages {
		if part = append(part, *m); len(part) == ChunkLen {
			if err = w.Chunk(part); err != nil {
				break
			}
			part = part[:0]
		}
	}
	if err == nil && len(part) > 0 {
		err = w.Chunk(part)
	}
	if err == nil {
		err = w.Finish()
	}
	if err != nil {
		w.Abort()
		return err
	}
	s, err := w.Commit()
	if err != nil {
		return err
	}
	return s.Close()
}

// Pos is the position in the journal that the snapshot stands for.
func (w *SnapshotWriter) Pos() int64 { return w.at }

// Size is the length of the file, once it is finished.
func (w *SnapshotWriter) Size() int64 { return w.pos }

func (w *SnapshotWriter) create() (err error) {
	if w.f == nil {
		if w.f, err = w.dir.OpenFile(w.tmp, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600); err != nil {
			return fmt.Errorf("making a snapshot: %w", err)
		}
	}
	return nil
}

func (w *SnapshotWriter) put(b []byte) error {
	if err := w.create(); err != nil {
		return err
	}
	if _, err := w.f.WriteAt(b, w.pos); err != nil {
		return fmt.Errorf("making a snapshot: %w", err)
	}
	w.pos += int64(len(b))
	return nil
}

// Chunk writes the next messages, 1 to ChunkLen, above all before.
func (w *SnapshotWriter) Chunk(part []Message) error {
	b := make([]byte, 0, len(part)*(recordLen+80))
	names := 0
	e := chunkEntry{ChunkInfo: ChunkInfo{First: part[0].UID, Last: part[len(part)-1].UID, N: len(part)}}
	var c Counts
	for i := range part {
		m := &part[i]
		b = appendFixed(b, m, names)
		names += len(m.Base) + len(m.Info)
		w.hashes = append(w.hashes, uint64(baseHash(m.Base))<<32|uint64(m.UID))
		e.Newest = max(e.Newest, m.ModSeq)
		c.add(m)
	}
	for i := range part {
		b = append(append(b, part[i].Base...), part[i].Info...)
	}
	e.Unseen, e.Deleted, e.Unsized, e.Size = c.Unseen, c.Deleted, c.Unsized, c.Size
	return w.entry(e, b, c.FirstUnseen)
}

// Copy takes a chunk over from another snapshot file as it is.
func (w *SnapshotWriter) Copy(s *Snapshot, i int) error {
	b, err := s.raw(i)
	if err != nil {
		return err
	}
	e, le, first := s.chunks[i], binary.LittleEndian, mail.UID(0)
	names := b[e.N*recordLen:]
	for k := range e.N {
		r := b[k*recordLen:]
		n, at := int64(le.Uint16(r[6:])), int64(le.Uint32(r[12:]))
		if at+n > int64(len(names)) {
			return &FormatError{snapshotName, e.off, "a name that lies outside", ErrDamaged}
		}
		uid := le.Uint32(r)
		if first == 0 && !mail.Flags(r[4]).Has(mail.Seen) {
			first = mail.UID(uid)
		}
		w.hashes = append(w.hashes, uint64(hashOf(names[at:at+n]))<<32|uint64(uid))
	}
	return w.entry(e, b, first)
}

// entry writes a chunk and notes its row of the directory.
func (w *SnapshotWriter) entry(e chunkEntry, b []byte, firstUnseen mail.UID) error {
	if len(w.chunks) > 0 && e.First <= w.chunks[len(w.chunks)-1].Last {
		return fmt.Errorf("making a snapshot: UID %d follows %d", e.First, w.chunks[len(w.chunks)-1].Last)
	}
	if w.counts.Unseen == 0 {
		w.counts.FirstUnseen = firstUnseen
	}
	w.counts.Messages += e.N
	w.counts.Unseen += e.Unseen
	w.counts.Deleted += e.Deleted
	w.counts.Unsized += e.Unsized
	w.counts.Size += e.Size
	e.off, e.size, e.sum = w.pos, uint32(len(b)), castagnoli(b)
	w.chunks = append(w.chunks, e)
	return w.put(b)
}

// Finish writes what follows the chunks and brings the file to the disk.
func (w *SnapshotWriter) Finish() error {
	var directory []byte
	for i := range w.chunks {
		directory = w.chunks[i].append(directory)
	}
	table := w.table()
	h := w.header(directory, table)
	for _, b := range [][]byte{directory, table, batchFrame(&Batch{ModSeq: w.modseq, Records: w.head})} {
		if err := w.put(b); err != nil {
			return err
		}
	}
	w.headed = h
	if _, err := w.f.WriteAt(h, 0); err != nil {
		return fmt.Errorf("making a snapshot: %w", err)
	}
	if !w.fsync {
		return nil
	}
	if err := w.f.Sync(); err != nil {
		return fmt.Errorf("making a snapshot: %w", err)
	}
	return nil
}

// header is the header; what follows the chunks begins at pos.
func (w *SnapshotWriter) header(directory, table []byte) []byte {
	w.tail = w.pos + int64(len(directory)+len(table))
	le := binary.LittleEndian
	h := make([]byte, snapshotHead)
	copy(h, snapshotMagic[:])
	le.PutUint32(h[8:], formatVersion)
	le.PutUint32(h[12:], uint32(len(w.chunks)))
	le.PutUint64(h[16:], w.gen)
	le.PutUint64(h[24:], uint64(w.at))
	le.PutUint64(h[32:], uint64(w.counts.Messages))
	le.PutUint64(h[40:], uint64(w.pos))
	le.PutUint64(h[48:], uint64(w.pos)+uint64(len(directory)))
	le.PutUint64(h[56:], uint64(w.tail))
	le.PutUint32(h[64:], castagnoli(directory))
	le.PutUint32(h[72:], uint32(w.counts.Unseen))
	le.PutUint32(h[76:], uint32(w.counts.Deleted))
	le.PutUint64(h[80:], uint64(w.counts.Size))
	le.PutUint32(h[88:], uint32(w.counts.Unsized))
	le.PutUint32(h[92:], uint32(w.counts.FirstUnseen))
	le.PutUint32(h[snapshotHead-4:], castagnoli(h[:snapshotHead-4]))
	return h
}

// Commit puts the file in place and returns it open. It is called once, after Finish,
// under the folder's lock. The state is the one of the journal's generation and
// position at BeginSnapshot: the caller has seen to it that the journal is still that
// one.
func (w *SnapshotWriter) Commit() (*Snapshot, error) {
	if err := w.dir.Rename(w.tmp, w.dir, snapshotName); err != nil {
		w.Abort()
		return nil, fmt.Errorf("making a snapshot: %w", err)
	}
	file := &restingFile{file: w.f}
	if info, err := w.f.Stat(); err == nil {
		file.settle(w.dir, snapshotName, w.headed, info) // if not, it stays open
	}
	return &Snapshot{file: file, size: w.pos, gen: w.gen, pos: w.at, count: w.counts.Messages, chunks: w.chunks,
		hashes: w.tail - tableBlock*int64(tableBlocks(w.counts.Messages)), counts: w.counts, records: w.head, modseq: w.modseq}, nil
}

// Abort throws away what was written.
func (w *SnapshotWriter) Abort() {
	if w.f != nil {
		w.f.Close()
		w.dir.Remove(w.tmp)
	}
}
