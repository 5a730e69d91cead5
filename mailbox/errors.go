package mailbox

import (
	"errors"

	"postrider/index"
)

// FormatError says what is wrong with one of our files, in words for people.
type FormatError = index.FormatError

var (
	// ErrVanished says that a message is no longer in the mailbox.
	ErrVanished = errors.New("the message is gone")

	// ErrUnreadable says that a message is there, but its file cannot be read: its
	// permissions forbid it, or the disk does. It wraps the system's error.
	ErrUnreadable = errors.New("the message cannot be read")

	// ErrFull says that there is no space, or no quota, for what was asked. It
	// wraps the system's error.
	ErrFull = errors.New("no space left")

	// ErrReadOnly says that this version may not write the mailbox: its journal
	// was written by a newer one, or the files are not ours to write.
	ErrReadOnly = errors.New("the mailbox can only be read")

	// ErrNewer says that a file has a form that only a newer version knows. A
	// FormatError in it says which file, and which form.
	ErrNewer = index.ErrNewer

	// ErrOlder says the same of a form that only an older version knows.
	ErrOlder = index.ErrOlder

	// ErrDoubtful says that the state of the mailbox could not be made certain
	// after an error or a panic. The next call tries again.
	ErrDoubtful = errors.New("the state of the mailbox is in doubt")

	// ErrInUse says that somebody else held the mailbox's lock for longer than
	// anybody waits.
	ErrInUse = errors.New("the mailbox is locked by somebody else")

	// ErrGone says that the mailbox's directory was removed.
	ErrGone = errors.New("the mailbox was removed")

	// ErrClosed says that Close was called.
	ErrClosed = errors.New("the mailbox is closed")

	// ErrNotDurable says that a change could not be brought to the disk. Nothing
	// of it may be told.
	ErrNotDurable = errors.New("the change is not on the disk")

	// ErrBusy says that another server holds its lock of the folder for too long.
	ErrBusy = errors.New("another server holds the lock of the folder")

	// ErrRegister says that another server's list of UIDs is there and cannot be
	// understood.
	ErrRegister = errors.New("the other server's list of UIDs cannot be read")

	// ErrKeywords says that a mailbox has no room for one more keyword.
	ErrKeywords = errors.New("too many keywords in this mailbox")
)
