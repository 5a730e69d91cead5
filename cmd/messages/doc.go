// Package messages is what the processes of the server say to each other: the parent,
// the front, the keeper of the accounts, and the workers. Each kind has a fixed form
// with bounded fields.
//
// The parent looks at few of them: what the front says of a connection (About) and what
// the keeper of the accounts says of an account (Identity) go through it as they are,
// to the worker, which reads them without any rights but those of the account.
package messages
