// Package pam is an auth backend that asks PAM, through a small program of its own
// (cmd/postrider-pam), one process for each attempt: PAM's modules are C code of
// any quality, keep state, may want to be root, and have no time limit. The server
// itself links no C.
//
// It owns the processes, of which a bounded number run at once and each for a
// bounded time, and the form in which they are asked and answer. It knows no PAM.
package pam
