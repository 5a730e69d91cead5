package main

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"postrider/account"
	"postrider/config"
	"postrider/mail"
	"postrider/session"
	"postrider/wire"
)

// folderName is a folder that a setting names as clients do, without a prefix.
func folderName(style account.Style, name string) (mail.Name, error) {
	return style.Parse(style.Prefix + name)
}

// checkFolders tells which settings name a folder that cannot be one.
func checkFolders(l *config.Loaded) error {
	c := &l.Config
	style := accountStyle(c)
	var wrong []error
	if _, err := folderName(style, c.TrashFolder); err != nil {
		wrong = append(wrong, l.At("IMAP_TRASHFOLDERNAME", "IMAP_TRASHFOLDERNAME: "+err.Error()))
	}
	for _, p := range c.EmptyTrash {
		if p.Folder == "" {
			continue
		}
		if _, err := folderName(style, p.Folder); err != nil {
			wrong = append(wrong, l.At("IMAP_EMPTYTRASH", "IMAP_EMPTYTRASH: "+err.Error()))
		}
	}
	return errors.Join(wrong...)
}

// trashOf is where the settings have expunged messages go, nil if they are removed.
// The name is one that checkFolders has seen.
func trashOf(c *config.Config, style account.Style) *session.Trash {
	name, err := folderName(style, c.TrashFolder)
	if !c.ExpungeToTrash || err != nil {
		return nil
	}
	return &session.Trash{Name: name}
}

// emptyTrash is IMAP_EMPTYTRASH, for one account. What fails is logged and tried again
// at another login.
func emptyTrash(ctx context.Context, c *config.Config, a *account.Account, logger *slog.Logger) {
	for _, p := range c.EmptyTrash {
		if p.Folder == "" {
			p.Folder = c.TrashFolder
		}
		name, err := folderName(a.Style(), p.Folder)
		if err != nil {
			logger.Error("IMAP_EMPTYTRASH names no folder", "folder", p.Folder, "err", err)
			continue
		}
		n, err := a.Purge(ctx, name, time.Duration(p.Days)*24*time.Hour)
		if err != nil {
			logger.Error("removing old messages", "folder", name, "err", err)
		}
		if n > 0 {
			logger.Info("removed old messages", "folder", name, "number", n, "days", p.Days)
		}
	}
}

// transcribe has a session written down if its Maildir has the file of IMAPDEBUGFILE. The
// file is never made: who wants it makes it.
func transcribe(c *config.Config, root string, conn *wire.Conn, logger *slog.Logger) (stop func()) {
	if c.DebugFile == "" {
		return func() {}
	}
	file, err := os.OpenFile(filepath.Join(root, c.DebugFile), os.O_WRONLY|os.O_APPEND|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			logger.Warn("the session is not written down", "err", err)
		}
		return func() {}
	}
	conn.SetTranscript(wire.NewTranscript(file))
	return func() { file.Close() }
}
