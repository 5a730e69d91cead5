// Package acme gets certificates from an authority that speaks ACME (RFC 8555), and
// renews them: it keeps files current, in the places where a person would put them, so
// that everything that reads TLS_CERTFILE (serve, imaplogin, couriertls) has them.
//
// It owns the account at the authority and the listener that answers its challenges
// (http-01). It promises that a file is replaced whole, and that one that is there stays
// while the authority cannot be reached.
package acme
