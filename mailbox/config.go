package mailbox

import (
	"log/slog"
	"time"

	"postrider/mail"
)

// Config is what a mailbox is opened with.
type Config struct {
	Folder Folder // closed by its owner, after the mailbox

	// Validity gives a UIDVALIDITY that was never used in this account. It is
	// asked when a mailbox has no trace of an earlier one.
	Validity func() (mail.UIDValidity, error)

	// Floor gives the lowest UIDNEXT and mod-sequence that this mailbox may go
	// on with (the account's high-water marks). Nil: none.
	Floor func() (mail.UID, mail.ModSeq, error)

	// Watch tells how far the hints can be trusted. Nil: there are none.
	Watch Watch

	// Fsync false trades durability away, knowingly (IMAP_FSYNC=0).
	Fsync bool

	// Boot names this life of the machine: another after each start. Where Fsync is
	// false it tells a mailbox whether something that was written may be lost. Empty:
	// not known.
	Boot string

	// Fsyncs bounds how many fsyncs run at once, over all mailboxes that share
	// the channel: each holds one place of its buffer. Nil: no bound.
	Fsyncs chan struct{}

	// Poll is how long a change that no mtime shows may stay unseen where there
	// is no watch. 0 is a minute.
	Poll time.Duration

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
	// HintJournal: the journal has grown.
	HintJournal
	// HintOverflow: events were lost, or a watch began; look at everything.
	HintOverflow
	// HintGone: the folder itself is no longer there.
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
}
