package session

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"syscall"

	"postrider/account"
	"postrider/imap"
	"postrider/mail"
	"postrider/mailbox"
	"postrider/search"
)

// meanings says what the errors of the engines mean to a client. The first that
// fits counts.
var meanings = []struct {
	err  error
	code imap.Code
	text string
}{
	{account.ErrNoMailbox, imap.CodeNonExistent, "Mailbox does not exist, or must be subscribed to."},
	{account.ErrExists, imap.CodeAlreadyExists, "Mailbox already exists!"},
	{account.ErrHasChildren, imap.CodeCannot, "There is nothing to delete here but the folders below it."},
	{account.ErrIsInbox, imap.CodeCannot, "This cannot be done with INBOX."},
	{account.ErrClosed, imap.CodeUnavailable, "The server is shutting down."},
	{mailbox.ErrVanished, imap.CodeExpungeIssued, "Some of the messages no longer exist."},
	{mailbox.ErrUnreadable, imap.CodeContactAdmin, "Some of the messages cannot be read."},
	{mailbox.ErrFull, imap.CodeOverQuota, "No space is left for this."},
	{mailbox.ErrReadOnly, imap.CodeNoPerm, "The mailbox can only be read."},
	{mailbox.ErrKeywords, imap.CodeLimit, "The mailbox has no room for one more keyword."},
	{mailbox.ErrInUse, imap.CodeInUse, "Another program holds the mailbox, try again."},
	{mailbox.ErrGone, imap.CodeNonExistent, "The mailbox was deleted."},
	{mailbox.ErrNotDurable, imap.CodeUnavailable, "The change could not be written to the disk."},
	{mailbox.ErrDoubtful, imap.CodeUnavailable, "The mailbox is being checked, try again."},
	{mailbox.ErrBusy, imap.CodeInUse, "Another server has locked the mailbox, try again."},
	{mailbox.ErrClosed, imap.CodeUnavailable, "The mailbox is being closed, try again."},
	{fs.ErrPermission, imap.CodeNoPerm, "The files of the mailbox cannot be accessed."},
	{syscall.ENOSPC, imap.CodeOverQuota, "No space is left for this."},
	{syscall.EDQUOT, imap.CodeOverQuota, "No space is left for this."},
	{syscall.EROFS, imap.CodeNoPerm, "The mailbox can only be read."},
	{syscall.EMFILE, imap.CodeUnavailable, "The server is too busy, try again."},
	{syscall.ENFILE, imap.CodeUnavailable, "The server is too busy, try again."},
	{syscall.ENOTDIR, imap.CodeCannot, "Something that is no folder is in the way."},
	{syscall.ELOOP, imap.CodeCannot, "Something that is no folder is in the way."},
	{syscall.ENAMETOOLONG, imap.CodeCannot, "The name is too long."},
	{search.ErrGone, imap.CodeExpungeIssued, "Some of the messages no longer exist."},
	{context.DeadlineExceeded, imap.CodeInUse, "Another program holds the account, try again."},
	{context.Canceled, imap.CodeUnavailable, "The server is shutting down."},
}

// Status implements wire.Session: it is the one place that turns an engine's
// error into speech.
func (s *Session) Status(err error) *imap.Status {
	if errors.Is(err, mail.ErrBadName) {
		return imap.No(imap.CodeCannot, "Invalid mailbox name: "+strings.TrimPrefix(unwrapName(err).Error(), mail.ErrBadName.Error()+": "))
	}
	if errors.Is(err, account.ErrRemoved) {
		return imap.Bye(imap.CodeUnavailable, "Your mail was removed or moved away by another program; log in again")
	}
	if f := (*mailbox.FormatError)(nil); errors.As(err, &f) {
		switch {
		case errors.Is(f, mailbox.ErrNewer):
			return imap.No(imap.CodeContactAdmin, "The file postrider/"+f.File+" has "+f.What+": a newer version of the server wrote it.")
		case errors.Is(f, mailbox.ErrOlder):
			return imap.No(imap.CodeContactAdmin, "The file postrider/"+f.File+" has "+f.What+": an older version of the server wrote it, and this one does not read that form.")
		}
	}
	for _, m := range meanings {
		if errors.Is(err, m.err) {
			return imap.No(m.code, m.text)
		}
	}
	return nil
}

// unwrapName is the error that names what is wrong with a mailbox name, without
// what was wrapped around it.
func unwrapName(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil || inner == mail.ErrBadName {
			return err
		}
		err = inner
	}
}

// tryCreate is err for a command whose destination may be missing (RFC 3501
// 6.3.11 and 6.4.7).
func tryCreate(err error) error {
	if errors.Is(err, account.ErrNoMailbox) {
		return imap.No(imap.CodeTryCreate, "Must create mailbox first")
	}
	return err
}
