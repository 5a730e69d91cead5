// Package authdaemon speaks the protocol of courier-authlib's authdaemond over its
// Unix socket, both ways: Backend asks a daemon that is there, Courier's or ours;
// Server answers the programs that ask, such as maildrop, Courier's mail server and
// authtest.
//
// A connection carries one request and its answer. An answer is a record, FAIL, or
// nothing at all, which says that nobody can tell now; Backend keeps the three
// apart, Server makes them so. Everything that the other side sends is bounded in
// size and time.
//
// Who may connect is decided by the mode of the directory in which the socket lies:
// whoever can, may look up every account with its password as stored. Server owns
// the connections that it accepted, Backend those that it has made; neither owns
// the socket's file. It knows no settings, and nothing of where accounts come from.
package authdaemon
