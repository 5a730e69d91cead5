package index

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"time"

	"postrider/mail"
	"postrider/vfs"
)

// PutAside gives the file called name of dir a second name, which it returns; "" if there
// is no such file. The first name stays, so that a power cut finds the old files until
// new ones take their names. Of the journal a copy is kept, since whoever has the file
// open learns by its losing all names that another took its place. Under the folder's
// lock.
func PutAside(dir vfs.Dir, name string, now time.Time) (aside string, err error) {
	for n := now.UnixNano(); ; n++ {
		aside = fmt.Sprintf("%s.aside.%d", name, n)
		err = errors.ErrUnsupported
		if name != journalName {
			err = dir.Link(name, dir, aside)
		}
		if err != nil && !errors.Is(err, fs.ErrExist) {
			err = copyFile(dir, name, aside)
		}
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return "", nil
		case err == nil:
			return aside, nil
		case !errors.Is(err, fs.ErrExist):
			return "", fmt.Errorf("putting %s aside: %w", name, err)
		}
	}
}

// copyFile makes a durable copy; its name is durable once the directory is synced.
func copyFile(dir vfs.Dir, from, to string) error {
	in, err := dir.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := dir.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	err = errors.Join(err, out.Sync(), out.Close())
	if err != nil {
		dir.Remove(to)
	}
	return err
}

// Replace puts a journal in place that brings an empty mailbox to a state, whatever
// journal is there: the caller has put that aside. It is what Compact is for a journal
// that is whole. The generation must be above that of every file of the mailbox. Under
// the folder's lock.
func Replace(dir vfs.Dir, o Options, generation uint64, modseq mail.ModSeq, checkpoint iter.Seq[Record]) (*Journal, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	old, err := dir.OpenFile(journalName, os.O_RDWR, 0)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("opening the journal: %w", err)
	}
	j := &Journal{dir: dir, opt: o}
	at := StampOf(o.Now())
	var frames [][]byte
	for b := range checkpointBatches(modseq, at, checkpoint) {
		frames = append(frames, batchFrame(b))
	}
	err = j.create(generation, frames...)
	if old != nil {
		if j.file != nil {
			if info, err := old.Stat(); err == nil { // as in Compact: best effort
				old.WriteAt(j.replacedFrame(modseq, at), info.Size)
			}
		}
		old.Close()
	}
	if err != nil && j.file != nil {
		j.file.Close()
	}
	if err != nil {
		return nil, err
	}
	return j, nil
}
