// Command postrider is the IMAP server and its tools in one binary.
//
//	postrider config [check]   the settings and where they come from
//
// It is the wiring: the only place that knows the settings and the packages. It
// owns the process: its environment, signals, user and exit status.
package main
