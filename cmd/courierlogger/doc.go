// Package courierlogger is Courier's program of that name: it reads lines, from a
// program that it starts or from standard input, and sends them to syslog, with the
// severity that their first word says.
//
// It owns the connection to syslog and the one program. It promises that no line is held
// back, that a line has a bound, and that what cannot be sent is not lost without a word:
// it goes to standard error. It understands nothing of what it logs.
package courierlogger
