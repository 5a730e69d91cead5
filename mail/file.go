package mail

import "time"

// MessageFile is a message's file as its folder shows it: a name taken apart,
// with nothing looked up.
type MessageFile struct {
	Base  string // the name up to the info separator: the message's identity
	Name  string // the whole file name
	New   bool   // it lies in new; else in cur
	Flags Flags  // what the name says

	// Sizes that the name hints at, in octets as stored and as served with
	// CRLF line ends; -1 where it does not say. A hint may be wrong.
	Size, CRLFSize int64

	Ino uint64 // the file's inode number, 0 if it was not looked up
}

// FolderTimes are the modification times of a folder's two message directories.
type FolderTimes struct{ New, Cur time.Time }
