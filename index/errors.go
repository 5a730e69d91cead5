package index

import (
	"errors"
	"fmt"
)

var (
	// ErrReplaced says that another process put a new journal in place and
	// that the new one cannot be followed from here: open the journal anew and
	// load everything.
	ErrReplaced = errors.New("the journal was replaced")

	// ErrSyncFailed says that an fsync of the journal failed. Nothing that
	// was not durable before may be told. The journal takes no more batches
	// until Compact, with a state known to the caller, made a new generation.
	ErrSyncFailed = errors.New("syncing the journal failed")

	// ErrReadOnly says that the journal holds something that only a newer
	// version understands. It can be read as far as it is understood, and is
	// not written.
	ErrReadOnly = errors.New("the journal needs a newer version of Postrider to be written")

	// ErrNewer says that a file has a format version above ours.
	ErrNewer = errors.New("the file was written by a newer version of Postrider")

	// ErrOlder says that a file has a format version below ours that is not read any more.
	ErrOlder = errors.New("the file was written by an older version of Postrider, in a form that this version does not read")

	// ErrDamaged says that bytes of a file do not pass their check.
	ErrDamaged = errors.New("the file is damaged")

	// ErrFull says that the disk has no room for new messages: only the
	// reserve for flags and expunges is left. It wraps the system's error.
	ErrFull = errors.New("no space for new messages")
)

// A FormatError says which part of a file is wrong.
type FormatError struct {
	File   string // the file's name in its directory
	Offset int64  // where in the file, in bytes
	What   string // what was found
	Err    error  // ErrDamaged, ErrNewer, ErrOlder or ErrReadOnly
}

func (e *FormatError) Error() string {
	return fmt.Sprintf("%s at byte %d: %s: %v", e.File, e.Offset, e.What, e.Err)
}

// Unwrap returns the kind of the error.
func (e *FormatError) Unwrap() error { return e.Err }
