package index

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"

	"postrider/mail"
	"postrider/vfs"
)

// ChunkLen is how many messages a chunk of the snapshot file holds, but for the last.
const ChunkLen = 256

const (
	snapshotHead = 128
	recordLen    = 96
)

var snapshotMagic = [8]byte{'P', 'R', 'I', 'N', 'D', 'X', '\r', '\n'}

// Snapshot is a snapshot file that is open for reading: the state of the mailbox at a
// position of the journal. It may be read by several goroutines at once.
type Snapshot struct {
	file    vfs.File
	size    int64 // of the file
	gen     uint64
	pos     int64
	count   int
	chunks  []chunkEntry
	hashes  int64 // offset of the table of base names
	counts  Counts
	records []Record
	modseq  mail.ModSeq
}

// Counts are what STATUS asks of a mailbox, in the snapshot file's header.
type Counts struct {
	Messages, Unseen, Deleted int
	FirstUnseen               mail.UID // the first without \Seen, 0: none
	Size                      int64    // sum of the sizes as stored that are known
	Unsized                   int      // how many are not known
}

func (c *Counts) add(m *Message) {
	c.Messages++
	if !m.Flags.Has(mail.Seen) {
		if c.Unseen++; c.Unseen == 1 {
			c.FirstUnseen = m.UID
		}
	}
	if m.Flags.Has(mail.Deleted) {
		c.Deleted++
	}
	if m.Size >= 0 {
		c.Size += m.Size
	} else {
		c.Unsized++
	}
}

// chunkEntry is a row of the chunk directory: 24 octets.
type chunkEntry struct {
	off   int64
	size  uint32
	first mail.UID
	n     uint32
	sum   uint32
}

// WriteSnapshot writes the state at Pos as the snapshot file, replacing an older
// one. head brings an empty mailbox to that state but for its messages, which are in
// ascending order of UIDs. Under the folder's lock. The journal must be durable up
// to Pos.
func (j *Journal) WriteSnapshot(modseq mail.ModSeq, head []Record, messages iter.Seq[*Message]) error {
	tmp := snapshotName + ".new"
	f, err := j.dir.OpenFile(tmp, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("making a snapshot: %w", err)
	}
	defer f.Close()
	w := &snapshotWriter{f: f, pos: snapshotHead}
	err = w.write(j, modseq, head, messages)
	if err == nil && j.opt.Fsync {
		err = f.Sync()
	}
	if err == nil {
		err = j.dir.Rename(tmp, j.dir, snapshotName)
	}
	if err != nil {
		j.dir.Remove(tmp)
		return fmt.Errorf("making a snapshot: %w", err)
	}
	return nil
}

type snapshotWriter struct {
	f      vfs.File
	pos    int64
	chunks []chunkEntry
	hashes []uint64 // hash of a base name above its UID
	counts Counts
}

func (w *snapshotWriter) write(j *Journal, modseq mail.ModSeq, head []Record, messages iter.Seq[*Message]) error {
	part := make([]*Message, 0, ChunkLen)
	for m := range messages {
		c := *m
		if part = append(part, &c); len(part) == ChunkLen {
			if err := w.chunk(part); err != nil {
				return err
			}
			part = part[:0]
		}
	}
	if len(part) > 0 {
		if err := w.chunk(part); err != nil {
			return err
		}
	}
	directory, table := w.directory(), w.table()
	tail := batchFrame(&Batch{ModSeq: modseq, Records: head})
	h := w.head(j, directory, table)
	for _, b := range [][]byte{directory, table, tail} {
		if err := w.put(b); err != nil {
			return err
		}
	}
	_, err := w.f.WriteAt(h, 0)
	return err
}

// head is the header; what follows the chunks begins at pos.
func (w *snapshotWriter) head(j *Journal, directory, table []byte) []byte {
	le := binary.LittleEndian
	h := make([]byte, snapshotHead)
	copy(h, snapshotMagic[:])
	le.PutUint32(h[8:], formatVersion)
	le.PutUint32(h[12:], uint32(len(w.chunks)))
	le.PutUint64(h[16:], j.generation)
	le.PutUint64(h[24:], uint64(j.pos))
	le.PutUint64(h[32:], uint64(w.counts.Messages))
	le.PutUint64(h[40:], uint64(w.pos))
	le.PutUint64(h[48:], uint64(w.pos)+uint64(len(directory)))
	le.PutUint64(h[56:], uint64(w.pos)+uint64(len(directory)+len(table)))
	le.PutUint32(h[64:], castagnoli(directory))
	le.PutUint32(h[72:], uint32(w.counts.Unseen))
	le.PutUint32(h[76:], uint32(w.counts.Deleted))
	le.PutUint64(h[80:], uint64(w.counts.Size))
	le.PutUint32(h[88:], uint32(w.counts.Unsized))
	le.PutUint32(h[92:], uint32(w.counts.FirstUnseen))
	le.PutUint32(h[snapshotHead-4:], castagnoli(h[:snapshotHead-4]))
	return h
}

func (w *snapshotWriter) put(b []byte) error {
	_, err := w.f.WriteAt(b, w.pos)
	w.pos += int64(len(b))
	return err
}

func (w *snapshotWriter) chunk(part []*Message) error {
	b := make([]byte, 0, len(part)*(recordLen+80))
	names := 0
	for _, m := range part {
		b = appendFixed(b, m, names)
		names += len(m.Base) + len(m.Info)
		w.hashes = append(w.hashes, uint64(baseHash(m.Base))<<32|uint64(m.UID))
		w.counts.add(m)
	}
	for _, m := range part {
		b = append(append(b, m.Base...), m.Info...)
	}
	w.chunks = append(w.chunks, chunkEntry{w.pos, uint32(len(b)), part[0].UID, uint32(len(part)), castagnoli(b)})
	return w.put(b)
}

// appendFixed appends a message's fixed record; names is the offset of its name in
// the chunk's area of names.
func appendFixed(dst []byte, m *Message, names int) []byte {
	le := binary.LittleEndian
	dst = le.AppendUint32(dst, uint32(m.UID))
	dst = append(dst, byte(m.Flags), bit(m.New))
	dst = le.AppendUint16(dst, uint16(len(m.Base)))
	dst = le.AppendUint16(dst, uint16(len(m.Info)))
	dst = le.AppendUint16(dst, 0)
	dst = le.AppendUint32(dst, uint32(names))
	dst = le.AppendUint32(dst, uint32(m.Keywords))
	dst = le.AppendUint32(dst, 0)
	for _, n := range [...]uint64{uint64(m.ModSeq), uint64(m.Size), uint64(m.CRLFSize), uint64(m.Internal), uint64(m.Saved), m.Ino} {
		dst = le.AppendUint64(dst, n)
	}
	dst = append(dst, m.EmailID[:]...)
	return le.AppendUint64(dst, 0)
}

func readFixed(b []byte) (m Message, name uint32, baseLen, infoLen uint16) {
	le := binary.LittleEndian
	m.UID, m.Flags, m.New = mail.UID(le.Uint32(b)), mail.Flags(b[4])&mail.AllFlags, b[5] != 0
	baseLen, infoLen, name = le.Uint16(b[6:]), le.Uint16(b[8:]), le.Uint32(b[12:])
	m.Keywords = SetID(le.Uint32(b[16:]))
	m.ModSeq = mail.ModSeq(le.Uint64(b[24:]))
	m.Size, m.CRLFSize = int64(le.Uint64(b[32:])), int64(le.Uint64(b[40:]))
	m.Internal, m.Saved = Stamp(le.Uint64(b[48:])), Stamp(le.Uint64(b[56:]))
	m.Ino = le.Uint64(b[64:])
	copy(m.EmailID[:], b[72:])
	return m, name, baseLen, infoLen
}

const chunkEntryLen = 24

func (w *snapshotWriter) directory() []byte {
	var b []byte
	le := binary.LittleEndian
	for _, c := range w.chunks {
		b = le.AppendUint64(b, uint64(c.off))
		b = le.AppendUint32(b, c.size)
		b = le.AppendUint32(b, uint32(c.first))
		b = le.AppendUint32(b, c.n)
		b = le.AppendUint32(b, c.sum)
	}
	return b
}

// OpenSnapshot opens the snapshot file if there is one that stands on this journal,
// and has ReadTail go on from there. It returns nil if there is none: ReadTail then
// tells everything. It is called before the first ReadTail. A snapshot that cannot be
// used is no error but for err, which says why, for the log.
func (j *Journal) OpenSnapshot() (s *Snapshot, err error) {
	s, err = j.readSnapshot()
	if s == nil || err != nil {
		return nil, err
	}
	if s.gen != j.generation || s.pos > j.end || s.pos < headLen {
		s.Close()
		return nil, nil // of another journal: it is replaced in time
	}
	j.pos = s.pos
	j.last = numbers{}
	j.last.note(&Batch{ModSeq: s.modseq, Records: s.records})
	j.sync.wrote(j.pos)
	return s, nil
}

// Rewind has ReadTail begin from the journal's start once more, for a caller
// that found the snapshot damaged and begins with an empty state.
func (j *Journal) Rewind() {
	j.pos, j.last = headLen, numbers{}
}

// readSnapshot opens the snapshot file, of whatever journal it is; nil if there is
// none.
func (j *Journal) readSnapshot() (*Snapshot, error) {
	f, err := j.dir.Open(snapshotName)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("opening the snapshot: %w", err)
	}
	s := &Snapshot{file: f}
	info, err := f.Stat()
	if err == nil {
		err = s.load(info.Size)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return s, nil
}

func (s *Snapshot) load(size int64) error {
	s.size = size
	h := make([]byte, snapshotHead)
	if _, err := s.file.ReadAt(h, 0); err != nil {
		return damaged(snapshotName, 0, "a header that is cut off", err)
	}
	le := binary.LittleEndian
	if [8]byte(h) != snapshotMagic || castagnoli(h[:snapshotHead-4]) != le.Uint32(h[snapshotHead-4:]) {
		return &FormatError{snapshotName, 0, "no snapshot's header", ErrDamaged}
	}
	if v := le.Uint32(h[8:]); v != formatVersion {
		return &FormatError{snapshotName, 8, fmt.Sprintf("format version %d", v), ErrNewer}
	}
	s.gen, s.pos, s.count = le.Uint64(h[16:]), int64(le.Uint64(h[24:])), int(le.Uint64(h[32:]))
	s.counts = Counts{Messages: s.count, Unseen: int(le.Uint32(h[72:])), Deleted: int(le.Uint32(h[76:])), Size: int64(le.Uint64(h[80:])),
		Unsized: int(le.Uint32(h[88:])), FirstUnseen: mail.UID(le.Uint32(h[92:]))}
	n, dir := int64(le.Uint32(h[12:])), int64(le.Uint64(h[40:]))
	s.hashes = int64(le.Uint64(h[48:]))
	tail := int64(le.Uint64(h[56:]))
	if dir < snapshotHead || dir > size || s.hashes != dir+n*chunkEntryLen || s.count < 0 || int64(s.count) > size ||
		tail != s.hashes+tableBlock*int64(tableBlocks(s.count)) || tail > size || n > int64(s.count) {
		return &FormatError{snapshotName, 40, "offsets that lead nowhere", ErrDamaged}
	}
	b := make([]byte, n*chunkEntryLen)
	if _, err := s.file.ReadAt(b, dir); err != nil && n > 0 {
		return damaged(snapshotName, dir, "a chunk directory that is cut off", err)
	}
	if castagnoli(b) != le.Uint32(h[64:]) {
		return &FormatError{snapshotName, dir, "a chunk directory that does not pass its check", ErrDamaged}
	}
	s.chunks = make([]chunkEntry, n)
	for i := range s.chunks {
		r := b[i*chunkEntryLen:]
		s.chunks[i] = chunkEntry{int64(le.Uint64(r)), le.Uint32(r[8:]), mail.UID(le.Uint32(r[12:])), le.Uint32(r[16:]), le.Uint32(r[20:])}
	}
	return s.loadHead(tail, size)
}

func (s *Snapshot) loadHead(at, size int64) error {
	payload, _, err := (&frameReader{r: s.file, pos: at, end: size}).next()
	if err != nil {
		return damaged(snapshotName, at, "a head that is cut off", err)
	}
	b, err := decodeBatch(payload)
	if err != nil {
		return &FormatError{snapshotName, at, err.Error(), ErrDamaged}
	}
	s.records, s.modseq = b.Records, b.ModSeq
	return nil
}

func damaged(file string, off int64, what string, err error) error {
	if errors.Is(err, io.EOF) {
		return &FormatError{file, off, what, ErrDamaged}
	}
	return fmt.Errorf("reading %s: %w", file, err)
}

// Head is what WriteSnapshot was given: the mod-sequence, and the records.
func (s *Snapshot) Head() (mail.ModSeq, []Record) { return s.modseq, s.records }

// Counts are the header's counts, as of the snapshot's position in the journal.
func (s *Snapshot) Counts() Counts { return s.counts }

// Len is the number of messages.
func (s *Snapshot) Len() int { return s.count }

// Chunks is the number of chunks.
func (s *Snapshot) Chunks() int { return len(s.chunks) }

// Chunk appends the messages of a chunk to dst.
func (s *Snapshot) Chunk(i int, dst []Message) ([]Message, error) {
	c := s.chunks[i]
	n := int(c.n)
	if n > ChunkLen || int64(c.size) < int64(n)*recordLen || c.off < snapshotHead || c.off > s.size-int64(c.size) {
		return dst, &FormatError{snapshotName, c.off, "a chunk of a wrong size", ErrDamaged}
	}
	b := make([]byte, c.size)
	if _, err := s.file.ReadAt(b, c.off); err != nil {
		return dst, damaged(snapshotName, c.off, "a chunk that is cut off", err)
	}
	if castagnoli(b) != c.sum {
		return dst, &FormatError{snapshotName, c.off, "a chunk that does not pass its check", ErrDamaged}
	}
	names := string(b[n*recordLen:])
	for k := range n {
		m, at, baseLen, infoLen := readFixed(b[k*recordLen:])
		end := int64(at) + int64(baseLen) + int64(infoLen)
		if end > int64(len(names)) {
			return dst, &FormatError{snapshotName, c.off, "a name that lies outside", ErrDamaged}
		}
		m.Base = names[at:][:baseLen]
		m.Info = names[int(at)+int(baseLen) : end]
		dst = append(dst, m)
	}
	return dst, nil
}

// Close closes the file.
func (s *Snapshot) Close() error { return s.file.Close() }
