// Package index keeps what a Maildir cannot say about its messages (UIDs,
// mod-sequences, keywords, dates, what vanished and when) in files beside it.
//
// In the directory "postrider" of each folder lie three files: the journal is
// the fact, append-only, one batch a change; the index is a snapshot of the
// journal up to a position, replaceable at any time; the cache holds derived
// bytes per message and may be deleted at any time. In the account's root the
// file "account" keeps the highest UIDVALIDITY ever given, mailbox ids,
// special-use attributes and high-water marks. docs/formats.md has the bytes.
//
// The package owns these formats and the files it has opened. It promises that
// a batch is there whole or not at all, that what was synced is never lost by
// the package, that damage is noticed, and that no length in a file makes it
// panic or allocate more than the file holds.
//
// It starts no goroutine and takes no lock on the mailbox: the caller holds
// the folder's lock (flock on the folder's directory) where a comment says so.
// It knows nothing of message files, sessions or the meaning of cached bytes.
package index
