// Package ldap is accounts in a directory, with courier-authlib's authldaprc: a search
// for the entry, then a comparison with its password or a bind as it.
//
// It owns the connections to the directory. It promises that nothing of a login becomes
// part of a filter or of a name; that an empty password, which a directory takes for an
// anonymous bind that succeeds, is never tried; and that a directory that cannot be
// asked is a temporary failure, never a wrong password.
package ldap
