// Package dovecot answers Dovecot's auth-client protocol, version 1, over a local
// socket, so that mail servers which know it (Postfix, Exim) check the logins of
// submission against our accounts.
//
// A connection begins with both sides saying who they are; then come any number of
// exchanges at once, each with a number, each a SASL mechanism of auth.MechanismsFor.
// Lines are of words with tabs between; SASL's data is in base64.
//
// Whether a password may be sent without TLS is the mail server's to say; whether an
// account may be used without is the guard's, for which the client's word "secured" is
// taken. Who may connect is decided by the socket's mode and directory. It owns its
// connections; it knows no settings, and nothing of where accounts come from.
package dovecot
