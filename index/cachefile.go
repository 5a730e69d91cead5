package index

import (
	"encoding/binary"
	"errors"
	"io"
	"os"

	"postrider/mail"
	"postrider/vfs"
)

// The cache file is a header and frames. A frame's payload begins with a UID. UID 0
// is a table of slots: where the newest frame of each message lies, of all that
// comes before the table. The header says where the newest table lies; after it the
// frames are read one by one.
var cacheMagic = [8]byte{'P', 'R', 'C', 'A', 'C', 'H', '\r', '\n'}

const (
	slotLen    = 16      // UID 4, payload length 4, offset of the frame 8
	tableSlack = 1 << 20 // so many bytes without a table are read quickly enough
)

// head is the header: magic, version, UIDVALIDITY, offset of the table.
func (c *Cache) head() []byte {
	b := make([]byte, headLen)
	le := binary.LittleEndian
	copy(b, cacheMagic[:])
	le.PutUint32(b[8:], formatVersion)
	le.PutUint32(b[12:], uint32(c.validity))
	le.PutUint64(b[16:], uint64(c.tableAt))
	le.PutUint32(b[headLen-4:], castagnoli(b[:headLen-4]))
	return b
}

// load reads where each message's bytes lie. It reports whether the file is this
// mailbox's cache.
func (c *Cache) load() bool {
	info, err := c.file.Stat()
	head := make([]byte, headLen)
	if err != nil || info.Size < headLen {
		return false
	}
	if _, err := c.file.ReadAt(head, 0); err != nil {
		return false
	}
	c.tableAt = int64(binary.LittleEndian.Uint64(head[16:]))
	if string(head) != string(c.head()) {
		return false
	}
	c.slots, c.fresh, c.end = nil, make(map[mail.UID]cacheSlot), headLen
	if c.tableAt != 0 && !c.loadTable(info.Size) {
		return false
	}
	c.tabled = c.end
	c.absorb(info.Size)
	return true
}

// loadTable reads the table and goes on behind it.
func (c *Cache) loadTable(size int64) bool {
	if c.tableAt < headLen || c.tableAt > size {
		return false
	}
	r := &frameReader{r: c.file, pos: c.tableAt, end: size}
	payload, _, err := r.next()
	le := binary.LittleEndian
	if err != nil || len(payload) < 4 || le.Uint32(payload) != 0 || (len(payload)-4)%slotLen != 0 {
		return false
	}
	c.slots = make([]cacheSlot, 0, (len(payload)-4)/slotLen)
	last := mail.UID(0)
	for b := payload[4:]; len(b) > 0; b = b[slotLen:] {
		s := cacheSlot{mail.UID(le.Uint32(b)), le.Uint32(b[4:]), int64(le.Uint64(b[8:]))}
		if s.uid <= last || s.n > maxFrame || s.off < headLen || s.off > c.tableAt-frameHead-int64(s.n) {
			return false
		}
		c.slots, last = append(c.slots, s), s.uid
	}
	c.end = r.pos
	return true
}

// absorb notes the frames from end on, up to the first that is not whole; what
// follows that is left alone, behind end if it was written by another process.
func (c *Cache) absorb(size int64) {
	r := &frameReader{r: c.file, pos: c.end, end: size}
	for {
		off := r.pos
		payload, torn, err := r.next()
		if err != nil {
			c.end = off
			if torn || !errors.Is(err, io.EOF) {
				c.end = size
			}
			return
		}
		if len(payload) < 4 {
			continue
		}
		if uid := mail.UID(binary.LittleEndian.Uint32(payload)); uid != 0 {
			c.note(cacheSlot{uid, uint32(len(payload)), off})
		}
	}
}

// catchUp takes over what another process did to the file. It reports whether the
// cache can be written.
func (c *Cache) catchUp() bool {
	c.rouse()
	if c.dead || c.file == nil {
		return false
	}
	info, err := c.file.Stat()
	switch {
	case err != nil:
		c.dead = true
	case info.Nlink == 0: // replaced by a compaction elsewhere, or deleted
		c.file.Close()
		c.file = nil
		c.windows.drop()
		c.open()
	case info.Size > c.end:
		c.absorb(info.Size)
	case info.Size < c.end: // begun anew elsewhere
		c.windows.drop()
		if !c.load() {
			c.restart()
		}
	}
	return !c.dead
}

// writeTable is best effort: without it the frames are read.
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
	if _, err := c.file.WriteAt(b, c.end); err != nil {
		return
	}
	c.tableAt = c.end
	c.end += int64(len(b))
	c.tabled = c.end
	c.file.WriteAt(c.head(), 0)
}

// Compact drops the bytes of messages that keep says are gone, and what was
// replaced, if that is worth the work.
func (c *Cache) Compact(keep func(mail.UID) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.catchUp() || c.end-headLen < tableSlack {
		return
	}
	c.settle()
	live := int64(0)
	for _, s := range c.slots {
		if keep(s.uid) {
			live += frameHead + int64(s.n)
		}
	}
	if c.end-headLen >= 2*live+tableSlack {
		c.rewrite(keep)
	}
}

// rewrite puts a new file in place, with the live frames in the order of UIDs.
func (c *Cache) rewrite(keep func(mail.UID) bool) {
	const tmp = cacheName + ".new"
	f, err := c.dir.OpenFile(tmp, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return
	}
	next := &Cache{validity: c.validity, file: f}
	next.restart()
	for _, s := range c.slots {
		if !keep(s.uid) {
			continue
		}
		payload, ok := c.payload(s.uid)
		if !ok {
			continue
		}
		frame := appendFrame(nil, func(dst []byte) []byte { return append(dst, payload...) })
		if _, err := f.WriteAt(frame, next.end); err != nil {
			next.dead = true
			break
		}
		next.note(cacheSlot{s.uid, uint32(len(payload)), next.end})
		next.end += int64(len(frame))
	}
	if !next.dead {
		next.writeTable()
	}
	if next.dead || c.dir.Rename(tmp, c.dir, cacheName) != nil {
		f.Close()
		c.dir.Remove(tmp)
		return
	}
	c.file.Close()
	c.file, c.slots, c.fresh, c.end = f, next.slots, next.fresh, next.end
	c.tabled, c.tableAt = next.tabled, next.tableAt
	c.windows.drop()
}

// windows are what was read last of a file, in a few places, so that those who
// walk through it side by side each find the next bytes in memory.
type windows struct {
	w    [3]window
	turn uint64
}

type window struct {
	buf  []byte
	from int64 // of buf in the file
	used uint64
}

const (
	windowAhead = 256 << 10 // read at once by one who walks
	windowOne   = 4 << 10   // and by one who does not, at least
)

func (ws *windows) drop() { *ws = windows{} }

// read returns n bytes at off, fewer if they are not there. They are good until the
// next read.
func (ws *windows) read(f vfs.File, off int64, n int, end int64) []byte {
	if end-off < int64(n) {
		return nil
	}
	ws.turn++
	oldest, want := &ws.w[0], max(n, windowOne)
	for i := range ws.w {
		w := &ws.w[i]
		past := off - w.from - int64(len(w.buf))
		if off >= w.from && past+int64(n) <= 0 {
			w.used = ws.turn
			return w.buf[off-w.from:][:n]
		}
		if off >= w.from && len(w.buf) > 0 && past < windowOne {
			oldest, want = w, max(n, windowAhead)
			break
		}
		if w.used < oldest.used {
			oldest = w
		}
	}
	want = int(min(int64(want), end-off))
	if cap(oldest.buf) < want {
		oldest.buf = make([]byte, want)
	}
	got, _ := f.ReadAt(oldest.buf[:want], off)
	oldest.buf, oldest.from, oldest.used = oldest.buf[:got], off, ws.turn
	return oldest.buf[:min(got, n)]
}
