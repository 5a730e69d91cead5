package index

import (
	"errors"
	"fmt"
	"io"
	"io/fs"

	"postrider/vfs"
)

// Grown reports whether the file of the journal's name is not as long as what the
// caller has been told, or another one: somebody else wrote. It costs one fstatat.
func (j *Journal) Grown() (bool, error) {
	info, err := j.dir.Stat(journalName)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("looking at the journal: %w", err)
	}
	return info.Ino != j.ino || info.Size != j.pos && !(j.torn && info.Size == j.end), nil
}

// inPlace reports whether the open file still has the journal's name.
func (j *Journal) inPlace() bool {
	info, err := j.dir.Stat(journalName)
	return err == nil && info.Ino == j.ino
}

// ReadTail hands over each batch after Pos. A torn batch at the end is left alone: it
// may be on its way. ErrReplaced: open the journal anew. An error of apply ends it.
//
// Bytes that were durable once and do not pass their check are left out: Damage says
// so, and a last batch that is in no file makes both times unknown and UIDNEXT and
// the mod-sequence jump, since the lost batches may have given numbers.
func (j *Journal) ReadTail(apply func(*Batch) error) error {
	if err := j.Wake(); err != nil {
		return err
	}
	info, err := j.file.Stat()
	if err != nil {
		return fmt.Errorf("looking at the journal: %w", err)
	}
	if info.Size < j.pos {
		return fmt.Errorf("the journal was cut: %w", ErrReplaced)
	}
	r := &frameReader{r: j.file, pos: j.pos, end: info.Size}
	skipped := false
	for {
		payload, torn, err := r.next()
		if errors.Is(err, io.EOF) && torn {
			if next := resume(j.file, r.pos, info.Size); next > 0 {
				j.damage = &FormatError{journalName, r.pos, fmt.Sprintf("%d bytes that were on disk once", next-r.pos), ErrDamaged}
				r.pos, skipped = next, true
				continue
			}
		}
		if errors.Is(err, io.EOF) {
			j.torn, j.end = torn, info.Size
			return j.tailRead(info, skipped, apply)
		}
		if err != nil {
			return fmt.Errorf("reading the journal: %w", err)
		}
		replaced, err := j.readBatch(payload, apply)
		if bad := (*FormatError)(nil); errors.As(err, &bad) { // whole, and yet no batch: as good as damaged
			j.damage, skipped, err = bad, true, nil
		}
		if err != nil {
			return err
		}
		if j.pos = r.pos; replaced {
			return ErrReplaced
		}
	}
}

// tailRead ends a ReadTail that came to the end of the file.
func (j *Journal) tailRead(info vfs.Info, skipped bool, apply func(*Batch) error) error {
	j.sync.wrote(j.pos)
	if skipped {
		if err := apply(j.last.jump()); err != nil {
			return err
		}
	}
	if info.Nlink == 0 || !j.inPlace() {
		return ErrReplaced
	}
	return nil
}

func (j *Journal) readBatch(payload []byte, apply func(*Batch) error) (replaced bool, err error) {
	b, err := decodeBatch(payload)
	if errors.Is(err, ErrReadOnly) {
		j.readOnly, err = &FormatError{journalName, j.pos, err.Error(), ErrReadOnly}, nil
	}
	if err != nil {
		return false, &FormatError{journalName, j.pos, err.Error(), ErrDamaged}
	}
	j.last.note(b)
	return isReplaced(b), apply(b)
}

func isReplaced(b *Batch) bool {
	for _, r := range b.Records {
		if m, ok := r.(Mark); ok && m.Name == replacedMark {
			return true
		}
	}
	return false
}
