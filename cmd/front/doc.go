// Package front is the process that strangers reach: listeners, TLS, and the
// conversation before the password. It runs as a user that owns nothing, in an empty
// directory, and contains no mail code.
//
// Passwords it gives to the keeper of the accounts (package auth/remote). A connection
// that has logged in it gives to the parent: a plain one by its descriptor, of one under
// TLS the other end of a socket pair, while TLS stays here and what it carries is
// copied through.
//
// It owns the connections until they are given away, those under TLS until they end.
package front
