// Command postrider is the IMAP server and its tools in one binary.
//
//	postrider serve [--config FILE | --courier DIR]   the server
//	postrider imapd [MAILDIR]                         one session on standard input and output
//	postrider config [check]                          the settings and where they come from
//	postrider index show|check|rebuild|... DIR...     what is kept beside Maildirs
//	postrider demo, deliver                           an account to try things with
//
// Started under the name imapd it is that command. It is the wiring: the only
// place that knows the settings and the packages. It owns the process: its
// environment, signals, user and exit status.
package main
