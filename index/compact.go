package index

import (
	"fmt"
	"iter"
	"os"

	"postrider/mail"
	"postrider/vfs"
)

// checkpointBatch is how many records of a checkpoint go in one batch.
const checkpointBatch = 1000

// Compaction is a new journal in the making: a checkpoint, which is records that
// bring an empty mailbox to a state, each with its own mod-sequence, and behind it
// what came since. Only BeginCompact and Replace need locks.
type Compaction struct {
	dir        vfs.Dir
	opt        Options
	tmp        string
	generation uint64
	modseq     mail.ModSeq
	from       int64 // the checkpoint's position in the old journal
	f          vfs.File
	pos        int64
	ino        uint64
	err        error
}

// BeginCompact begins a new journal of the state at Pos. It makes no file yet, and is
// called under the lock that guards the journal. Of two with the same tmp, a file
// name, one must have ended before the other is written.
func (j *Journal) BeginCompact(tmp string, modseq mail.ModSeq) *Compaction {
	return &Compaction{dir: j.dir, opt: j.opt, tmp: tmp, generation: j.generation + 1, modseq: modseq, from: j.pos, pos: headLen}
}

// Compact puts a new journal in place that begins with a checkpoint of the present
// state. Under the folder's lock and after ReadTail. It is also the way on after
// ErrSyncFailed.
func (j *Journal) Compact(modseq mail.ModSeq, checkpoint iter.Seq[Record]) error {
	if j.readOnly != nil {
		return j.readOnly
	}
	c := j.BeginCompact(journalName+".new", modseq)
	if err := c.Write(checkpoint); err != nil {
		return err
	}
	return j.Replace(c)
}

// Write writes the checkpoint. After an error there is nothing left.
func (c *Compaction) Write(checkpoint iter.Seq[Record]) (err error) {
	if c.f, err = c.dir.OpenFile(c.tmp, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600); err != nil {
		return fmt.Errorf("making a journal: %w", err)
	}
	for b := range checkpointBatches(c.modseq, StampOf(c.opt.Now()), checkpoint) {
		c.put(b)
	}
	return c.settled()
}

// checkpointBatches cuts a checkpoint into batches. Each is good until the next.
func checkpointBatches(modseq mail.ModSeq, at Stamp, checkpoint iter.Seq[Record]) iter.Seq[*Batch] {
	return func(yield func(*Batch) bool) {
		batch := Batch{ModSeq: modseq, At: at}
		for r := range checkpoint {
			if batch.Records = append(batch.Records, r); len(batch.Records) == checkpointBatch {
				if !yield(&batch) {
					return
				}
				batch.Records = batch.Records[:0]
			}
		}
		if len(batch.Records) > 0 {
			yield(&batch)
		}
	}
}

// Sync brings what was written to the disk, so that Replace has less to do. After an
// error there is nothing left.
func (c *Compaction) Sync() error {
	if c.opt.Fsync {
		c.err = c.f.Sync()
	}
	return c.settled()
}

func (c *Compaction) settled() error {
	if c.err == nil {
		return nil
	}
	c.Abort()
	return fmt.Errorf("making a journal: %w", c.err)
}

func (c *Compaction) put(b *Batch) {
	if c.err != nil {
		return
	}
	frame := batchFrame(b)
	if _, c.err = c.f.WriteAt(frame, c.pos); c.err == nil {
		c.pos += int64(len(frame))
	}
}

// Abort throws away what was written.
func (c *Compaction) Abort() {
	c.f.Close()
	c.dir.Remove(c.tmp)
}

// Replace puts the new journal in place, with what the old one took in since the
// checkpoint. It is durable when it takes the old one's name; the old one ends with a
// Mark that says so, for whoever still reads it. Under the folder's lock and after
// ReadTail. Nothing is left of the compaction after an error, unless the journal is
// the new one.
func (j *Journal) Replace(c *Compaction) error {
	if err := j.ready(c); err != nil {
		c.Abort()
		return err
	}
	old, at := j.file, j.pos
	err := j.place(c.f, c.tmp, c.generation, c.ino, c.pos)
	if j.file == old {
		return err
	}
	// Who has the old file open finds the mark, or no name for the file: either
	// is enough, so a failure here is none.
	old.WriteAt(j.replacedFrame(c.modseq, StampOf(j.opt.Now())), at)
	old.Close()
	return err
}

// replacedFrame is the last batch of a journal whose name this one took.
func (j *Journal) replacedFrame(modseq mail.ModSeq, at Stamp) []byte {
	return batchFrame(&Batch{ModSeq: modseq, At: at, Records: []Record{Mark{Name: replacedMark, Value: fmt.Sprint(j.generation)}}})
}

// ready completes the new journal.
func (j *Journal) ready(c *Compaction) error {
	if j.readOnly != nil {
		return j.readOnly
	}
	if err := j.Wake(); err != nil {
		return err
	}
	if c.generation != j.generation+1 {
		return fmt.Errorf("making a journal: it is of generation %d by now: %w", j.generation, ErrReplaced)
	}
	if c.err = c.copyTail(j); c.err == nil {
		info, err := c.f.Stat()
		if c.err, c.ino = err, info.Ino; err == nil {
			c.err = j.writeHead(c.f, c.generation, info.Ino)
		}
	}
	if c.opt.Fsync && c.err == nil {
		c.err = c.f.Sync()
	}
	if c.err != nil {
		return fmt.Errorf("making a journal: %w", c.err)
	}
	return nil
}

// copyTail takes over the batches that the old journal took in since the checkpoint.
func (c *Compaction) copyTail(j *Journal) error {
	r := &frameReader{r: j.file, pos: c.from, end: j.pos}
	for r.pos < j.pos {
		payload, _, err := r.next()
		if err != nil {
			return err
		}
		b, err := decodeBatch(payload)
		if err != nil {
			return err
		}
		b.durable = 0 // an offset in another file
		c.put(b)
	}
	return c.err
}

// ReadUpTo hands over the batches of a journal of a generation up to a position, for
// whoever has lost what they told. It needs no lock: what was written stays.
func ReadUpTo(dir vfs.Dir, generation uint64, pos int64, apply func(*Batch)) error {
	f, err := dir.Open(journalName)
	if err != nil {
		return fmt.Errorf("opening the journal: %w", err)
	}
	defer f.Close()
	head := make([]byte, headLen)
	if _, err := f.ReadAt(head, 0); err != nil {
		return fmt.Errorf("reading the journal: %w", err)
	}
	if gen, _, err := parseHead(head); err != nil || gen != generation {
		return fmt.Errorf("the journal is of generation %d, not %d: %w", gen, generation, ErrReplaced)
	}
	r := &frameReader{r: f, pos: headLen, end: pos}
	for r.pos < pos {
		payload, _, err := r.next()
		if err != nil {
			return fmt.Errorf("reading the journal: %w", err)
		}
		b, err := decodeBatch(payload)
		if err != nil {
			return &FormatError{journalName, r.pos, err.Error(), ErrDamaged}
		}
		apply(b)
	}
	return nil
}
