// Package mail holds the nouns that every floor of the server shares: message
// numbers and sets of them, mod-sequences, flags, keywords, mailbox names, and
// a search query as a tree.
//
// It owns nothing and does nothing but hold values. It knows no wire syntax
// beyond the canonical text of a number set, no file, no clock.
package mail
