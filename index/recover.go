package index

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"postrider/mail"
	"postrider/vfs"
)

// recover puts a journal together from what is left, when the file is missing, has
// no header that can be read, or ends before the snapshot that was made of it:
// first the snapshot's state, then the batches of the old file that the snapshot
// does not hold. Records are absolute, so that a batch which the snapshot did hold
// does no harm when it comes once more.
//
// The old file keeps a second name, and the new one replaces it in one step: a crash
// at any point leaves the old one to recover from.
func (j *Journal) recover(found *Opened, s *Snapshot) error {
	if j.file != nil {
		j.file.Close()
	}
	if s == nil {
		var err error
		if s, err = j.anySnapshot(); err != nil {
			return err
		}
	}
	frames, err := j.remains(s)
	if err != nil {
		return err
	}
	found.Fresh = len(frames) == 0
	found.Moved = !found.Fresh
	if found.Damage != nil {
		found.Set = fmt.Sprintf("%s.damaged.%d", journalName, j.opt.Now().UnixNano())
		if err := j.dir.Link(journalName, j.dir, found.Set); err != nil {
			if err = j.dir.RenameNoReplace(journalName, j.dir, found.Set); err != nil {
				return fmt.Errorf("putting a damaged journal aside: %w", err)
			}
		}
	} else if found.Moved {
		found.Damage = &FormatError{journalName, 0, "the file is missing", ErrDamaged}
	}
	generation := uint64(1)
	if s != nil {
		generation = s.gen + 1
	}
	if err := j.create(generation, frames...); err != nil {
		return err
	}
	j.pos = headLen
	if found.Moved { // said again until the jump is on disk
		j.unclaimed = true
		return j.writeHead(j.file, generation, 0)
	}
	return nil
}

// ahead returns the snapshot of this journal if it knows more than the journal, nil
// if not.
func (j *Journal) ahead() *Snapshot {
	s, err := j.readSnapshot()
	if s == nil || err != nil {
		return nil
	}
	s.Close()
	if s.gen != j.generation || s.pos <= j.end {
		return nil
	}
	return s
}

// anySnapshot returns the snapshot file, of whatever journal; nil if there is none
// that can be read. Such a one is renamed, so that it can never be taken for the
// snapshot of the new journal.
func (j *Journal) anySnapshot() (*Snapshot, error) {
	s, err := j.readSnapshot()
	if err == nil {
		if s != nil {
			s.Close()
		}
		return s, nil
	}
	var bad *FormatError
	if !errors.As(err, &bad) {
		return nil, err
	}
	aside := fmt.Sprintf("%s.damaged.%d", snapshotName, j.opt.Now().UnixNano())
	if err := j.dir.RenameNoReplace(snapshotName, j.dir, aside); err != nil {
		return nil, fmt.Errorf("putting a damaged snapshot aside: %w", err)
	}
	return nil, nil
}

// remains returns the snapshot's state and what more the old journal holds, as
// frames of a new one.
func (j *Journal) remains(s *Snapshot) ([][]byte, error) {
	var frames [][]byte
	from := int64(headLen)
	if s != nil {
		var err error
		if frames, err = j.snapshotFrames(s); err != nil {
			return nil, err
		}
		from = s.pos
	}
	f, err := j.dir.Open(journalName)
	if errors.Is(err, fs.ErrNotExist) {
		return frames, nil
	}
	if err != nil {
		return nil, fmt.Errorf("opening the journal: %w", err)
	}
	defer f.Close()
	more, err := wholeFrames(f, from)
	if err == nil && len(more) == 0 && from > headLen { // of another generation, perhaps
		more, err = wholeFrames(f, headLen)
	}
	return append(frames, more...), err
}

// wholeFrames copies the frames from an offset on that hold batches, up to the first
// that does not.
func wholeFrames(f vfs.File, from int64) ([][]byte, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("looking at the journal: %w", err)
	}
	r := &frameReader{r: f, pos: from, end: max(from, info.Size)}
	var frames [][]byte
	for {
		payload, torn, err := r.next()
		if torn && errors.Is(err, io.EOF) {
			if next := resume(f, r.pos, r.end); next > 0 {
				r.pos = next
				continue
			}
		}
		if errors.Is(err, io.EOF) {
			return frames, nil
		}
		if err != nil {
			return nil, fmt.Errorf("reading the journal: %w", err)
		}
		b, err := decodeBatch(payload)
		if err != nil {
			return frames, nil
		}
		if !isReplaced(b) {
			b.durable = 0
			frames = append(frames, batchFrame(b))
		}
	}
}

func batchFrame(b *Batch) []byte {
	return appendFrame(nil, func(dst []byte) []byte { return appendBatch(dst, b) })
}

// snapshotFrames is a snapshot's state as batches. A chunk that is damaged is left
// out: the directory will show its messages as new.
func (j *Journal) snapshotFrames(s *Snapshot) ([][]byte, error) {
	f, err := j.dir.Open(snapshotName)
	if err != nil {
		return nil, fmt.Errorf("opening the snapshot: %w", err)
	}
	defer f.Close()
	open := *s
	open.file = &restingFile{file: f}
	at := StampOf(j.opt.Now())
	frames := [][]byte{batchFrame(&Batch{ModSeq: s.modseq, At: at, Records: s.records})}
	var rows []Message
	for i := range open.Chunks() {
		rows, err = open.Chunk(i, rows[:0])
		if errors.Is(err, ErrDamaged) {
			continue
		}
		if err != nil {
			return nil, err
		}
		b := Batch{ModSeq: s.modseq, At: at}
		for _, m := range rows {
			b.Records = append(b.Records, Appended{m})
		}
		frames = append(frames, batchFrame(&b))
	}
	return frames, nil
}

// resumeWindow is how far behind damage a whole frame is looked for.
const resumeWindow = 1 << 20

// resume tells damage from a torn tail. bad is where no whole frame begins. If a
// frame behind it says that the journal was on disk beyond bad when it was written,
// then bad was whole once: resume returns the offset of the first whole frame behind
// it. Else nothing behind bad was ever told to anybody, and resume returns 0.
func resume(f io.ReaderAt, bad, end int64) int64 {
	buf := make([]byte, min(resumeWindow, end-bad))
	n, _ := f.ReadAt(buf, bad)
	buf = buf[:n]
	for i := 1; i+frameHead < len(buf); i++ {
		size := int64(binary.LittleEndian.Uint32(buf[i:]))
		if size < 3 || size > int64(len(buf)-i-frameHead) {
			continue
		}
		if castagnoli(buf[i+frameHead:][:size]) == binary.LittleEndian.Uint32(buf[i+4:]) {
			if wasDurable(f, bad+int64(i), end, bad) {
				return bad + int64(i)
			}
			return 0
		}
	}
	return 0
}

// wasDurable reports whether a frame from an offset on says that bad was on disk.
func wasDurable(f io.ReaderAt, from, end, bad int64) bool {
	r := &frameReader{r: f, pos: from, end: end}
	for {
		payload, _, err := r.next()
		if err != nil {
			return false
		}
		if b, err := decodeBatch(payload); err == nil && b.durable > bad {
			return true
		}
	}
}

// jumpBy is how far UIDNEXT and the mod-sequence are raised where numbers may have
// been given that no file tells of.
const jumpBy = 1_000_000

// numbers are the highest numbers of the batches that passed by.
type numbers struct {
	validity mail.UIDValidity
	uidNext  mail.UID
	modseq   mail.ModSeq
}

func (n *numbers) note(b *Batch) {
	n.modseq = max(n.modseq, b.ModSeq)
	for _, r := range b.Records {
		switch r := r.(type) {
		case ValiditySet:
			if r.UIDValidity != n.validity {
				n.uidNext = 0
			}
			n.validity, n.uidNext = r.UIDValidity, max(n.uidNext, r.UIDNext)
		case Appended:
			n.uidNext = max(n.uidNext, min(r.UID, 1<<32-2)+1)
		}
	}
}

// jump is a batch that raises the numbers and makes the times unknown.
func (n *numbers) jump() *Batch {
	b := &Batch{ModSeq: n.modseq + jumpBy, Records: []Record{Times{}}}
	if n.validity != 0 {
		b.Records = append(b.Records, ValiditySet{n.validity, n.uidNext + min(jumpBy, 1<<32-1-n.uidNext)})
	}
	return b
}

// setsNumbers reports whether the batch raises UIDNEXT as such.
func setsNumbers(b *Batch) bool {
	for _, r := range b.Records {
		if _, ok := r.(ValiditySet); ok {
			return true
		}
	}
	return false
}
