// Package parent is the one process of the server that stays root, for system accounts
// of several uids. It starts the front, the keeper of the accounts and the workers,
// starts again what dies, and passes connections between them. Nothing that a stranger
// sent is looked at here: the front's messages have a fixed form, and what it says of a
// connection goes to the worker as it came.
//
// A Generation is all processes that were started with the same settings. When the
// settings change, the next one takes the listeners and this one goes on until its last
// session has ended.
//
// It promises that a session's process belongs to whom the keeper of the accounts said
// for a ticket, and never to root; that a worker which dies costs only its own
// sessions, and a front only those under TLS; that whatever a process sends or does not
// take costs that process alone.
package parent
