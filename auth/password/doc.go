// Package password checks passwords against stored hashes in every form that a
// Linux mail system has: Courier's {SCHEME} forms, Dovecot's names for them,
// and the families of crypt(3), without cgo.
//
//	{PLAIN} {CLEARTEXT}                          the password itself
//	{MD5} {LDAP-MD5} {SHA} {SHA1} {SHA256} {SHA512}       base64 of the digest
//	{MD5RAW} {PLAIN-MD5}                         hexadecimal digest
//	{SMD5} {SSHA} {SSHA256} {SSHA512}            base64 of digest and salt of any length
//	{CRYPT} {MD5-CRYPT} {BLF-CRYPT} ...          what follows is one of the forms below
//	$1$ $5$ $6$ $sha1$ $md5                      MD5, SHA-256, SHA-512, SHA-1 and Sun crypt
//	$2a$ $2b$ $2y$ $7$ $y$ $argon2i$ $argon2id$  bcrypt, scrypt, yescrypt, Argon2
//	$pbkdf2$ $pbkdf2-sha256$ $pbkdf2-sha512$ $scrypt$     passlib's forms
//	{PBKDF2} {PBKDF2-SHA256} {PBKDF2-SHA512}     OpenLDAP's forms, and Dovecot's {PBKDF2}$1$
//	{SCRAM-SHA-1} {SCRAM-SHA-256} SCRAM-SHA-256$ keys of SCRAM, Dovecot's form and that of RFC 5803
//	13 characters, or _ and 19                   DES, traditional and BSDi
//
// gost-yescrypt ($gy$), bigcrypt and Argon2d are not known.
//
// It owns the bound on how many checks run at once and on the memory that they
// take together. It promises that a stored hash which asks for absurd work is
// refused, never computed; that comparisons take the same time whatever they
// compare; and that a check for an unknown account costs what a real one costs.
//
// It makes stored passwords, too (Make), and new ones that are no weaker than the
// old (Renew), and tells what mechanisms one is good for (ForMechanism).
//
// It knows no account and no user name.
package password
