package index

import (
	"bytes"
	"encoding/binary"
	"fmt"
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

// Cache is the cache file of a mailbox. Any goroutine may call its methods. A cache
// that cannot be read or written is an empty one: it is never an error. Two
// processes may have it open; what one overwrites of the other does not pass its
// check, and so is not there.
type Cache struct {
	dir      vfs.Dir
	validity mail.UIDValidity

	mu      sync.Mutex
	file    vfs.File
	slots   []cacheSlot            // ascending by UID, one for each
	fresh   map[mail.UID]cacheSlot // newer than slots
	end     int64                  // where the next frame goes
	tabled  int64                  // the end of what the table in the file knows
	tableAt int64                  // where that table lies, 0: nowhere
	dead    bool                   // nothing can be written
	resting bool                   // closed until somebody asks
	windows windows
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
	c.open()
	return c
}

func (c *Cache) open() {
	f, err := c.dir.OpenFile(cacheName, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		c.dead = true
		return
	}
	c.file = f
	if !c.load() {
		c.restart()
	}
}

// restart begins an empty file.
func (c *Cache) restart() {
	c.slots, c.fresh, c.end, c.tabled, c.tableAt = nil, make(map[mail.UID]cacheSlot), headLen, headLen, 0
	c.windows.drop()
	if c.file.Truncate(0) != nil {
		c.dead = true
		return
	}
	if _, err := c.file.WriteAt(c.head(), 0); err != nil {
		c.dead = true
	}
}

// settle merges the fresh slots in. Its cost is that of the whole, so it waits until
// there are many.
func (c *Cache) settle() {
	if len(c.fresh) == 0 {
		return
	}
	add := make([]cacheSlot, 0, len(c.fresh))
	for _, s := range c.fresh {
		add = append(add, s)
	}
	slices.SortFunc(add, bySlotUID)
	out := make([]cacheSlot, 0, len(c.slots)+len(add))
	for _, s := range c.slots {
		for len(add) > 0 && add[0].uid < s.uid {
			out, add = append(out, add[0]), add[1:]
		}
		if len(add) > 0 && add[0].uid == s.uid {
			s, add = add[0], add[1:]
		}
		out = append(out, s)
	}
	c.slots = append(out, add...)
	clear(c.fresh)
}

func bySlotUID(a, b cacheSlot) int { return int(int64(a.uid) - int64(b.uid)) }

// note remembers where a message's newest frame lies.
func (c *Cache) note(s cacheSlot) {
	k := len(c.slots)
	if len(c.fresh) == 0 && (k == 0 || c.slots[k-1].uid < s.uid) { // in order, as messages come
		c.slots = append(c.slots, s)
		return
	}
	if c.fresh[s.uid] = s; len(c.fresh) > max(4096, k/8) {
		c.settle()
	}
}

func (c *Cache) find(uid mail.UID) (cacheSlot, bool) {
	if s, ok := c.fresh[uid]; ok {
		return s, true
	}
	i, ok := slices.BinarySearchFunc(c.slots, cacheSlot{uid: uid}, bySlotUID)
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

// payload returns a message's frame, valid until the next read.
func (c *Cache) payload(uid mail.UID) ([]byte, bool) {
	c.rouse()
	s, ok := c.find(uid)
	if !ok || c.file == nil || s.n < 4 {
		return nil, false
	}
	n := frameHead + int(s.n)
	b := c.windows.read(c.file, s.off, n, c.end)
	if len(b) < n {
		return nil, false
	}
	payload := b[frameHead:]
	le := binary.LittleEndian
	if le.Uint32(b) != s.n || le.Uint32(b[4:]) != castagnoli(payload) || mail.UID(le.Uint32(payload)) != uid {
		return nil, false
	}
	return payload, true
}

// Put adds fields to what is cached of a message.
func (c *Cache) Put(uid mail.UID, entries ...Entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if uid == 0 || !c.catchUp() || c.end > maxCache {
		return
	}
	old, _ := c.payload(uid)
	if old != nil && holds(old, entries) {
		return
	}
	frame := appendFrame(nil, func(dst []byte) []byte { return appendFields(dst, uid, entries, old) })
	if len(frame) > maxFrame {
		return
	}
	if _, err := c.file.WriteAt(frame, c.end); err != nil {
		c.dead = true
		return
	}
	c.note(cacheSlot{uid, uint32(len(frame) - frameHead), c.end})
	c.end += int64(len(frame))
}

// holds says whether a payload has these very entries: to write them once more would
// only make the file grow.
func holds(payload []byte, entries []Entry) bool {
	found := 0
	for b := payload[4:]; len(b) > 0; {
		f, n, rest, ok := cutField(b)
		if !ok {
			return false
		}
		for _, e := range entries {
			if e.Field == f && bytes.Equal(e.Bytes, rest[:n]) {
				found++
			}
		}
		b = rest[n:]
	}
	return found == len(entries)
}

// appendFields appends a payload: the UID, the entries, and what an older payload
// has beside them.
func appendFields(dst []byte, uid mail.UID, entries []Entry, old []byte) []byte {
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
}

func appendField(dst []byte, e Entry) []byte {
	dst = append(dst, byte(e.Field))
	dst = binary.AppendUvarint(dst, uint64(len(e.Bytes)))
	return append(dst, e.Bytes...)
}

// Quiet gives memory and the file back, for a mailbox that nobody looks at just now.
// The next call of another method opens it again.
func (c *Cache) Quiet() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.windows.drop()
	if c.file == nil || c.dead {
		return
	}
	c.keepTable()
	if c.file != nil { // else its directory was deleted
		c.file.Close()
		c.file, c.slots, c.fresh, c.resting = nil, nil, nil, true
	}
}

// rouse opens a quiet cache again, if that can be done now.
func (c *Cache) rouse() {
	if !c.resting {
		return
	}
	if c.open(); c.dead {
		c.dead = false // what is missing now, descriptors perhaps, may be there the next time
		return
	}
	c.resting = false
}

// keepTable writes the table of what is where, if much has come since the last, so that
// the next opening is quick.
func (c *Cache) keepTable() {
	if c.catchUp() {
		c.settle()
		if c.end-c.tabled > max(tableSlack, 2*slotLen*int64(len(c.slots))) {
			c.writeTable()
		}
	}
}

// Close closes the file.
func (c *Cache) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.resting = false; c.file == nil {
		c.dead = true
		return nil
	}
	c.keepTable()
	if c.file == nil { // its directory was deleted
		return nil
	}
	err := c.file.Close()
	c.file, c.dead = nil, true
	if err != nil {
		return fmt.Errorf("closing the cache: %w", err)
	}
	return nil
}
