// Package serve accepts connections: listeners, limits on how many, TLS, the
// conversation before the password (package login), and the hand-over to
// whatever serves the account.
//
// It owns the listeners and the connections until they are handed over and
// again after that, when it closes them. It promises that a connection that is
// refused is told why, that a renewed certificate is used by the next
// handshake, that running out of descriptors only delays accepting, and that a
// drain ends.
//
// It knows no mail: what a session is, the program says by a Handover.
package serve
