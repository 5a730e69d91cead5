// Package certificate is the certificates of a server as files, chosen by Courier's
// naming and renewed without a signal, and what a client's own certificate says.
//
// It owns what it read of the files. It promises that the next handshake uses a renewed
// file, that a renewal which cannot be used leaves the old one in use, that a client cannot
// make it keep anything or name a file outside of the certificate's own naming, and that a
// client's certificate counts only where an administrator named who may sign it. It
// knows no connections.
package certificate
