package index

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"postrider/mail"
)

// ChunkLen is how many messages a chunk of the snapshot file holds at most.
const ChunkLen = 256

const (
	snapshotHead = 128
	recordLen    = 96
)

var snapshotMagic = [8]byte{'P', 'R', 'I', 'N', 'D', 'X', '\r', '\n'}

// Snapshot is a snapshot file that is open for reading: the state of the mailbox at a
// position of the journal. It may be read by several goroutines at once.
type Snapshot struct {
	file    *restingFile
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

// ChunkInfo is what the snapshot file's directory says of a chunk.
type ChunkInfo struct {
	First, Last              mail.UID
	N                        int         // messages
	Newest                   mail.ModSeq // the highest of its messages
	Unseen, Deleted, Unsized int         // messages without \Seen, with \Deleted, whose size is not known
	Size                     int64       // sum of the sizes that are known
}

// chunkEntry is a row of the chunk directory.
type chunkEntry struct {
	ChunkInfo
	off  int64
	size uint32
	sum  uint32
}

const chunkEntryLen = 48

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
	s := &Snapshot{file: &restingFile{file: f}}
	info, err := f.Stat()
	var header []byte
	if err == nil {
		header, err = s.load(info.Size)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	s.file.settle(j.dir, snapshotName, header, info)
	return s, nil
}

// load reads all but the chunks and the table of names, and returns the header.
func (s *Snapshot) load(size int64) ([]byte, error) {
	h := make([]byte, snapshotHead)
	if _, err := s.file.ReadAt(h, 0); err != nil {
		return nil, damaged(snapshotName, 0, "a header that is cut off", err)
	}
	return h, s.take(h, size)
}

func (s *Snapshot) take(h []byte, size int64) error {
	s.size = size
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
	if err := s.takeDirectory(b); err != nil {
		return &FormatError{snapshotName, dir, err.Error(), ErrDamaged}
	}
	return s.loadHead(tail, size)
}

// takeDirectory reads the rows of the chunk directory. UIDs ascend over all of them.
func (s *Snapshot) takeDirectory(b []byte) error {
	s.chunks = make([]chunkEntry, len(b)/chunkEntryLen)
	total, last := 0, mail.UID(0)
	for i := range s.chunks {
		e := readEntry(b[i*chunkEntryLen:])
		if e.N == 0 || e.N > ChunkLen || e.First <= last || e.Last < e.First || max(e.Unseen, e.Deleted, e.Unsized) > e.N ||
			int64(e.size) < int64(e.N)*recordLen || e.off < snapshotHead || e.off > s.size-int64(e.size) {
			return errors.New("a row of the chunk directory that cannot be")
		}
		s.chunks[i], last, total = e, e.Last, total+e.N
	}
	if total != s.count {
		return errors.New("a chunk directory with another number of messages")
	}
	return nil
}

func (e *chunkEntry) append(dst []byte) []byte {
	le := binary.LittleEndian
	dst = le.AppendUint64(dst, uint64(e.off))
	for _, n := range [...]uint32{e.size, e.sum, uint32(e.First), uint32(e.Last)} {
		dst = le.AppendUint32(dst, n)
	}
	for _, n := range [...]int{e.N, e.Unseen, e.Deleted, e.Unsized} {
		dst = le.AppendUint16(dst, uint16(n))
	}
	dst = le.AppendUint64(dst, uint64(e.Size))
	return le.AppendUint64(dst, uint64(e.Newest))
}

func readEntry(b []byte) (e chunkEntry) {
	le := binary.LittleEndian
	e.off, e.size, e.sum = int64(le.Uint64(b)), le.Uint32(b[8:]), le.Uint32(b[12:])
	e.First, e.Last = mail.UID(le.Uint32(b[16:])), mail.UID(le.Uint32(b[20:]))
	e.N, e.Unseen, e.Deleted, e.Unsized = int(le.Uint16(b[24:])), int(le.Uint16(b[26:])), int(le.Uint16(b[28:])), int(le.Uint16(b[30:]))
	e.Size, e.Newest = int64(le.Uint64(b[32:])), mail.ModSeq(le.Uint64(b[40:]))
	return e
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

// Info is what the directory says of a chunk.
func (s *Snapshot) Info(i int) ChunkInfo { return s.chunks[i].ChunkInfo }

// raw reads a chunk's bytes, which pass their check.
func (s *Snapshot) raw(i int) ([]byte, error) {
	c := &s.chunks[i]
	b := make([]byte, c.size)
	if _, err := s.file.ReadAt(b, c.off); err != nil {
		return nil, damaged(snapshotName, c.off, "a chunk that is cut off", err)
	}
	if castagnoli(b) != c.sum {
		return nil, &FormatError{snapshotName, c.off, "a chunk that does not pass its check", ErrDamaged}
	}
	return b, nil
}

// Chunk appends the messages of a chunk to dst.
func (s *Snapshot) Chunk(i int, dst []Message) ([]Message, error) {
	b, err := s.raw(i)
	if err != nil {
		return dst, err
	}
	n := s.chunks[i].N
	names := string(b[n*recordLen:])
	for k := range n {
		m, at, baseLen, infoLen := readFixed(b[k*recordLen:])
		end := int64(at) + int64(baseLen) + int64(infoLen)
		if end > int64(len(names)) {
			return dst, &FormatError{snapshotName, s.chunks[i].off, "a name that lies outside", ErrDamaged}
		}
		m.Base = names[at:][:baseLen]
		m.Info = names[int(at)+int(baseLen) : end]
		dst = append(dst, m)
	}
	return dst, nil
}

// Rest gives the file's descriptor back until something is read from it again; then
// ErrReplaced says that another file has its name.
func (s *Snapshot) Rest() { s.file.rest() }

// Wake opens the file after Rest, so that what follows finds it open.
func (s *Snapshot) Wake() error { return s.file.wake() }

// Close closes the file.
func (s *Snapshot) Close() error { return s.file.close() }
