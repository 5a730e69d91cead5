// Package daemon is what Courier's daemons have in common: options with one leading
// dash, a pid file whose lock says whether the daemon lives, becoming a daemon, and
// becoming another user.
//
// It owns the lock of a pid file and nothing else. The lock is Courier's, so that our
// programs stop Courier's and the other way round.
package daemon
