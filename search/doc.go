// Package search evaluates a query over the messages of one view, and orders them:
// SEARCH (RFC 3501 6.4.4), SORT and THREAD (RFC 5256).
//
// It asks its Source for what it needs, the cheap things first, and opens a message
// only where nothing else decides. Messages that must be opened are spread over
// some workers, which end before the call returns; a panic in one is handed to the
// caller. It holds one block of a message at a time, never a whole one.
//
// It owns nothing and knows no mailbox, no cache and no wire syntax.
package search
