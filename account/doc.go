// Package account is one user's tree of mailboxes: which there are, what the
// client calls them, subscriptions, special uses, and the opening of each
// mailbox once per process, however many sessions use it.
//
// A House owns the open accounts and, in them, the open mailboxes, all counted.
// The folder tree is an immutable value, made anew when the root directory's
// modification time or our own change says so. Locks are taken in the order
// account, mailbox, journal file.
//
// The package knows nothing of IMAP's syntax nor of how the user logged in.
package account
