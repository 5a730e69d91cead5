// Package userdb reads accounts from Courier's userdb in its source form: a
// text file, or a tree of them (makeuserdb(8)). The binary .dat files are not
// read.
//
// It owns the parsed table, which it reads again when a file's identity, size,
// mtime or ctime changes. A line that cannot be read is logged with file and line and
// skipped; the others count.
//
// The check for an unknown name costs what the most common kind of stored
// password costs; where kinds are mixed, time can tell the rarer ones apart.
//
// It knows hash formats only through auth/password, and no protocol.
package userdb
