package main

import (
	"context"
	"errors"
	"io/fs"
	"sync/atomic"
	"time"

	"postrider/account"
	"postrider/index"
	"postrider/vfs"
)

// ledgerDir is the directory of the root that holds the account's file.
const ledgerDir = "postrider"

// openLedger opens the account's memory below its root. The lock of its directory
// guards it against other processes, not the root's: that is INBOX's, which is
// held while INBOX asks the ledger. Who holds it for longer than wait is stopped.
func openLedger(root vfs.Dir, wait time.Duration) (account.Ledger, error) {
	l := &ledger{root: root}
	dir, err := l.open()
	if err != nil {
		return nil, err
	}
	l.dir.Store(&dir)
	l.Ledger = index.OpenLedger(dir, time.Now, func() (func(), error) {
		ctx, cancel := context.WithTimeout(context.Background(), wait)
		defer cancel()
		return (*l.dir.Load()).Lock(ctx)
	})
	l.Follow(l.current)
	return l, nil
}

// ledger owns the directory of an account's file. Somebody may remove it, or put
// another in its place, while the account is open.
type ledger struct {
	*index.Ledger
	root vfs.Dir
	dir  atomic.Pointer[vfs.Dir] // changed by current alone
}

// open opens the directory that has the name now.
func (l *ledger) open() (vfs.Dir, error) {
	dir, err := l.openOrMake()
	if err != nil {
		return nil, err
	}
	return vfs.NewSleeper(dir, func() (vfs.Dir, error) { return l.root.OpenDir(ledgerDir) }, nil), nil
}

func (l *ledger) openOrMake() (vfs.Dir, error) {
	dir, err := l.root.OpenDir(ledgerDir)
	if errors.Is(err, fs.ErrNotExist) {
		if err = l.root.Mkdir(ledgerDir, 0o700); err == nil || errors.Is(err, fs.ErrExist) {
			dir, err = l.root.OpenDir(ledgerDir)
		}
	}
	return dir, err
}

// current is the directory that has the name now. The ledger calls it before each use,
// by one goroutine at a time.
func (l *ledger) current() (vfs.Dir, error) {
	old := *l.dir.Load()
	info, err := l.root.Stat(ledgerDir)
	if _, ino := old.Key(); err == nil && info.Ino == ino {
		_, release, err := vfs.Hold(old)
		if err == nil {
			release()
		}
		if !errors.Is(err, fs.ErrNotExist) { // else it is another, made while the account rested
			return old, err
		}
	}
	dir, err := l.open()
	if err != nil {
		return nil, err
	}
	l.dir.Store(&dir)
	return dir, old.Close()
}

// Rest gives the directory's descriptor back until it is used again.
func (l *ledger) Rest() { vfs.Rest(*l.dir.Load()) }

// Close implements account.Ledger.
func (l *ledger) Close() error { return errors.Join(l.Ledger.Close(), (*l.dir.Load()).Close()) }
