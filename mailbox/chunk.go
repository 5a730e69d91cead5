package mailbox

import (
	"math"
	"sync/atomic"

	"postrider/index"
	"postrider/mail"
)

// chunkLen is how many messages a chunk holds at most, outside of tests. Chunks are what snapshots
// share; a change copies the columns that it touches of the chunks that it
// touches.
const chunkLen = 256

// A chunk is up to chunkLen messages in ascending order of UIDs. What a snapshot
// shows of it never changes; whether its columns are in memory does.
type chunk struct {
	meta
	body atomic.Pointer[columns] // nil: to be read at home
	home atomic.Pointer[place]   // nil: the columns are nowhere but here
}

// meta is what is known of a chunk without its columns.
type meta struct {
	n      int
	last   mail.UID    // of its messages
	newest mail.ModSeq // the highest of its messages
	sums   sums
}

// columns are the messages of a chunk, in columns by how often they change.
type columns struct {
	ids    []ident
	names  string // base names; an ident says where
	facts  []facts
	states []state
	emails []index.EmailID // nil if none is known
}

// cols returns the columns. It reads them if they are not in memory, and panics with a
// *LostError if they cannot be read.
func (c *chunk) cols() *columns {
	if b := c.body.Load(); b != nil {
		return b
	}
	return c.load()
}

// measure sets what is known of a chunk from its columns, which are not empty.
func (c *chunk) measure(b *columns) {
	c.n, c.last, c.sums, c.newest = len(b.ids), b.ids[len(b.ids)-1].uid, b.count(), 0
	for i := range b.states {
		c.newest = max(c.newest, b.states[i].modseq)
	}
}

// ident is what a message keeps for ever.
type ident struct {
	uid   mail.UID
	saved uint32 // seconds since 1970, 0 unknown
	off   uint16 // of the base name in names: 256 names of 255 bytes fit
	n     uint8  // its length
}

// facts are what is found out about a message's file, once, in 16 octets.
type facts struct {
	sizeLow, dateLow   uint32
	lines              uint32 // CRLF size less size, unknownLines if unknown
	sizeHigh, dateHigh uint8
	file               uint16 // tells inodes apart, as fold does; 0 unknown
}

const unknownLines = math.MaxUint32

// size is the octets in the file, -1 if unknown: 40 bits hold it, plus one.
func (fa facts) size() int64 { return (int64(fa.sizeHigh)<<32 | int64(fa.sizeLow)) - 1 }

// internal is the INTERNALDATE: 40 bits hold it, with a sign.
func (fa facts) internal() index.Stamp {
	return index.Stamp(int64(int8(fa.dateHigh))<<32 | int64(fa.dateLow))
}

// crlf is the octets as served, -1 if unknown.
func (fa facts) crlf() int64 {
	if fa.size() < 0 || fa.lines == unknownLines {
		return -1
	}
	return fa.size() + int64(fa.lines)
}

func factsOf(size, crlf int64, internal index.Stamp, ino uint64) facts {
	const bits = 40
	size = min(max(size, -1), 1<<bits-2)
	if internal < -1<<(bits-1) || internal >= 1<<(bits-1) {
		internal = 0
	}
	fa := facts{
		sizeLow: uint32(size + 1), sizeHigh: uint8((size + 1) >> 32),
		dateLow: uint32(internal), dateHigh: uint8(internal >> 32),
		lines: unknownLines, file: fold(ino),
	}
	if size >= 0 && crlf >= size && crlf-size < unknownLines {
		fa.lines = uint32(crlf - size)
	}
	return fa
}

// provenIno stands for the inode of a message whose size was looked up before this
// process began. Inodes are not compared over restarts: a Maildir that was copied or
// restored has other ones.
const provenIno = 1

// fold makes 16 bits of an inode number: 0 and 1 stay, everything else is above.
func fold(ino uint64) uint16 {
	if ino <= provenIno {
		return uint16(ino)
	}
	ino ^= ino >> 32
	ino ^= ino >> 16
	return max(uint16(ino), provenIno+1)
}

// state is what changes.
type state struct {
	modseq   mail.ModSeq
	keywords index.SetID
	info     infoID
	flags    uint8 // mail.Flags, and inNew
}

// inNew is the bit of state.flags that says that the file lies in new.
const inNew = 1 << 7

func (st state) isNew() bool      { return st.flags&inNew != 0 }
func (st state) mail() mail.Flags { return mail.Flags(st.flags &^ inNew) }

func stateFlags(f mail.Flags, isNew bool) uint8 {
	if isNew {
		return uint8(f) | inNew
	}
	return uint8(f)
}

// sums are a chunk's counters.
type sums struct {
	unseen, deleted, unsized int
	size                     int64
}

func (s *sums) add(t sums, sign int) {
	s.unseen += sign * t.unseen
	s.deleted += sign * t.deleted
	s.unsized += sign * t.unsized
	s.size += int64(sign) * t.size
}

func (c *columns) base(i int) string {
	id := c.ids[i]
	return c.names[id.off : int(id.off)+int(id.n)]
}

// find returns the place of a UID in the chunk, or where it would be.
func (c *columns) find(uid mail.UID) (int, bool) {
	lo, hi := 0, len(c.ids)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if c.ids[mid].uid < uid {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo, lo < len(c.ids) && c.ids[lo].uid == uid
}

func (c *columns) count() sums {
	var s sums
	for i := range c.states {
		f := c.states[i].mail()
		if !f.Has(mail.Seen) {
			s.unseen++
		}
		if f.Has(mail.Deleted) {
			s.deleted++
		}
		if n := c.facts[i].size(); n >= 0 {
			s.size += n
		} else {
			s.unsized++
		}
	}
	return s
}

// row returns a message as the index has it.
func (c *columns) row(i int, infos []string) index.Message {
	id, fa, st := c.ids[i], c.facts[i], c.states[i]
	m := index.Message{
		UID: id.uid, Flags: st.mail(), New: st.isNew(), Keywords: st.keywords, ModSeq: st.modseq,
		Size: fa.size(), CRLFSize: fa.crlf(), Internal: fa.internal(), Saved: index.Stamp(id.saved), Ino: uint64(fa.file),
		Base: c.base(i), Info: infos[st.info],
	}
	if c.emails != nil {
		m.EmailID = c.emails[i]
	}
	return m
}

// add puts a message at the end of a chunk that is being built. names is the
// chunk's area of base names so far; the grown one is returned.
func (c *columns) add(m *index.Message, info infoID, names []byte) []byte {
	id := ident{uid: m.UID, off: uint16(len(names)), n: uint8(len(m.Base))}
	if m.Saved > 0 && m.Saved <= math.MaxUint32 {
		id.saved = uint32(m.Saved)
	}
	c.ids = append(c.ids, id)
	c.facts = append(c.facts, factsOf(m.Size, m.CRLFSize, m.Internal, m.Ino))
	c.states = append(c.states, state{m.ModSeq, m.Keywords, info, stateFlags(m.Flags, m.New)})
	if m.EmailID != (index.EmailID{}) && c.emails == nil {
		c.emails = make([]index.EmailID, len(c.ids)-1, chunkLen)
	}
	if c.emails != nil {
		c.emails = append(c.emails, m.EmailID)
	}
	return append(names, m.Base...)
}

// roomFor says whether one more message fits: by number, and by the room that an
// offset can name.
func (c *columns) roomFor(m *index.Message, names, most int) bool {
	return len(c.ids) < most && names+len(m.Base) <= math.MaxUint16
}
