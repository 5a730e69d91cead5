package index

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"syscall"

	"postrider/vfs"
)

// A mailbox that nobody uses gives its descriptors back. A file that is opened again
// must be the one that was closed: by device and inode, and, since inode numbers come
// back, by its header, which tells each file from every other of the mailbox.

// restingFile is a file for reading whose descriptor can be given back.
type restingFile struct {
	dir  vfs.Dir // nil: it cannot rest
	name string
	info vfs.Info
	sum  uint32 // of the header
	head int    // the header's length

	mu     sync.RWMutex
	file   vfs.File // nil: resting, or closed
	closed bool
}

// settle notes what the file, of which the header was read or written, is, so that it can
// rest.
func (r *restingFile) settle(dir vfs.Dir, name string, header []byte, info vfs.Info) {
	r.dir, r.name, r.info, r.head, r.sum = dir, name, info, len(header), castagnoli(header)
}

func headSum(f vfs.File, n int) (uint32, error) {
	b := make([]byte, n)
	if _, err := f.ReadAt(b, 0); err != nil {
		return 0, err
	}
	return castagnoli(b), nil
}

func (r *restingFile) rest() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.file != nil && r.dir != nil {
		r.file.Close()
		r.file = nil
	}
}

// wake opens the file again; ErrReplaced if another has its name, or none.
func (r *restingFile) wake() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return fs.ErrClosed
	}
	if r.file != nil {
		return nil
	}
	f, err := r.dir.Open(r.name)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is gone: %w", r.name, ErrReplaced)
	}
	if err != nil {
		return &AsleepError{r.name, err}
	}
	info, err := f.Stat()
	var sum uint32
	if err == nil {
		sum, err = headSum(f, r.head)
	}
	if err != nil || info.Dev != r.info.Dev || info.Ino != r.info.Ino || info.Size != r.info.Size || sum != r.sum {
		f.Close()
		return fmt.Errorf("another %s is there: %w", r.name, errors.Join(err, ErrReplaced))
	}
	r.file = f
	return nil
}

// ReadAt implements io.ReaderAt.
func (r *restingFile) ReadAt(p []byte, off int64) (int, error) {
	for {
		r.mu.RLock()
		if r.file != nil {
			defer r.mu.RUnlock()
			return r.file.ReadAt(p, off)
		}
		r.mu.RUnlock()
		if err := r.wake(); err != nil {
			return 0, err
		}
	}
}

func (r *restingFile) close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	if r.file == nil {
		return nil
	}
	err := r.file.Close()
	r.file = nil
	return err
}

// Rest gives the journal's descriptor back until it is used again, if all that was
// written is durable; it says whether it did. Under the lock that guards the journal,
// and while nobody calls Sync.
func (j *Journal) Rest() bool {
	if j.file == nil {
		return true
	}
	if !j.sync.rest(j.opt.Fsync) {
		return false
	}
	j.file.Close()
	j.file = nil
	return true
}

// Wake opens the journal after Rest. ErrReplaced: another file has its name, or none.
// Every method that needs the file calls it.
func (j *Journal) Wake() error {
	if j.file != nil {
		return nil
	}
	flag := os.O_RDWR
	if errors.Is(j.readOnly, fs.ErrPermission) || errors.Is(j.readOnly, syscall.EROFS) {
		flag = os.O_RDONLY
	}
	f, err := j.dir.OpenFile(journalName, flag, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the journal is gone: %w", ErrReplaced)
	}
	if err != nil {
		return &AsleepError{journalName, err}
	}
	if err := j.isMine(f); err != nil {
		f.Close()
		return err
	}
	j.file = f
	j.sync.woke(f)
	return nil
}

// isMine says whether a file is the journal that was open.
func (j *Journal) isMine(f vfs.File) error {
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("looking at the journal: %w", err)
	}
	head := make([]byte, headLen)
	if _, err := f.ReadAt(head, 0); err != nil {
		return fmt.Errorf("reading the journal again: %w", errors.Join(err, ErrReplaced))
	}
	generation, _, err := parseHead(head)
	if err != nil || info.Ino != j.ino || generation != j.generation {
		return fmt.Errorf("another journal is there: %w", errors.Join(err, ErrReplaced))
	}
	return nil
}

// AsleepError says that a file that was closed to save its descriptor cannot be opened
// now: too many are open, perhaps. Nothing is wrong with the file.
type AsleepError struct {
	File string
	Err  error
}

func (e *AsleepError) Error() string { return "opening " + e.File + " again: " + e.Err.Error() }

// Unwrap returns the system's error.
func (e *AsleepError) Unwrap() error { return e.Err }
