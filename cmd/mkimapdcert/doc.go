// Package mkimapdcert is Courier's command of that name: it makes a self-signed
// certificate from imapd.cnf, in either of the two forms that Courier's packages ship.
//
// It owns the file until it is whole. It promises never to touch a certificate that is
// there, and that nobody but its owner could read the key at any time.
package mkimapdcert
