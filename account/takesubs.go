package account

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"postrider/mail"
	"postrider/maildir"
	"postrider/vfs"
)

// subscribedFile is Courier's list of subscriptions, and ours.
const subscribedFile = "courierimapsubscribed"

// takeSubscriptions makes our list of subscriptions from Dovecot's, once: if there is
// none yet. It needs a.mu.
func (a *shared) takeSubscriptions(ctx context.Context) error {
	if have, err := hasSubscriptions(a.root); have || err != nil {
		return err
	}
	names, odd, err := dovecotSubscriptions(a.h.c.FS, a.root, a.control)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	taken := 0
	err = maildir.ChangeSubscribed(ctx, a.root, a.h.c.Unique, func(lines []string) ([]string, bool) {
		if have, err := hasSubscriptions(a.root); have || err != nil {
			return nil, false // somebody else was first
		}
		for _, n := range names {
			if dir, err := dirOfSubscribed(a.root, a.naming, n); err == nil {
				lines = append(lines, maildir.SubscribedLine(dir))
			} else {
				odd++
			}
		}
		taken = len(lines)
		return lines, true
	})
	if err == nil {
		a.h.c.Logger.Info("the subscriptions of Dovecot were taken over", "root", a.root.Path(), "kept", taken, "left out", odd)
	}
	return err
}

func hasSubscriptions(root vfs.Dir) (bool, error) {
	_, err := root.Stat(subscribedFile)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// dovecotSubscriptions reads Dovecot's file, which lies in the root or in its control
// directory.
func dovecotSubscriptions(f vfs.FS, root vfs.Dir, control string) ([]mail.Name, int, error) {
	if control == "" {
		return maildir.ReadDovecotSubscriptions(root)
	}
	dir, err := f.OpenDir(control)
	if err != nil {
		return nil, 0, fmt.Errorf("open Dovecot's control directory: %w", err)
	}
	defer dir.Close()
	return maildir.ReadDovecotSubscriptions(dir)
}

// dirOfSubscribed is the directory of a mailbox that Dovecot calls n. "INBOX" before
// other parts is one of them if there is such a folder, else Dovecot's prefix.
func dirOfSubscribed(root vfs.Dir, naming maildir.Naming, n mail.Name) (string, error) {
	dir, err := naming.DirName(n)
	if err != nil || !n.Below(mail.Inbox) {
		return dir, err
	}
	if _, err := root.Stat(dir); err == nil {
		return dir, nil
	}
	return naming.DirName(n[len(mail.Inbox)+len(mail.Separator):])
}
