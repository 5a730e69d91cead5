package account

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"

	"postrider/mail"
	"postrider/mailbox"
	"postrider/maildir"
	"postrider/vfs"
	"postrider/watch"
)

// courierFiles are Courier's files in a folder, as a mailbox wants them.
type courierFiles struct {
	*maildir.Folder
	noLock bool
}

var _ mailbox.Register = courierFiles{}

// Lock implements mailbox.Register.
func (c courierFiles) Lock(ctx context.Context) (unlock func(), err error) {
	if c.noLock {
		return func() {}, nil
	}
	return c.LockCourier(ctx)
}

// Read implements mailbox.Register.
func (c courierFiles) Read() (mail.UIDValidity, mail.UID, iter.Seq2[mail.UID, string], error) {
	db, err := c.ReadUIDDB()
	if errors.Is(err, maildir.ErrUIDDB) {
		err = fmt.Errorf("%w: %w", mailbox.ErrRegister, err)
	}
	return db.Validity, db.Next, db.All(), err
}

// Stamp implements mailbox.Register.
func (c courierFiles) Stamp() (string, error) { return c.UIDDBStamp() }

// Stage implements mailbox.Register.
func (c courierFiles) Stage(v mail.UIDValidity, next mail.UID, list iter.Seq2[mail.UID, string]) (mailbox.StagedRegister, error) {
	s, err := c.StageUIDDB(v, next, list)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Forget implements mailbox.Register.
func (c courierFiles) Forget() error { return c.ForgetUIDDB() }

// Keywords implements mailbox.Register.
func (c courierFiles) Keywords() (map[string][]string, error) { return c.ReadKeywords() }

// watchKeywords watches Courier's keywords, if there are any.
func (e *eyes) watchKeywords(mode mailbox.RegisterMode) error {
	if mode == mailbox.RegisterOff {
		return nil
	}
	dir, err := e.folder.OpenDir(maildir.CourierKeywords)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer dir.Close()
	e.keywords, err = e.w.Watch(vfs.LivePath(dir), func(watch.Event) {
		if hint := e.hint.Load(); hint != nil { // else the keywords are about to be read
			(*hint)(mailbox.Hint{Kind: mailbox.HintRegister})
		}
	})
	return err
}

// Courier says how Courier's files are kept that lie in a folder.
type Courier struct {
	Mode    mailbox.RegisterMode
	NoLock  bool                       // Courier's lock is never taken (IMAP_USELOCKS=0)
	Network func(*maildir.Folder) bool // whether a folder lies on a network file system; nil: none does
}

// register sets what a mailbox needs to keep Courier's files.
func (c Courier) register(f *maildir.Folder, to *mailbox.Config) {
	to.Register, to.RegisterMode = courierFiles{f, c.NoLock}, c.Mode
	if c.Mode == mailbox.RegisterLive {
		if err := f.MakeCourierKeywords(); err != nil {
			to.Logger.Warn("a directory that Courier makes cannot be made", "err", err)
		}
	}
	to.RegisterLock = !c.NoLock && c.Network != nil && c.Network(f)
}
