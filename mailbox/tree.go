package mailbox

import "postrider/mail"

// shape is how many messages a chunk, and how many chunks a leaf holds at most. A
// change copies the columns that it touches of its chunk, the leaf that the chunk is
// in, and the list of leaves: each some kilobytes in a mailbox of a million.
type shape struct{ chunk, leaf int }

func usual() shape { return shape{chunkLen, 64} }

// tree is the messages of a snapshot: leaves of chunks, in ascending order of UIDs.
// Snapshots share the leaves and chunks in which they do not differ. None is empty.
type tree struct {
	leaves []branch
	infos  *infos
	shape  shape
}

// branch is a leaf and where it begins.
type branch struct {
	l     *leaf
	first mail.UID
	start uint32 // index of its first message
}

// leaf is neighbouring chunks. A leaf that a snapshot shows is never written again.
type leaf struct {
	spans []span
	n     int // messages
	sums  sums
}

// span is a chunk and where it begins.
type span struct {
	c     *chunk
	first mail.UID // the UID of the first message
	start uint32   // index of the first message in the leaf
}

// at returns the chunk that holds an index from 0 to Len-1, and the place in it.
func (t *tree) at(i int) (*chunk, int) {
	b := &t.leaves[leafAt(t.leaves, i)]
	i -= int(b.start)
	sp := &b.l.spans[spanAt(b.l.spans, i)]
	return sp.c, i - int(sp.start)
}

// of returns the chunk that holds the UID if any does, and the index of its first
// message; nil if the UID is below all.
func (t *tree) of(uid mail.UID) (c *chunk, start int) {
	l := leafOf(t.leaves, uid)
	if l < 0 {
		return nil, 0
	}
	b := &t.leaves[l]
	sp := &b.l.spans[spanOf(b.l.spans, uid)]
	return sp.c, int(b.start + sp.start)
}

// chunks yields the chunks from the one that holds index i on, with the index of the
// first message of each.
func (t *tree) chunks(i int) func(func(int, *chunk) bool) {
	return func(yield func(int, *chunk) bool) {
		l := max(leafAt(t.leaves, i), 0)
		for ; l < len(t.leaves); l++ {
			b := &t.leaves[l]
			for k := max(spanAt(b.l.spans, i-int(b.start)), 0); k < len(b.l.spans); k++ {
				if !yield(int(b.start+b.l.spans[k].start), b.l.spans[k].c) {
					return
				}
			}
		}
	}
}

func leafAt(leaves []branch, i int) int {
	lo, hi := 0, len(leaves)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if int(leaves[mid].start) <= i {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo - 1
}

func spanAt(spans []span, i int) int {
	lo, hi := 0, len(spans)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if int(spans[mid].start) <= i {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo - 1
}

func leafOf(leaves []branch, uid mail.UID) int {
	lo, hi := 0, len(leaves)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if leaves[mid].first <= uid {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo - 1
}

func spanOf(spans []span, uid mail.UID) int {
	lo, hi := 0, len(spans)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if spans[mid].first <= uid {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo - 1
}
