// Package packet carries messages between the processes of the server: each is one
// datagram of bounded length over a SOCK_SEQPACKET socket pair, with descriptors
// beside it where one process gives another a connection.
//
// It owns the sockets, and the descriptors that came until the caller has them. It
// promises that a message arrives whole or not at all, that descriptors beyond the
// bound are closed and not kept, that every descriptor is close-on-exec, and that
// taking a message apart never reads beyond it. What the messages say it does not
// know.
package packet
