// Package auth answers "who are you": what a backend of accounts must be able
// to do, what is known of an account (Identity), how backends are asked in
// order (Chain), which rules hold whatever the backend says (Guard), and which
// SASL mechanisms a backend can serve (Mechanisms).
//
// It promises that the three outcomes stay apart: known, refused, and "cannot
// tell now". A database that is down never makes a client believe that its
// password is wrong. An unknown user costs what a wrong password costs.
//
// It knows no protocol, no hash format (auth/password), no file. Each backend
// is a package below auth with its own driver, and passes the suite in
// auth/conformance.
//
// Later kinds of credentials (stored keys for CRAM and SCRAM, tokens, client
// certificates, password change, enumeration) are each an interface of their
// own, which a backend may implement beside Backend, which Chain and Guard
// hand on, and which Mechanisms looks for.
package auth
