// Package rcfile reads the settings files of courier-authlib's backends
// (authmysqlrc, authpgsqlrc, authsqliterc, authldaprc), and keeps what was made of one
// current: a file that changes is read anew, a bad new one leaves the old settings.
//
// It owns nothing but that. It knows no setting's name.
package rcfile
