// Package authtools is the programs with which administrators ask the accounts,
// under courier-authlib's names, with its options, output and statuses: authtest,
// authpasswd, authenumerate.
//
// It owns nothing. Where Courier's ask the socket of authdaemond, these ask the
// modules of authmodulelist themselves, as the server does.
package authtools
