// Package wire is one connection's conversation: it frames commands, finds each
// one's row in a table, has it parsed and run, and writes the tagged answer with
// one flush.
//
// It owns the socket, its deadlines and its buffers; a connection that waits for
// input holds no buffer. It promises that a command in the wrong state never runs,
// that the octets of a refused literal are never taken for commands, that
// everything a client can send has a bound, and that a panic ends its own
// connection only. There is no goroutine but the caller's.
//
// It knows nothing of passwords and mail: rows are given to it, before the
// password by package login, after it by package session.
package wire
