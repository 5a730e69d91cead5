// Package imapdrc is Courier's start scripts imapd.rc and imapd-ssl.rc: it reads the
// files that administrators know, makes the environment that they describe, and starts
// couriertcpd under courierlogger. No shell takes part.
//
// It owns nothing that lasts: what it starts belongs to itself. It promises that the
// settings of a running Courier-IMAP mean the same here, or that it says why it does not
// start.
package imapdrc
