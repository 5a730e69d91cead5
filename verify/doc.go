// Package verify finds out from outside whether an IMAP server tells every client of
// changes at once: the procedure "Verifying realtime concurrent folder status updates"
// of Courier's imapd(8), its steps 1 to 7, against any server.
//
// It owns the connections that it makes and the messages that it appends, and removes
// both, whatever happens. It promises to end: every wait has a bound. It expunges no
// message but its own.
//
// It knows nothing of our server, and no more of IMAP than the procedure needs.
package verify
