package mailbox

import (
	"io"
	"time"

	"postrider/mail"
	"postrider/vfs"
)

// Folder is what a mailbox needs of the directory that holds its messages.
// Package maildir has the implementation. A Folder is safe for concurrent use.
//
// A message's identity is its file's base name; the rest of the name and the
// directory, new or cur, may change under the mailbox at any time. Errors
// satisfy errors.Is with fs.ErrNotExist, fs.ErrExist and the system's numbers.
type Folder interface {
	// Times returns the modification times of new and cur.
	Times() (mail.FolderTimes, error)

	// Scan reads new, then cur, as far as asked for, and hands over each
	// message file's name until yield returns false. A reading that overlaps
	// renames may miss files and show others twice.
	Scan(newToo, curToo bool, yield func(mail.MessageFile) bool) error

	// Find looks for the files with this base name: at the likely names first,
	// then by reading both directories. None is not an error.
	Find(base string) ([]mail.MessageFile, error)

	// Parse takes a file name apart; false for a name that is no message's.
	Parse(name string, inNew bool) (mail.MessageFile, bool)

	// Open opens exactly this name for reading.
	Open(f mail.MessageFile) (vfs.File, error)

	// Stat looks at exactly this name.
	Stat(f mail.MessageFile) (vfs.Info, error)

	// Rename gives the file these system flags, moving it from new to cur if it
	// lies there. Other letters of the name stay. It never replaces a file, and
	// does nothing if the name is right already.
	Rename(f mail.MessageFile, flags mail.Flags) (mail.MessageFile, error)

	// Take moves the file from new to cur.
	Take(f mail.MessageFile) (mail.MessageFile, error)

	// Remove deletes the file.
	Remove(f mail.MessageFile) error

	// Create makes an empty file in tmp. n is a hint at its size, -1 for none.
	Create(n int64) (mail.MessageDraft, error)

	// StageCopy makes a copy of the message f of the folder src in this folder's
	// tmp: a hard link where that is possible, else a copy of the bytes. It gets a
	// base name of its own, and is as durable as its source once Sync returned.
	StageCopy(src interface{ Dir() vfs.Dir }, f mail.MessageFile) (mail.MessageDraft, error)

	// Move renames the message f into cur of the folder whose directory is to,
	// with the flags that f has, in one step that loses nothing. The base name
	// stays unless fresh is set. It never replaces a file. Between two file
	// systems it fails with syscall.EXDEV.
	Move(f mail.MessageFile, to vfs.Dir, fresh bool) (mail.MessageFile, error)

	// Sync makes all that happened to the names in new and cur, as far as asked
	// for, durable.
	Sync(newToo, curToo bool) error

	// CleanTemp removes files from tmp whose inode changed longer than this ago.
	CleanTemp(olderThan time.Duration) error

	// Dir is the folder's own directory. It is good as long as the folder.
	Dir() vfs.Dir

	// Rest gives the folder's descriptors back until it is used next. Whoever uses it
	// then gets fs.ErrNotExist if the folder, or a directory in it, is not the one that
	// it was. A folder that cannot rest does nothing.
	Rest()

	// OnWake has fn called, whatever locks are held, when the folder was used after Rest.
	OnWake(fn func())

	// Served returns the message's bytes as they are served, with CRLF line
	// ends, over an open file of it. Size reads the whole file at most once.
	Served(f mail.MessageFile, file vfs.File) (Served, error)
}

// Served is a message's text as served: every line ends in CRLF unless the
// file is marked to be served byte for byte.
type Served = interface {
	io.ReaderAt
	io.WriterTo
	// Size is the length in octets.
	Size() (int64, error)
	// Close closes the file.
	Close() error
}
