// Package imaplogin is the program between couriertcpd and imapd: it talks to a
// stranger on standard input and output until a password was right, becomes the
// account, and gives its place to the program that serves mail. It is also the modules
// of Courier's older form, each a program of its own that asks one kind of accounts.
//
// It owns what is handed from program to program: the environment, the descriptors, the
// user. It promises that no octet of the client's is lost or taken over from before
// encryption, that nobody becomes root, and that a module which hangs or dies is never
// taken for a wrong password. It contains no mail code.
package imaplogin
