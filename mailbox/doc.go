// Package mailbox is the one owner of a mailbox's live state in this process.
//
// A mailbox is a sequence of immutable snapshots. Whoever makes the next one
// holds the mailbox's lock; everybody else holds a pointer to some snapshot and
// asks for the difference to the newest when it suits (Diff, View.Sync). There
// is no queue per session: a wake-up (Notify) carries nothing.
//
// The directory is the truth about which messages exist and which system flags
// they have; the journal (package index) is the truth about what a directory
// cannot say. A change from outside comes in by one road, reconcile: compare the
// directory with the newest snapshot, write what differs into the journal,
// publish. It has two gears: by hint (Hint names the files) and in full. The
// first open and the recovery from a crash are the same road.
//
// The order of locks is mailbox before the journal's file lock (flock on the
// folder's directory); of two mailboxes, the one with the lower ID first. No lock
// is held while a session writes to its client or reads a message. What a
// snapshot shows may be told to a client only after Durable returned for it.
//
// The package does not know IMAP, sequence numbers of anybody but a View's, nor
// how a folder names its files: it declares the Folder that it needs.
package mailbox
