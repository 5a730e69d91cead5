// Package imap is the language: framing, decoding and encoding of what goes over
// an IMAP connection, by RFC 3501 and RFC 2060 as clients speak it, with the
// literals of RFC 7888 and RFC 3516 and room for the grammar of RFC 9051.
//
// It works in two steps. A Framer cuts the byte stream into commands: it counts
// quotes and literals, keeps one budget per command, and knows no command. A
// Decoder turns the bytes of one frame into values: it does no I/O, its numbers
// and its nesting are bounded, and its only kind of error is a SyntaxError. The
// append functions are the way back.
//
// The package owns nothing but a Framer's buffer. It knows no session, no
// mailbox and no socket.
package imap
