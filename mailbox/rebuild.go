package mailbox

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"postrider/index"
	"postrider/mail"
	"postrider/vfs"
)

// RebuildOptions say what to make anew.
type RebuildOptions struct {
	// FromFiles makes the journal anew of whatever is left; else the journal must be
	// whole, and only the snapshot file is made anew of it.
	FromFiles bool
	// Lists are what other servers know of the mailbox, in the order in which they are
	// believed.
	Lists []List
	// Validity gives a UIDVALIDITY where no file tells of one.
	Validity func() (mail.UIDValidity, error)
	Fsync    bool
	Now      func() time.Time // nil: time.Now
}

// List is another server's list of UIDs.
type List struct {
	Name string // of the file
	Past *Past  // nil: nothing of it can be used
	Err  error  // what could not be read of it
}

// Rebuilt says what Rebuild made.
type Rebuilt struct {
	UIDValidity mail.UIDValidity
	UIDNext     mail.UID
	Messages    int
	Sources     []Source
	Aside       []string // the names under which the old files are kept
}

// Source is a file of which a journal was made.
type Source struct {
	Name     string
	Messages int   // that it knows
	Err      error // what could not be read of it
}

// ErrNotWhole says that a journal is no good to make anything of without loss.
var ErrNotWhole = errors.New("the journal is not whole")

// Rebuild makes the snapshot file of a mailbox, and if asked for the journal, anew,
// under the folder's lock: a server that has the mailbox open goes on with what is
// there then. Old files are put aside, none is removed. The directory is not looked at
// for what is new in it: that is for the next opening. ErrNoIndex: there is nothing to
// make anything of.
func Rebuild(ctx context.Context, folder Folder, o RebuildOptions) (*Rebuilt, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	unlock, err := folder.Dir().Lock(ctx)
	if err != nil {
		return nil, fmt.Errorf("locking the mailbox: %w", err)
	}
	defer unlock()
	dir, err := lookAtIndexDir(folder)
	if o.FromFiles && errors.Is(err, ErrNoIndex) {
		dir, err = openIndexDir(folder.Dir())
	}
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	r := &rebuilder{RebuildOptions: o, folder: folder, dir: dir}
	if err := r.read(); err != nil {
		return nil, err
	}
	defer r.close()
	if o.FromFiles {
		err = r.fromFiles()
	} else {
		err = r.fromJournal()
	}
	return &r.made, err
}

// rebuilder holds what is left of a mailbox's files.
type rebuilder struct {
	RebuildOptions
	folder Folder
	dir    vfs.Dir
	made   Rebuilt

	journal *index.JournalFile // nil: there is none
	wrong   error              // what is wrong with it
	file    *index.Snapshot    // nil: there is none that can be read
	fileErr error
}

// read opens the files. What a newer version wrote is not touched.
func (r *rebuilder) read() (err error) {
	r.journal, r.wrong = index.LookAtJournal(r.dir)
	if errors.Is(r.wrong, index.ErrNewer) {
		r.close()
		return r.wrong
	}
	var bad *index.FormatError
	if r.journal == nil && !errors.Is(r.wrong, fs.ErrNotExist) {
		return r.wrong
	}
	r.file, r.fileErr = index.LookAtSnapshot(r.dir)
	if r.fileErr != nil && !errors.As(r.fileErr, &bad) {
		r.close()
		return r.fileErr
	}
	return nil
}

func (r *rebuilder) close() {
	if r.journal != nil {
		r.journal.Close()
	}
	if r.file != nil {
		r.file.Close()
	}
}

// fromJournal makes the snapshot file of a journal that is whole.
func (r *rebuilder) fromJournal() error {
	if r.wrong != nil {
		return fmt.Errorf("%w: %w", ErrNotWhole, r.wrong)
	}
	l, ending, err := r.replay(newLooker(r.Now), 0)
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", ErrNotWhole, err)
	case ending.ReadOnly != nil:
		return ending.ReadOnly
	case len(ending.Gaps) > 0:
		return fmt.Errorf("%w: bytes %d to %d were on disk once and cannot be read", ErrNotWhole, ending.Gaps[0].From, ending.Gaps[0].To)
	case r.file != nil && r.file.Generation() == r.journal.Generation && r.file.Pos() > ending.End:
		return fmt.Errorf("%w: it ends before its own snapshot", ErrNotWhole)
	}
	if err := r.putAside(index.SnapshotName); err != nil {
		return err
	}
	j, _, err := index.Open(r.dir, index.Options{Now: r.Now, Fsync: r.Fsync})
	if err != nil {
		return fmt.Errorf("opening the journal: %w", err)
	}
	defer j.Close()
	if err := j.ReadTail(func(*index.Batch) error { return nil }); err != nil {
		return fmt.Errorf("reading the journal: %w", err)
	}
	return r.writeSnapshot(j, l)
}

// replay takes in the journal's batches that end behind an offset.
func (r *rebuilder) replay(l *looker, after int64) (*looker, index.Ending, error) {
	ending, err := r.journal.Batches(0, func(b *index.Batch, end int64) bool {
		if end > after {
			l.take(b)
		}
		return true
	})
	return l, ending, err
}

func (r *rebuilder) putAside(names ...string) error {
	for _, name := range names {
		aside, err := index.PutAside(r.dir, name, r.Now())
		if err != nil {
			return err
		}
		if aside != "" {
			r.made.Aside = append(r.made.Aside, aside)
		}
	}
	return nil
}

func (r *rebuilder) writeSnapshot(j *index.Journal, l *looker) error {
	s := l.state()
	r.made.UIDValidity, r.made.UIDNext, r.made.Messages = s.validity, s.uidNext, s.Len()
	if err := j.Sync(j.Pos()); err != nil {
		return fmt.Errorf("syncing the journal: %w", err)
	}
	if err := j.WriteSnapshot(s.modseq, l.m.side.head(s), s.rows()); err != nil {
		return fmt.Errorf("writing the snapshot: %w", noSpace(err))
	}
	if r.Fsync {
		if err := r.dir.Sync(); err != nil {
			return fmt.Errorf("syncing the mailbox's index: %w", err)
		}
	}
	return nil
}
