// Package login is the conversation before the password: greeting, CAPABILITY,
// STARTTLS, LOGIN and AUTHENTICATE.
//
// It owns the attempt: its time, its number of failures and the delay after each.
// It promises that a stranger reaches nothing but this package, the wire and the
// accounts; that input sent before encryption is never taken for sent after it; and
// that no secret is logged. It knows no mailbox and no file.
package login
