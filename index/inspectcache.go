package index

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"postrider/mail"
	"postrider/vfs"
)

// CacheFile is a cache that is read and never written.
type CacheFile struct {
	c     *Cache
	size  int64
	fault error
}

// LookAtCache opens the cache of dir for reading: what a mailbox with this UIDVALIDITY
// would find in it. With a FormatError it would find nothing.
func LookAtCache(dir vfs.Dir, validity mail.UIDValidity) (*CacheFile, error) {
	f, err := dir.Open(cacheName)
	if err != nil {
		return nil, fmt.Errorf("opening the cache: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("looking at the cache: %w", err)
	}
	k := &CacheFile{c: &Cache{dir: dir, validity: validity, file: f}, size: info.Size}
	whole := k.c.load()
	k.c.dead = true // nothing is written
	if !whole {
		f.Close()
		return nil, &FormatError{cacheName, 0, fmt.Sprintf("no header, or no table, of a cache of UIDVALIDITY %d", validity), ErrDamaged}
	}
	k.c.settle()
	k.fault = k.tail()
	return k, nil
}

// tail looks for the first frame behind the table that is not whole: those behind it
// are lost.
func (k *CacheFile) tail() error {
	r := &frameReader{r: k.c.file, pos: k.c.tabled, end: k.size}
	for {
		at := r.pos
		_, torn, err := r.next()
		switch {
		case errors.Is(err, io.EOF) && torn:
			return &FormatError{cacheName, at, "a frame that does not pass its check; what follows is not found", ErrDamaged}
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("reading the cache: %w", err)
		}
	}
}

// Fault says what of the file is lost as a whole, nil if nothing.
func (k *CacheFile) Fault() error { return k.fault }

// Size is the length of the file when it was opened.
func (k *CacheFile) Size() int64 { return k.size }

// Begun reports whether the file was begun anew, by whoever writes it, since it was
// opened: what is read from it then means nothing.
func (k *CacheFile) Begun() bool {
	info, err := k.c.file.Stat()
	return err != nil || info.Size < k.size
}

// UIDs yields the UIDs of which something is cached, ascending.
func (k *CacheFile) UIDs(yield func(mail.UID) bool) {
	for _, s := range k.c.slots {
		if !yield(s.uid) {
			return
		}
	}
}

// Len is how many messages have something cached.
func (k *CacheFile) Len() int { return len(k.c.slots) }

// Entries returns what is cached of a message, none if there is nothing; the bytes
// are good until the next call. ErrDamaged: the frame does not pass its check.
func (k *CacheFile) Entries(uid mail.UID) ([]Entry, error) {
	slot, ok := k.c.find(uid)
	if !ok {
		return nil, nil
	}
	payload, ok := k.c.payload(uid)
	if !ok {
		return nil, &FormatError{cacheName, slot.off, fmt.Sprintf("the frame of UID %d does not pass its check", uid), ErrDamaged}
	}
	var entries []Entry
	for b := payload[4:]; len(b) > 0; {
		f, n, rest, ok := cutField(b)
		if !ok {
			return nil, &FormatError{cacheName, slot.off, fmt.Sprintf("the fields of UID %d are cut off", uid), ErrDamaged}
		}
		entries = append(entries, Entry{f, rest[:n]})
		b = rest[n:]
	}
	return entries, nil
}

// Close closes the file.
func (k *CacheFile) Close() error { return k.c.file.Close() }

// CacheHead is what the header of a cache says, of whatever mailbox it is.
type CacheHead struct {
	UIDValidity mail.UIDValidity
	Table       int64 // where the newest table lies, 0: there is none
	Size        int64 // of the file
}

// ReadCacheHead reads the header of the cache of dir.
func ReadCacheHead(dir vfs.Dir) (CacheHead, error) {
	f, err := dir.Open(cacheName)
	if err != nil {
		return CacheHead{}, fmt.Errorf("opening the cache: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return CacheHead{}, fmt.Errorf("looking at the cache: %w", err)
	}
	h, head, le := CacheHead{Size: info.Size}, make([]byte, headLen), binary.LittleEndian
	if _, err := f.ReadAt(head, 0); err != nil {
		return h, damaged(cacheName, 0, "a header that is cut off", err)
	}
	if [8]byte(head) != cacheMagic || castagnoli(head[:headLen-4]) != le.Uint32(head[headLen-4:]) {
		return h, &FormatError{cacheName, 0, "no cache's header", ErrDamaged}
	}
	if v := le.Uint32(head[8:]); v != formatVersion {
		return h, &FormatError{cacheName, 8, fmt.Sprintf("format version %d", v), ErrNewer}
	}
	h.UIDValidity, h.Table = mail.UIDValidity(le.Uint32(head[12:])), int64(le.Uint64(head[16:]))
	return h, nil
}
