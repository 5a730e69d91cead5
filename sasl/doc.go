// Package sasl holds the server's side of SASL mechanisms (RFC 4422) as small
// state machines: each takes the client's responses, already decoded from
// base64, and gives challenges until it is done.
//
// It owns one exchange and nothing else. It knows no IMAP, no base64, no
// account: what a mechanism must ask of the accounts, it asks through the
// function that it was constructed with. So a mechanism which needs more than
// a password check (stored keys, a token, a TLS peer) gets another function,
// and nothing else changes.
package sasl
