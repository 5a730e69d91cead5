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
// is that of the change: what the two share is skipped.
func Diff(old, new *Snapshot) iter.Seq[Change] {
	return func(yield func(Change) bool) {
		if old == new {
			return
		}
		a, b := cursor{t: old.tree()}, cursor{t: new.tree()}
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
	t    *tree
	l, k int      // leaf, and chunk in it
	i    int      // message in the chunk
	cols *columns // of the chunk, nil if nobody asked
}

func (c *cursor) end() bool   { return c.l == len(c.t.leaves) }
func (c *cursor) leaf() *leaf { return c.t.leaves[c.l].l }
func (c *cursor) span() *span { return &c.t.leaves[c.l].l.spans[c.k] }
func (c *cursor) index() int  { return int(c.t.leaves[c.l].start+c.span().start) + c.i }

func (c *cursor) columns() *columns {
	if c.cols == nil {
		c.cols = c.span().c.cols()
	}
	return c.cols
}

func (c *cursor) uid() mail.UID {
	if c.i == 0 && c.cols == nil {
		return c.span().first
	}
	return c.columns().ids[c.i].uid
}

func (c *cursor) modseq() mail.ModSeq { return c.columns().states[c.i].modseq }

func (c *cursor) advance() {
	if c.i++; c.cols != nil && c.i < len(c.cols.ids) {
		return
	}
	if c.i == c.span().c.n {
		c.nextChunk()
	}
}

func (c *cursor) nextChunk() {
	c.i, c.cols = 0, nil
	if c.k++; c.k == len(c.leaf().spans) {
		c.l, c.k = c.l+1, 0
	}
}

// skipShared moves both cursors over what they share. UIDs ascend, so a shared leaf
// or chunk is reached by both at its beginning, or by neither.
func (c *cursor) skipShared(d *cursor) {
	for c.i == 0 && d.i == 0 && !c.end() && !d.end() {
		switch {
		case c.k == 0 && d.k == 0 && c.leaf() == d.leaf():
			c.l++
			d.l++
			c.cols, d.cols = nil, nil
		case c.span().c == d.span().c:
			c.nextChunk()
			d.nextChunk()
		default:
			return
		}
	}
}
