package index

import (
	"fmt"
	"os"

	"postrider/mail"
	"postrider/vfs"
)

// draftName is none that a running server uses for a cache that it writes anew.
const draftName = cacheName + ".rebuilt.new"

// CacheDraft is a cache that is made beside the one in use.
type CacheDraft struct{ c *Cache }

// MakeCache begins a cache of a mailbox. Commit or Abort ends it. One at a time: a
// second begins the same file anew.
func MakeCache(dir vfs.Dir, validity mail.UIDValidity) (*CacheDraft, error) {
	f, err := dir.OpenFile(draftName, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("making a cache: %w", err)
	}
	d := &CacheDraft{&Cache{dir: dir, validity: validity, file: f}}
	d.c.restart()
	return d, nil
}

// Put adds what is cached of a message.
func (d *CacheDraft) Put(uid mail.UID, entries ...Entry) { d.c.Put(uid, entries...) }

// Commit puts the draft in the place of the cache. Whoever has that one open takes the
// new one when it next adds something.
func (d *CacheDraft) Commit() error {
	d.c.settle()
	d.c.writeTable()
	if d.c.dead {
		d.Abort()
		return fmt.Errorf("making a cache: it could not be written")
	}
	err := d.c.file.Close()
	if err == nil {
		err = d.c.dir.Rename(draftName, d.c.dir, cacheName)
	}
	if err != nil {
		d.c.dir.Remove(draftName)
		return fmt.Errorf("making a cache: %w", err)
	}
	return nil
}

// Abort removes the draft.
func (d *CacheDraft) Abort() {
	d.c.file.Close()
	d.c.dir.Remove(draftName)
}
