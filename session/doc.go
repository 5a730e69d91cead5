// Package session runs a connection after the password: every command of the
// authenticated and the selected state.
//
// It owns what belongs to one conversation: the selected mailbox and the view of
// it that the client has been told, and what the client has enabled. It is the
// one place where commands meet the engines: each cmd_x.go holds a group of
// commands, table.go lists them all, and what is announced as a capability is
// computed from that table.
//
// Three promises hold for every command. Nothing learned from a snapshot is
// written before that snapshot is on disk. The view moves only in sync, at the end
// of a command or where a command asks for it, so that a sequence number means the
// same message from the first byte of a command to the last. And an answer is
// streamed: however many messages a FETCH names, what is held in memory is one
// buffer and a bounded window of messages being prepared.
//
// When another session, or another program, removes the selected mailbox, the
// session ends with BYE (RFC 2180 3.3): IMAP4rev1 has no way to tell a client that
// its mailbox is no longer selected. The session itself may not delete the mailbox
// that it has selected; it may rename it and goes on.
//
// It knows nothing of passwords, TLS, files and their names: wire brought the
// connection, account finds mailboxes, mailbox holds them.
package session
