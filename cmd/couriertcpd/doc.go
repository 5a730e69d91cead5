// Package couriertcpd is Courier's daemon of that name: it accepts connections and
// starts a program for each, with the socket as standard input and output and what is
// known of the connection in the environment.
//
// It owns the listening sockets and counts the programs that run. It promises that the
// limits on their number hold, that no connection holds up another, that what it asks of
// others (names, ident, DNS lists, a proxy's header) has a bound in time and size, and
// that rules which cannot be read are never taken for no rules. It knows no protocol:
// the first octet after a proxy's header is the program's.
package couriertcpd
