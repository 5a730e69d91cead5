// Package couriertls is the server's half of Courier's program of that name: it speaks
// TLS on a socket on behalf of a program that does not.
//
// It owns the socket, and the stream to the program. It promises that the process which
// speaks to the stranger is not root where -user names another, that the program gets
// every octet the client sent under TLS and none from before it, and that a client that
// says nothing is let go. It understands nothing of what it carries.
package couriertls
