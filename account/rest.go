package account

import (
	"fmt"
	"io/fs"
	"sync"
	"time"

	"postrider/vfs"
)

// An account that nobody does anything with holds no descriptor: its mailboxes give
// theirs back when they go quiet (package mailbox), its root and its ledger a while after
// they were opened, in use or not: to open them again costs microseconds. On a network's
// file system, whose inode numbers may not last, all stay open.

// quietAfter is the default of HouseConfig.QuietAfter.
const quietAfter = 15 * time.Second

// rootRests is how long the root stays open at most.
const rootRests = 3 * time.Second

// rootRest is the timer that closes the root.
type rootRest struct {
	mu    sync.Mutex
	timer *time.Timer
	ended bool
	more  interface{ Rest() } // the ledger, if it can; nil: not
}

// restingRoot is the root as one that can rest. The caller calls rootWoke once it is set.
func (a *shared) restingRoot(root vfs.Dir) vfs.Dir {
	if vfs.OnNetwork(root) {
		return root
	}
	path := root.Path()
	return vfs.NewSleeper(root, func() (vfs.Dir, error) { return a.h.c.FS.OpenDir(path) }, a.rootWoke)
}

// rootWoke is called when the root was opened, whatever locks are held.
func (a *shared) rootWoke() {
	r := &a.rest
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.ended:
	case r.timer == nil:
		r.timer = time.AfterFunc(min(rootRests, a.h.c.QuietAfter), a.restRoot)
	default:
		r.timer.Reset(min(rootRests, a.h.c.QuietAfter))
	}
}

// restRoot gives the descriptors of the root and of the ledger back. The ledger is not
// used but through the root. The account's lock is not waited for: it may be held for long.
func (a *shared) restRoot() {
	r := &a.rest
	r.mu.Lock()
	ledger := r.more
	r.mu.Unlock()
	if ledger != nil {
		ledger.Rest()
	}
	vfs.Rest(a.root)
}

// also has the ledger rest with the root, if it can.
func (r *rootRest) also(l Ledger) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.more, _ = l.(interface{ Rest() })
}

func (r *rootRest) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = true
	if r.timer != nil {
		r.timer.Stop()
	}
}

// maxMoves is how often a folder is followed that is renamed while it is looked for.
const maxMoves = 3

// reopen opens the directory of a mailbox that rested, by whatever name it has in the
// root now. Whether it is that directory its Sleeper finds out.
func (a *shared) reopen(o *opened) (vfs.Dir, error) {
	if o.key == a.key {
		return a.h.c.FS.OpenDir(a.root.Path())
	}
	for range maxMoves {
		name, err := a.findFolder(o)
		if err != nil {
			return nil, err
		}
		if name == "" {
			break
		}
		d, err := a.root.OpenDir(name)
		if err == nil && keyOf(d) == o.key {
			return d, nil
		}
		if err == nil {
			d.Close()
		} else if !isMissing(err) {
			return nil, err
		}
	}
	return nil, fmt.Errorf("the folder is no longer in the account: %w", fs.ErrNotExist)
}
