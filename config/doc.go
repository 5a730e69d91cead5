// Package config turns settings into one plain value. It reads Courier's files
// (imapd, imapd-ssl, authdaemonrc) or one postrider.conf, all in the syntax of
// shell assignments, lets the environment override them, and knows of each
// value where it came from.
//
// The table in settings.go is the single source: the parser, the print of
// "postrider config" and docs/configuration.md all come from it. It owns
// nothing and knows none of the packages that the values are for. It does not
// look at the environment of the process; the program hands it in.
package config
