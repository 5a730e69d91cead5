// Package remote lets one process check passwords for another: a front that strangers
// reach has a Client, which is an auth.Backend; the process that may read the accounts
// runs a Server. Passwords and the responses of SASL exchanges go over, step by step,
// and verdicts come back; stored secrets never do.
//
// Nor does an identity. Who has proved a password gets a ticket, a random name that
// counts once and for a short time, under which the Server's process keeps the
// identity until somebody trusted redeems it (Tickets). So a front that was taken over
// has no accounts but those whose passwords it was given.
//
// It owns the exchanges in progress and the tickets, all bounded in number and time.
// It knows no process: how the two got their socket is the program's affair.
package remote
