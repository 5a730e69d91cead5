package index

import (
	"fmt"
	"iter"

	"postrider/mail"
)

// checkpointBatch is how many records of a checkpoint go in one batch.
const checkpointBatch = 1000

// Compact puts a new journal in place that begins with a checkpoint: records that
// bring an empty mailbox to the present state, each with its own mod-sequence. The
// new journal is durable when it takes the old one's name; the old one ends with a
// Mark that says so, for whoever still reads it. Under the folder's lock and after
// ReadTail. It is also the way on after ErrSyncFailed.
func (j *Journal) Compact(modseq mail.ModSeq, checkpoint iter.Seq[Record]) error {
	if j.readOnly != nil {
		return j.readOnly
	}
	at := StampOf(j.opt.Now())
	frames := checkpointFrames(modseq, at, checkpoint)
	old, end := j.file, j.pos
	err := j.create(j.generation+1, frames...)
	if j.file == old {
		return err
	}
	// Who has the old file open finds the mark, or no name for the file: either
	// is enough, so a failure here is none.
	old.WriteAt(j.replacedFrame(modseq, at), end)
	old.Close()
	return err
}

// replacedFrame is the last batch of a journal whose name this one took.
func (j *Journal) replacedFrame(modseq mail.ModSeq, at Stamp) []byte {
	return batchFrame(&Batch{ModSeq: modseq, At: at, Records: []Record{Mark{Name: replacedMark, Value: fmt.Sprint(j.generation)}}})
}

// checkpointFrames is a checkpoint as the frames of a journal.
func checkpointFrames(modseq mail.ModSeq, at Stamp, checkpoint iter.Seq[Record]) [][]byte {
	var frames [][]byte
	batch := Batch{ModSeq: modseq, At: at}
	flush := func() {
		if len(batch.Records) > 0 {
			frames = append(frames, batchFrame(&batch))
			batch.Records = batch.Records[:0]
		}
	}
	for r := range checkpoint {
		if batch.Records = append(batch.Records, r); len(batch.Records) == checkpointBatch {
			flush()
		}
	}
	flush()
	return frames
}
