package mailbox

import (
	"context"
	"errors"
	"time"

	"postrider/mail"
)

var errNotYet = errors.New("not yet built")

// Mailbox is one mailbox's live state. All methods may be called from any
// goroutine.
type Mailbox struct{}

// Open opens the mailbox of a folder and brings it up to date.
func Open(ctx context.Context, c Config) (*Mailbox, error) { return nil, errNotYet }

// Close ends the mailbox: what is pending is written, files are closed.
func (m *Mailbox) Close() error { return errNotYet }

// ID names the mailbox's directory on this machine: the order of locks.
func (m *Mailbox) ID() (dev, ino uint64) { return 0, 0 }

// Snapshot returns the newest published snapshot. It does no I/O.
func (m *Mailbox) Snapshot() *Snapshot { return nil }

// Refresh looks at the directories' times and the journal's length, reconciles
// if they, or pending hints, call for it, and returns the newest snapshot. SELECT,
// EXAMINE, NOOP, CHECK, STATUS and the start of IDLE call it. It gives UIDs to
// new files but leaves them in new, and claims nothing as \Recent.
func (m *Mailbox) Refresh(ctx context.Context) (*Snapshot, error) { return nil, errNotYet }

// Durable returns nil once everything that s shows is on disk. A session calls it
// before it writes anything that it learned from s; many that wait share one
// fsync. It must be called without any lock held.
func (m *Mailbox) Durable(ctx context.Context, s *Snapshot) error { return errNotYet }

// Notify has fn called after each publish, from any goroutine, until stop is
// called; fn must be quick and not call the mailbox. After stop returned, fn is
// not called again. While somebody listens, hints are acted on at once.
func (m *Mailbox) Notify(fn func()) (stop func()) { return func() {} }

// Gone reports whether the mailbox's directory was removed.
func (m *Mailbox) Gone() bool { return false }

// SetGone says that the mailbox was deleted: who listens is woken, and every
// later call that needs the folder returns ErrGone.
func (m *Mailbox) SetGone() {}

// Hint takes a hint. It is quick and does no I/O.
func (m *Mailbox) Hint(h Hint) {}

// ClaimRecent claims \Recent for every message that nobody has claimed, takes
// the files in new to cur (RFC 3501 2.3.2; SELECT does it and, when new messages
// appear, a session that has the mailbox selected, not EXAMINE and not STATUS).
// The messages with lowest <= UID < s.UIDNext() are this session's. It is cheap
// when there is nothing to claim.
func (m *Mailbox) ClaimRecent(ctx context.Context) (lowest mail.UID, s *Snapshot, err error) {
	return 0, nil, errNotYet
}

// StoreResult is what SetFlags did.
type StoreResult struct {
	Snapshot *Snapshot   // shows the change; tell nothing before Durable
	Modified mail.UIDSet // changed since unchangedSince: left alone
	Missing  mail.UIDSet // no longer in the mailbox
}

// SetFlags changes the flags and keywords of the messages in uids, a resolved
// set. unchangedSince 0 is no condition (RFC 7162 3.1.3). On an error part of the
// set may be done; the result is valid as far as it went.
func (m *Mailbox) SetFlags(ctx context.Context, uids mail.UIDSet, c mail.FlagChange, unchangedSince mail.ModSeq) (StoreResult, error) {
	return StoreResult{}, errNotYet
}

// Append is a message on its way into the mailbox. It is for one goroutine.
type Append struct{}

// NewAppend begins an APPEND. n is the literal's length, -1 if unknown.
func (m *Mailbox) NewAppend(ctx context.Context, n int64) (*Append, error) { return nil, errNotYet }

// Write takes bytes of the message, with CRLF line ends.
func (a *Append) Write(p []byte) (int, error) { return 0, errNotYet }

// Commit puts the message into the mailbox. A zero internal date is now. The
// snapshot shows it; say OK only after Durable.
func (a *Append) Commit(ctx context.Context, flags mail.Flags, keywords []string, internal time.Time) (mail.UID, mail.UIDValidity, *Snapshot, error) {
	return 0, 0, nil, errNotYet
}

// Abort throws the message away. It does nothing after Commit.
func (a *Append) Abort() error { return errNotYet }

// Expunge removes the messages of uids, a resolved set, or all if uids is nil;
// with onlyDeleted only those that have \Deleted now. It returns what is gone
// by it.
func (m *Mailbox) Expunge(ctx context.Context, uids mail.UIDSet, onlyDeleted bool) (*Snapshot, mail.UIDSet, error) {
	return nil, nil, errNotYet
}

// CopyResult is what Copy and Move did. Source and Dest are paired: the nth
// number of one belongs to the nth of the other (RFC 4315 3).
type CopyResult struct {
	Validity       mail.UIDValidity // of the destination
	Source, Dest   mail.UIDSet
	SourceSnapshot *Snapshot // Move: without the messages; Copy: the one used
	DestSnapshot   *Snapshot
}

// Copy copies the messages of uids, a resolved set, to dst (which may be src):
// all or none. Flags, keywords and internal dates are kept. It returns
// ErrVanished if one of them is gone.
func Copy(ctx context.Context, src *Mailbox, uids mail.UIDSet, dst *Mailbox) (CopyResult, error) {
	return CopyResult{}, errNotYet
}

// Move moves the messages of uids, a resolved set, to dst (RFC 6851), each in one
// step. Those that are gone are left out. On an error the result says what was
// moved until then. Call Durable for DestSnapshot first, then SourceSnapshot.
func Move(ctx context.Context, src *Mailbox, uids mail.UIDSet, dst *Mailbox) (CopyResult, error) {
	return CopyResult{}, errNotYet
}

// OpenMessage opens a message's text as it is served. It follows renames, and
// returns ErrVanished if the message is gone. The caller closes it.
func (m *Mailbox) OpenMessage(ctx context.Context, uid mail.UID) (Served, error) {
	return nil, errNotYet
}

// Fill finds out the sizes and internal dates of the messages of uids that are
// not known yet and returns a snapshot that has them; a message that is gone
// keeps what it has. It costs nothing if all is known.
func (m *Mailbox) Fill(ctx context.Context, uids mail.UIDSet) (*Snapshot, error) {
	return nil, errNotYet
}

// Cached appends the cached bytes of a field to dst; false if there are none.
func (m *Mailbox) Cached(uid mail.UID, f uint8, dst []byte) ([]byte, bool) { return dst, false }

// PutCached keeps bytes for Cached. It is best effort.
func (m *Mailbox) PutCached(uid mail.UID, f uint8, b []byte) {}

// Check compares directory, journal and snapshot and returns what does not
// agree. It is for tests and for an administrator's doubt.
func (m *Mailbox) Check(ctx context.Context) error { return errNotYet }

// Compact writes the journal's state as a new snapshot file, if that is worth it.
func (m *Mailbox) Compact(ctx context.Context) error { return errNotYet }
