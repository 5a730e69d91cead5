package mailbox

import (
	"log/slog"
	"time"

	"postrider/index"
	"postrider/mail"
)

// Marks are numbers that a mailbox has not gone beyond: UIDNEXT and mod-sequence
// under a UIDVALIDITY.
type Marks = index.Marks

// Config is what a mailbox is opened with.
type Config struct {
	Folder Folder // closed by its owner, after the mailbox

	// Validity gives a UIDVALIDITY that was never used in this account. It is
	// asked when a mailbox has no trace of an earlier one.
	Validity func() (mail.UIDValidity, error)

	// Floor gives the numbers that this mailbox has not gone beyond, as Note was
	// told, zeros if it was not. Nil: none.
	Floor func() (Marks, error)

	// Note raises them, durably, apart from the mailbox's own files. It is called
	// with the mailbox's locks held. Nil: they are not kept.
	Note func(Marks) error

	// Predecessor tells what another server knew of the folder; nil if none did.
	// It is asked when a mailbox has no trace of an earlier UIDVALIDITY, before
	// Validity. An error keeps the mailbox from being opened. Nil: nobody to ask.
	Predecessor func() (*Past, error)

	// Watch tells how far the hints can be trusted. Nil: there are none.
	Watch Watch

	// Register is where another server keeps UIDs and keywords of the same folder,
	// RegisterMode how it is kept current. RegisterLock has that server's lock taken
	// around the giving of every UID, also where there is no register: for file
	// systems whose own locks cannot be relied on. Nil: none.
	Register     Register
	RegisterMode RegisterMode
	RegisterLock bool
	// Here reports whether the folder is still where mail is looked for, by whatever
	// name: a folder that another program removed, or moved away, is not. It is
	// called with the mailbox's lock held, before messages that others took away are
	// told to be gone. Nil: it is there as long as its directory is.
	Here func() bool

	// NewJournal is called, with the mailbox's lock held, when the mailbox goes on in
	// another journal file, the first included: what watches it is to watch that one.
	NewJournal func()

	// Lookers bounds how many mailboxes, of those that share the channel, look at
	// their directories at once after events were lost. Nil: no bound.
	Lookers chan struct{}

	// Counts is what the mailbox counts in, with others. Nil: nobody asks.
	Counts *Counts

	// Fsync false trades durability away, knowingly (IMAP_FSYNC=0).
	Fsync bool

	// Boot names this life of the machine: another after each start. Where Fsync is
	// false it tells a mailbox whether something that was written may be lost. Empty:
	// not known.
	Boot string

	// Fsyncs bounds how many fsyncs run at once, over all mailboxes that share
	// the channel: each holds one place of its buffer. Nil: no bound.
	Fsyncs chan struct{}

	// Compactor compacts the index while the mailbox is open. Nil: that is done when
	// it is closed.
	Compactor *Compactor

	// Poll is how long a change that no mtime shows may stay unseen where there
	// is no watch. 0 is a minute.
	Poll time.Duration

	// LockWait is how long a command waits for others to let go of the mailbox,
	// then it gets ErrInUse. 0 is 30 s.
	LockWait time.Duration

	// QuietAfter is how long nothing must happen until the mailbox gives memory and
	// descriptors back; it may be twice as long. 0 is 15 s.
	QuietAfter time.Duration

	Now    func() time.Time // nil: time.Now
	Logger *slog.Logger     // nil: none

	shape shape // of snapshots; zero: the usual one
}

// Watch is what a mailbox asks the watch of its folder. Its methods may be
// called with the mailbox's lock held.
type Watch interface {
	// Covers reports whether both directories are watched now and every change
	// to them since the last HintOverflow came, or will come, as a hint.
	Covers() bool

	// Drained reports whether every event that the kernel had queued before the
	// call has been handed to Hint. False if that cannot be said soon.
	Drained() bool
}

// HintKind says what a watch saw.
type HintKind uint8

const (
	// HintCame: a name appeared in a way whose source is not known.
	HintCame HintKind = iota
	// HintWent: a name was unlinked, or moved to where no watch looks.
	HintWent
	// HintRenamed: OldName became Name, in one step.
	HintRenamed
	// HintJournal: somebody wrote to the journal.
	HintJournal
	// HintChanged: a directory or the journal that is polled looks different.
	HintChanged
	// HintOverflow: events were lost, or a watch began; look at everything.
	HintOverflow
	// HintRegister: the register has changed.
	HintRegister
	// HintGone: the folder itself may be no longer there.
	HintGone
)

// Hint says that a name may have changed. It is not a fact: losing one costs a
// delay, a wrong one costs a look.
type Hint struct {
	Kind    HintKind
	Name    string // file name, without directory
	InNew   bool   // Name is in new, else in cur
	OldName string // HintRenamed: the name before
	OldNew  bool   // HintRenamed: OldName was in new, else in cur

	Since time.Time // HintOverflow: nothing before it was lost; zero: not known
}
