package mailbox

import (
	"iter"

	"postrider/mail"
)

// ChangeKind says how a message differs between two snapshots.
type ChangeKind uint8

const (
	// Vanished: it is no longer there.
	Vanished ChangeKind = iota
	// Appeared: it was not there.
	Appeared
	// FlagsChanged: its flags or keywords were set, perhaps to what they were.
	FlagsChanged
)

// Change is a difference between two snapshots. Index counts from 0 in the newer
// one, for Vanished in the older.
type Change struct {
	Kind  ChangeKind
	UID   mail.UID
	Index int
}

// Diff yields what differs from old to new, in ascending order of UIDs. Its cost
// is that of the change: chunks that the two share are skipped.
func Diff(old, new *Snapshot) iter.Seq[Change] {
	return func(yield func(Change) bool) {
		if old == new {
			return
		}
		a, b := cursor{s: old}, cursor{s: new}
		for {
			a.skipShared(&b)
			if a.end() && b.end() {
				return
			}
			if !step(&a, &b, yield) {
				return
			}
		}
	}
}

// step compares the messages at the two cursors and moves on.
func step(a, b *cursor, yield func(Change) bool) bool {
	switch {
	case b.end() || !a.end() && a.uid() < b.uid():
		c := Change{Vanished, a.uid(), a.index()}
		a.advance()
		return yield(c)
	case a.end() || b.uid() < a.uid():
		c := Change{Appeared, b.uid(), b.index()}
		b.advance()
		return yield(c)
	}
	c, same := Change{FlagsChanged, b.uid(), b.index()}, a.modseq() == b.modseq()
	a.advance()
	b.advance()
	return same || yield(c)
}

// cursor is a place in a snapshot.
type cursor struct {
	s    *Snapshot
	k, i int // chunk, and message in it
}

func (c *cursor) end() bool           { return c.k == len(c.s.spine) }
func (c *cursor) chunk() *chunk       { return c.s.spine[c.k].c }
func (c *cursor) uid() mail.UID       { return c.chunk().ids[c.i].uid }
func (c *cursor) modseq() mail.ModSeq { return c.chunk().states[c.i].modseq }
func (c *cursor) index() int          { return int(c.s.spine[c.k].start) + c.i }

func (c *cursor) advance() {
	if c.i++; c.i == len(c.chunk().ids) {
		c.k, c.i = c.k+1, 0
	}
}

// skipShared moves both cursors over chunks that they share. UIDs ascend, so a
// shared chunk is reached by both at its beginning, or by neither.
func (c *cursor) skipShared(d *cursor) {
	for c.i == 0 && d.i == 0 && !c.end() && !d.end() && c.chunk() == d.chunk() {
		c.k++
		d.k++
	}
}
