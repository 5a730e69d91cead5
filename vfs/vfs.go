package vfs

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"strings"
	"syscall"
	"time"
)

// FS resolves paths; everything else is relative to the handles it returns.
type FS interface {
	// OpenDir opens the directory at path. Symbolic links on the way are
	// followed: an administrator chose the path.
	OpenDir(path string) (Dir, error)
	// MkdirAll makes the directory and those above it, as os.MkdirAll. Each
	// new name is durable when it returns.
	MkdirAll(path string, perm fs.FileMode) error
}

// Dir is an open directory. It is safe for several goroutines at once, except
// that Close must come last.
//
// A name is one component: not empty, without "/" and NUL, neither "." nor
// ".."; another one is refused with EINVAL. A change to names (create, rename,
// link, remove) is seen by everybody at once and durable only after Sync of
// every directory concerned. What a file holds is durable only after the
// file's own Sync, whatever its directory did.
type Dir interface {
	// OpenDir opens a directory; ELOOP or ENOTDIR for a symbolic link.
	OpenDir(name string) (Dir, error)
	// Mkdir makes a directory. Durable after Sync.
	Mkdir(name string, perm fs.FileMode) error
	// Open opens a regular file for reading. It never blocks and never follows
	// a link; for what is no regular file it returns ErrNotRegular.
	Open(name string) (File, error)
	// OpenFile opens or makes a regular file; flag is made of the os.O_ bits.
	// A new name is durable after Sync of the directory.
	OpenFile(name string, flag int, perm fs.FileMode) (File, error)
	// Rename moves a name, replacing newname if it is there. It is atomic for
	// observers. After power loss either name may be there until both
	// directories were synced; newname never holds anything but the old or
	// the new file.
	Rename(oldname string, to Dir, newname string) error
	// RenameNoReplace is Rename that fails with fs.ErrExist if newname is
	// there. Where the file system lacks that, a file is linked and the old
	// name removed (for a moment both names are there).
	RenameNoReplace(oldname string, to Dir, newname string) error
	// Link gives a regular file a second name; fs.ErrExist if that is there.
	Link(oldname string, to Dir, newname string) error
	// Remove removes the name of a file or a symbolic link, not a directory.
	Remove(name string) error
	// RemoveDir removes an empty directory; ENOTEMPTY if it is not.
	RemoveDir(name string) error
	// Stat looks at a name without following a link.
	Stat(name string) (Info, error)
	// StatSelf looks at the directory itself; its Name is "".
	StatSelf() (Info, error)
	// List yields the names in the directory, "." and ".." left out, from the
	// start at each call and in no order. It streams: names that change
	// meanwhile may be missed or come twice. It ends early, without error,
	// when yield returns false.
	List(yield func(name string, t Type) bool) error
	// SetTimes sets a name's modification time without following a link.
	SetTimes(name string, mtime time.Time) error
	// Sync makes durable which names the directory holds.
	Sync() error
	// Lock takes the exclusive lock of the directory, which excludes every
	// other call of Lock for this directory, by any handle in any process. It
	// waits until ctx ends. unlock may be called once; the lock outlives Close
	// of the handle.
	Lock(ctx context.Context) (unlock func(), err error)
	// Key identifies the directory as long as it is open.
	Key() (dev, ino uint64)
	// Path is where the directory was when it was opened, for messages.
	Path() string
	// Close gives the handle back.
	Close() error
}

// File is an open regular file. What is written is durable after Sync.
type File interface {
	io.Reader
	io.Writer
	io.ReaderAt
	io.WriterAt
	io.Seeker
	io.Closer

	// Stat looks at the open file; its Name is "".
	Stat() (Info, error)
	// Sync makes the file's bytes and its length durable (fdatasync). The name
	// is the directory's to sync. After a failure the bytes may be lost even
	// if a second Sync succeeds: never retry.
	Sync() error
	// Truncate sets the length.
	Truncate(size int64) error
	// Allocate reserves space for n bytes from off on without changing the
	// length, so that writing there does not fail for lack of space. It
	// returns an error satisfying errors.Is(err, errors.ErrUnsupported) where
	// the file system cannot.
	Allocate(off, n int64) error
	// SetTimes sets the modification time.
	SetTimes(mtime time.Time) error
	// Fd is the descriptor, if there is one, valid until Close.
	Fd() (uintptr, bool)
}

// Type is what a name stands for.
type Type uint8

// The types that a listing tells apart. Unknown: the file system did not say.
const (
	Unknown Type = iota
	Regular
	Directory
	Symlink
	Other
)

// Info is what is known of a file or directory.
type Info struct {
	Name         string
	Size         int64
	Mtime, Ctime time.Time
	Mode         fs.FileMode // permission, set-id and sticky bits
	Type         Type
	Dev, Ino     uint64
	Nlink        uint32
	UID, GID     uint32
}

// ErrNotRegular is returned by Open and OpenFile for a name that stands for
// something else than a regular file.
var ErrNotRegular = errors.New("not a regular file")

// CheckName returns a PathError with EINVAL if name is not one component.
func CheckName(op, name string) error {
	if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\x00") {
		return &fs.PathError{Op: op, Path: name, Err: syscall.EINVAL}
	}
	return nil
}
