package mail

import (
	"io"
	"time"
)

// MessageFile is a message's file as its folder shows it: a name taken apart,
// with nothing looked up.
type MessageFile struct {
	Base  string // the name up to the info separator: the message's identity
	Name  string // the whole file name; it begins with Base
	New   bool   // it lies in new; else in cur
	Flags Flags  // what the name says

	// Sizes that the name hints at, in octets as stored and as served with
	// CRLF line ends; -1 where it does not say. A hint may be wrong.
	Size, CRLFSize int64

	Ino uint64 // the file's inode number, 0 if it was not looked up
}

// FolderTimes are the modification times of a folder's two message directories.
type FolderTimes struct{ New, Cur time.Time }

// MessageDraft is a message file in tmp, being written or staged. One of
// Publish and Abort ends it.
type MessageDraft interface {
	io.Writer

	// Sync makes the file's bytes durable. Nothing may be written after it.
	Sync() error

	// Size returns the octets as stored and as served with CRLF line ends; the
	// second is -1 if it is not known (a staged copy).
	Size() (disk, crlf int64)

	// Publish gives the file its final name in cur and its modification time,
	// unless internal is the zero time. It never replaces a file.
	Publish(flags Flags, internal time.Time) (MessageFile, error)

	// Abort removes the file.
	Abort() error
}
