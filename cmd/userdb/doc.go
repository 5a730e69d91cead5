// Package userdb is the programs with which administrators keep a userdb, under
// Courier's names and with its options: userdb, makeuserdb, userdbpw, pw2userdb.
//
// It owns nothing: the format, the lock and the replacing of files belong to
// auth/userdb, the hashes to auth/password. What differs from Courier is told where
// it is done, and in userdb(8).
package userdb
