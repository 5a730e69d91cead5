package index

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"

	"postrider/mail"
	"postrider/vfs"
)

// Field names one kind of cached bytes of a message.
type Field uint8

// The fields. What their bytes mean is the business of who caches them.
const (
	FieldEnvelope Field = iota + 1
	FieldBody
	FieldBodyStructure
	FieldParts
	FieldHeaders
	FieldPreview
)

// Entry is a field with its bytes.
type Entry struct {
	Field Field
	Bytes []byte
}

// maxCache bounds the cache file; beyond it nothing is added.
const maxCache = 8 << 30

var cacheMagic = [8]byte{'P', 'R', 'C', 'A', 'C', 'H', '\r', '\n'}

// Cache is the cache file of a mailbox. Any goroutine may call its methods. A cache
// that cannot be read or written is an empty one: it is never an error.
type Cache struct {
	dir      vfs.Dir
	validity mail.UIDValidity

	mu    sync.Mutex
	file  vfs.File
	slots []cacheSlot // ascending by UID; of one UID the last counts
	fresh []cacheSlot // not yet sorted into slots
	end   int64
	dead  bool // nothing can be written
	buf   []byte
	from  int64 // of buf in the file
}

// cacheSlot says where a message's frame lies.
type cacheSlot struct {
	uid mail.UID
	n   uint32 // length of the payload
	off int64  // of the frame
}

// OpenCache opens the cache of a mailbox whose UIDVALIDITY is given. A cache of
// another UIDVALIDITY, or one that is damaged, is begun anew.
func OpenCache(dir vfs.Dir, validity mail.UIDValidity) *Cache {
	c := &Cache{dir: dir, validity: validity}
	f, err := dir.OpenFile(cacheName, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		c.dead = true
		return c
	}
	c.file = f
	if !c.load() {
		c.restart()
	}
	return c
}

func (c *Cache) head() []byte {
	b := make([]byte, headLen)
	copy(b, cacheMagic[:])
	binary.LittleEndian.PutUint32(b[8:], formatVersion)
	binary.LittleEndian.PutUint32(b[12:], uint32(c.validity))
	binary.LittleEndian.PutUint32(b[headLen-4:], castagnoli(b[:headLen-4]))
	return b
}

func (c *Cache) restart() {
	c.slots, c.fresh, c.buf, c.end = nil, nil, nil, headLen
	if c.file.Truncate(0) != nil {
		c.dead = true
		return
	}
	if _, err := c.file.WriteAt(c.head(), 0); err != nil {
		c.dead = true
	}
}

// load reads where each message's bytes lie: from the table that Close left at the
// end, or else from the heads of all frames.
func (c *Cache) load() bool {
	info, err := c.file.Stat()
	head := make([]byte, headLen)
	if err != nil || info.Size < headLen {
		return false
	}
	if _, err := c.file.ReadAt(head, 0); err != nil || string(head) != string(c.head()) {
		return false
	}
	if c.loadTable(info.Size) {
		return true
	}
	r := &frameReader{r: c.file, pos: headLen, end: info.Size}
	for {
		off := r.pos
		payload, _, err := r.next()
		if err != nil {
			c.end = off
			c.settle()
			return errors.Is(err, io.EOF)
		}
		if len(payload) >= 4 {
			if uid := mail.UID(binary.LittleEndian.Uint32(payload)); uid != 0 {
				c.fresh = append(c.fresh, cacheSlot{uid, uint32(len(payload)), off})
			}
		}
	}
}

const (
	trailerLen = 24
	slotLen    = 16
)

// loadTable reads the table of slots:
//
//	frame with UID 0, then for each slot: UID, length, offset
//	trailer: magic (8), offset of the frame (8), 0 (4), CRC of the 20 octets before (4)
func (c *Cache) loadTable(size int64) bool {
	t := make([]byte, trailerLen)
	if size < headLen+trailerLen {
		return false
	}
	if _, err := c.file.ReadAt(t, size-trailerLen); err != nil {
		return false
	}
	le := binary.LittleEndian
	at := int64(le.Uint64(t[8:]))
	if [8]byte(t) != cacheMagic || le.Uint32(t[20:]) != castagnoli(t[:20]) || at < headLen || at >= size {
		return false
	}
	payload, _, err := (&frameReader{r: c.file, pos: at, end: size - trailerLen}).next()
	if err != nil || len(payload) < 4 || (len(payload)-4)%slotLen != 0 {
		return false
	}
	for b := payload[4:]; len(b) > 0; b = b[slotLen:] {
		s := cacheSlot{mail.UID(le.Uint32(b)), le.Uint32(b[4:]), int64(le.Uint64(b[8:]))}
		if s.off < headLen || s.off+frameHead+int64(s.n) > at {
			c.fresh = nil
			return false
		}
		c.fresh = append(c.fresh, s)
	}
	c.settle()
	c.end = at
	return true
}

// settle sorts the fresh slots in.
func (c *Cache) settle() {
	c.slots = append(c.slots, c.fresh...)
	c.fresh = c.fresh[:0]
	slices.SortStableFunc(c.slots, func(a, b cacheSlot) int { return int(int64(a.uid) - int64(b.uid)) })
	out := c.slots[:0]
	for _, s := range c.slots { // of one UID the last
		if k := len(out) - 1; k >= 0 && out[k].uid == s.uid {
			out[k] = s
		} else {
			out = append(out, s)
		}
	}
	c.slots = out
}

func (c *Cache) find(uid mail.UID) (cacheSlot, bool) {
	for i := len(c.fresh) - 1; i >= 0; i-- {
		if c.fresh[i].uid == uid {
			return c.fresh[i], true
		}
	}
	i, ok := slices.BinarySearchFunc(c.slots, uid, func(s cacheSlot, u mail.UID) int { return int(int64(s.uid) - int64(u)) })
	if !ok {
		return cacheSlot{}, false
	}
	return c.slots[i], true
}

// Get appends a field's bytes to dst; false if they are not there.
func (c *Cache) Get(uid mail.UID, f Field, dst []byte) ([]byte, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	payload, ok := c.payload(uid)
	if !ok {
		return dst, false
	}
	for b := payload[4:]; len(b) > 0; {
		id, n, rest, ok := cutField(b)
		if !ok {
			return dst, false
		}
		if id == f {
			return append(dst, rest[:n]...), true
		}
		b = rest[n:]
	}
	return dst, false
}

func cutField(b []byte) (f Field, n int, rest []byte, ok bool) {
	size, k := binary.Uvarint(b[1:])
	if k <= 0 || size > uint64(len(b)-1-k) {
		return 0, 0, nil, false
	}
	return Field(b[0]), int(size), b[1+k:], true
}

const cacheBlock = 256 << 10

// payload reads a message's frame, through a block that neighbours share: messages
// are asked for in the order in which they were cached.
func (c *Cache) payload(uid mail.UID) ([]byte, bool) {
	s, ok := c.find(uid)
	if !ok || c.file == nil {
		return nil, false
	}
	n := frameHead + int(s.n)
	if s.off < c.from || s.off+int64(n) > c.from+int64(len(c.buf)) {
		want := int(min(int64(max(n, cacheBlock)), c.end-s.off))
		if want < n {
			return nil, false
		}
		if cap(c.buf) < want {
			c.buf = make([]byte, want)
		}
		got, _ := c.file.ReadAt(c.buf[:want], s.off)
		c.buf, c.from = c.buf[:got], s.off
		if got < n {
			return nil, false
		}
	}
	b := c.buf[s.off-c.from:][:n]
	payload := b[frameHead:]
	le := binary.LittleEndian
	if le.Uint32(b) != s.n || le.Uint32(b[4:]) != castagnoli(payload) || s.n < 4 || mail.UID(le.Uint32(payload)) != uid {
		return nil, false
	}
	return payload, true
}

// Put adds fields to what is cached of a message.
func (c *Cache) Put(uid mail.UID, entries ...Entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dead || uid == 0 || c.end > maxCache {
		return
	}
	old, _ := c.payload(uid)
	frame := appendFrame(nil, func(dst []byte) []byte {
		dst = binary.LittleEndian.AppendUint32(dst, uint32(uid))
		for _, e := range entries {
			dst = appendField(dst, e)
		}
		if old == nil {
			return dst
		}
		for b := old[4:]; len(b) > 0; {
			f, n, rest, ok := cutField(b)
			if !ok {
				break
			}
			if !slices.ContainsFunc(entries, func(e Entry) bool { return e.Field == f }) {
				dst = appendField(dst, Entry{f, rest[:n]})
			}
			b = rest[n:]
		}
		return dst
	})
	if len(frame) > maxFrame {
		return
	}
	if _, err := c.file.WriteAt(frame, c.end); err != nil {
		c.dead = true
		return
	}
	if c.fresh = append(c.fresh, cacheSlot{uid, uint32(len(frame) - frameHead), c.end}); len(c.fresh) > 64+len(c.slots)/8 || len(c.fresh) > 4096 {
		c.settle()
	} else if k := len(c.slots); k == 0 || c.slots[k-1].uid < uid && len(c.fresh) == 1 {
		c.slots, c.fresh = append(c.slots, c.fresh[0]), c.fresh[:0] // in order, as messages come
	}
	c.end += int64(len(frame))
}

func appendField(dst []byte, e Entry) []byte {
	dst = append(dst, byte(e.Field))
	dst = binary.AppendUvarint(dst, uint64(len(e.Bytes)))
	return append(dst, e.Bytes...)
}

// Compact drops the bytes of messages that keep says are gone, and what was
// replaced, if that is worth the work.
func (c *Cache) Compact(keep func(mail.UID) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dead || c.file == nil {
		return
	}
	c.settle()
	live := int64(0)
	for _, s := range c.slots {
		if keep(s.uid) {
			live += frameHead + int64(s.n)
		}
	}
	if c.end-headLen < 2*live+1<<20 {
		return
	}
	c.rewrite(keep)
}

func (c *Cache) rewrite(keep func(mail.UID) bool) {
	tmp := cacheName + ".new"
	f, err := c.dir.OpenFile(tmp, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return
	}
	next := &Cache{dir: c.dir, validity: c.validity, file: f}
	next.restart()
	for _, s := range c.slots {
		if !keep(s.uid) {
			continue
		}
		if payload, ok := c.payload(s.uid); ok {
			frame := appendFrame(nil, func(dst []byte) []byte { return append(dst, payload...) })
			if _, err := f.WriteAt(frame, next.end); err != nil {
				next.dead = true
				break
			}
			next.slots = append(next.slots, cacheSlot{s.uid, uint32(len(payload)), next.end})
			next.end += int64(len(frame))
		}
	}
	if next.dead || c.dir.Rename(tmp, c.dir, cacheName) != nil {
		f.Close()
		c.dir.Remove(tmp)
		return
	}
	c.file.Close()
	c.file, c.slots, c.fresh, c.end, c.buf = f, next.slots, nil, next.end, nil
}

// Close writes the table of what is where, so that the next opening is quick, and
// closes the file.
func (c *Cache) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.file == nil {
		return nil
	}
	if !c.dead {
		c.settle()
		c.writeTable()
	}
	err := c.file.Close()
	c.file, c.dead = nil, true
	if err != nil {
		return fmt.Errorf("closing the cache: %w", err)
	}
	return nil
}

// writeTable is best effort: without it all frames are read.
func (c *Cache) writeTable() {
	if 4+slotLen*len(c.slots) > maxFrame {
		return
	}
	le := binary.LittleEndian
	b := appendFrame(nil, func(dst []byte) []byte {
		dst = le.AppendUint32(dst, 0)
		for _, s := range c.slots {
			dst = le.AppendUint32(dst, uint32(s.uid))
			dst = le.AppendUint32(dst, s.n)
			dst = le.AppendUint64(dst, uint64(s.off))
		}
		return dst
	})
	n := len(b)
	b = append(b, cacheMagic[:]...)
	b = le.AppendUint64(b, uint64(c.end))
	b = le.AppendUint32(b, 0)
	b = le.AppendUint32(b, castagnoli(b[n:]))
	if _, err := c.file.WriteAt(b, c.end); err == nil {
		c.file.Truncate(c.end + int64(len(b)))
	}
}
