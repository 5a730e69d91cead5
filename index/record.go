package index

import (
	"time"

	"postrider/mail"
)

// Stamp is a time in seconds since the start of 1970 UTC; 0 means unknown.
type Stamp int64

// StampOf returns the stamp of t; the zero time is unknown.
func StampOf(t time.Time) Stamp {
	if t.IsZero() {
		return 0
	}
	return Stamp(t.Unix())
}

// Time returns the stamp as a time in UTC; the zero time if it is unknown.
func (s Stamp) Time() time.Time {
	if s == 0 {
		return time.Time{}
	}
	return time.Unix(int64(s), 0).UTC()
}

// MailboxID names a mailbox for ever (RFC 8474 MAILBOXID), whatever its name.
type MailboxID [16]byte

// EmailID names a message's content for ever (RFC 8474 EMAILID); zero if none
// was given.
type EmailID [16]byte

// Message is everything that the index remembers of one message. The file's
// name is Base+Info, in new or in cur. fields.go has its form in the files.
type Message struct {
	UID      mail.UID
	Flags    mail.Flags
	New      bool // the file lies in new, else in cur
	Keywords SetID
	ModSeq   mail.ModSeq // of the last change that a client can see

	Size     int64 // octets in the file; -1 unknown
	CRLFSize int64 // octets as served with CRLF line ends; -1 unknown
	Internal Stamp // INTERNALDATE
	Saved    Stamp // SAVEDATE (RFC 8514): when it came into this mailbox
	Ino      uint64
	EmailID  EmailID

	Base string // the name up to the info separator
	Info string // the rest of the name, separator included; often ":2," and letters
}

// Batch is one change set: it is in the journal whole or not at all.
//
// ModSeq is the mailbox's highest mod-sequence once the batch is applied. A
// batch with a record that a client can see (Appended, FlagsSet, KeywordsSet,
// Vanished, ValiditySet) has one above that of the batch before; a batch
// without repeats it.
type Batch struct {
	ModSeq  mail.ModSeq
	At      Stamp
	Records []Record

	durable int64 // where the journal was known to be on disk when this was written
}

// Record is one of the record types of this file, by value. Records are
// absolute: applied twice they do no harm. A record about a UID that is not
// there is ignored.
type Record interface{ record() }

// Appended says that a message is in the mailbox. It replaces what was known
// of its UID. UIDNext rises above the UID.
type Appended struct {
	Message // ModSeq 0: that of the batch (the rule; a checkpoint gives its own)
}

// FlagsSet says that the message's system flags, and the name that shows
// them, are now these. The message's mod-sequence becomes that of the batch.
type FlagsSet struct {
	UID   mail.UID
	Flags mail.Flags
	New   bool
	Info  string
}

// Renamed says that the file has another directory or info with the same
// flags. The message's mod-sequence stays.
type Renamed struct {
	UID  mail.UID
	New  bool
	Info string
}

// KeywordsSet says that the message has the keywords of a set. The message's
// mod-sequence becomes that of the batch.
type KeywordsSet struct {
	UID mail.UID
	Set SetID
}

// KeywordNamed gives a keyword its number, once, before its first use.
type KeywordNamed struct {
	ID   KeywordID
	Name string
}

// SetNamed gives a set of keywords its number, once, before its first use.
type SetNamed struct {
	ID       SetID
	Keywords []KeywordID // ascending
}

// Vanished says that messages are gone. UIDs is resolved: ascending, without
// "*".
type Vanished struct {
	UIDs   mail.UIDSet
	ModSeq mail.ModSeq // 0: that of the batch (the rule; a checkpoint gives its own)
	At     Stamp       // 0: that of the batch
}

// VanishedForgotten says that what vanished at or below a mod-sequence is no
// longer remembered in full.
type VanishedForgotten struct{ UpTo mail.ModSeq }

// ValiditySet gives the mailbox its UIDVALIDITY and raises UIDNext to at
// least the number given. A UIDVALIDITY that differs from the one before
// empties the mailbox: the messages follow as Appended.
type ValiditySet struct {
	UIDValidity mail.UIDValidity
	UIDNext     mail.UID
}

// RecentClaimed says that a session has claimed \Recent for every message
// with a UID up to UpTo.
type RecentClaimed struct{ UpTo mail.UID }

// Known fills in facts that were not known when the message was appended. A
// field that is unknown here (-1, or 0) says nothing.
type Known struct {
	UID            mail.UID
	Size, CRLFSize int64
	Internal       Stamp
	Ino            uint64
	EmailID        EmailID
}

// Times are the modification times of new and cur that stand for the state
// after this batch, each only where it is known.
type Times struct {
	mail.FolderTimes
	NewKnown, CurKnown bool
}

// Mark remembers the newest value of a name, for whoever needs one more small
// fact of a mailbox; an empty value forgets the name. A name has at most
// MaxMarkName bytes, a value MaxMarkValue.
type Mark struct{ Name, Value string }

// Unknown is a record of a kind that this version does not know and may skip.
// Compaction carries it over.
type Unknown struct {
	Kind byte
	Data []byte
}

// The bounds of a Mark.
const (
	MaxMarkName  = 64
	MaxMarkValue = 4096
)

func (Appended) record()          {}
func (FlagsSet) record()          {}
func (KeywordsSet) record()       {}
func (KeywordNamed) record()      {}
func (SetNamed) record()          {}
func (Vanished) record()          {}
func (VanishedForgotten) record() {}
func (ValiditySet) record()       {}
func (RecentClaimed) record()     {}
func (Renamed) record()           {}
func (Known) record()             {}
func (Times) record()             {}
func (Mark) record()              {}
func (Unknown) record()           {}
