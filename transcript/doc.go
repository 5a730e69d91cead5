// Package transcript runs conversations of several clients with an IMAP server
// that stand in text files (testdata/imap), against any server that it can
// reach: in the process, over TCP, or another implementation as the oracle.
//
//	# A comment.
//	login A B                      connect both, read the greeting, log in
//	connect C                      connect only; the greeting is still to come
//	A: a1 SELECT INBOX             A sends this line
//	A= text                        A sends this without a line end
//	A> * 3 EXISTS                  the next line that A gets
//	A> * OK [UIDVALIDITY $v] ...   $v takes what stands there; later it is that
//	A~ * 3 EXISTS                  lines of one block of "~" may come in any order
//	A~ * LIST () "/" INBOX         and each must come
//	A> ...                         any lines, up to the one that comes next in the file
//	A! * ... EXPUNGE               the lines passed over by the next "..." hold none such
//	A| text                        goes on with the line above, after CRLF (literals)
//	deliver INBOX                  a message arrives, whose lines follow
//	| Subject: hello
//	needs login                    only for servers that one logs in to
//	server dovecot: reason         up to "end": only for this server, and why
//	end
//	tls A                          A goes on under TLS, after STARTTLS
//	closed A                       the server ended the connection
//
// In what is expected, "..." stands for any text, $name or ${name} for a word
// without blanks and brackets, "(~ \Seen \Flagged)" for a list in any order, $$ for a dollar.
// In what is sent, $name is what was captured. From the start there are $user and
// $password, both in base64 ($user64, $password64), and what SASL's PLAIN sends for
// them ($plain) and for a wrong password ($wrong).
//
// It owns the connections of a run. It knows no grammar beyond lines and
// literals, and imports none of the server.
package transcript
