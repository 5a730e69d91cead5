package mailbox

import (
	"slices"

	"postrider/index"
	"postrider/mail"
)

// builder makes the next snapshot out of one. It copies what it changes, once;
// the rest is shared. The mailbox's lock guards it.
//
// Each chunk that it puts another in the place of has its columns in memory: see
// backing.
type builder struct {
	next    Snapshot
	leaves  []branch // of next
	ownLeaf []bool   // by leaf: it is the builder's to write
	own     map[*chunk]owned
	infos   *infos
	shape   shape
	cur     *columns // the last chunk's, while it is being added to
	tail    []byte   // its base names
	shrunk  bool
	unhomed int  // chunks that a file had, and another was put in the place of
	table   bool // next.keywords is a copy of ours
}

// owned says which columns of a chunk are the builder's to write.
type owned uint8

const (
	ownStates owned = 1 << iota
	ownFacts
	ownIDs
	ownAll = ownStates | ownFacts | ownIDs
)

// spot is where a chunk is in the tree: its leaf, and its place in there.
type spot struct{ l, k int }

func newBuilder(old *Snapshot, t *infos) *builder {
	b := &builder{infos: t, shape: old.tree().shape, own: map[*chunk]owned{}}
	b.next.head, b.next.serial = old.head, old.serial
	leaves := old.tree().leaves
	b.leaves = append(make([]branch, 0, len(leaves)+1), leaves...)
	b.ownLeaf = make([]bool, len(leaves), len(leaves)+1)
	return b
}

func emptySnapshot(is shape) *Snapshot {
	s := &Snapshot{head: head{uidNext: 1, recentFrom: 1, keywords: newKeywordTable()}}
	s.held.Store(&tree{infos: newInfos(), shape: is})
	return s
}

func (b *builder) span(at spot) *span { return &b.leaves[at.l].l.spans[at.k] }

// leaf returns a leaf that may be written.
func (b *builder) leaf(l int) *leaf {
	if !b.ownLeaf[l] {
		old := b.leaves[l].l
		b.leaves[l].l = &leaf{spans: append(make([]span, 0, len(old.spans)+1), old.spans...)}
		b.ownLeaf[l] = true
	}
	return b.leaves[l].l
}

// chunk returns a chunk's columns with the wanted ones copied.
func (b *builder) chunk(at spot, want owned) *columns {
	b.leaf(at.l)
	sp := b.span(at)
	have, mine := b.own[sp.c]
	if !mine {
		c := *sp.c.cols()
		if sp.c.home.Load() != nil {
			b.unhomed++
		}
		sp.c = &chunk{}
		sp.c.body.Store(&c)
	}
	c, miss := sp.c.body.Load(), want&^have
	if miss&ownStates != 0 {
		c.states = append(make([]state, 0, b.shape.chunk), c.states...)
	}
	if miss&ownFacts != 0 {
		c.facts = append(make([]facts, 0, b.shape.chunk), c.facts...)
		c.emails = slices.Clone(c.emails)
	}
	if miss&ownIDs != 0 {
		c.ids = append(make([]ident, 0, b.shape.chunk), c.ids...)
	}
	b.own[sp.c] = have | want
	return c
}

// find returns where the chunk is that holds the UID if any does.
func (b *builder) find(uid mail.UID) (at spot, ok bool) {
	l := leafOf(b.leaves, uid)
	if l < 0 {
		return spot{}, false
	}
	return spot{l, spanOf(b.leaves[l].l.spans, uid)}, true
}

// locate finds a message in the state so far.
func (b *builder) locate(uid mail.UID) (at spot, i int, ok bool) {
	if at, ok = b.find(uid); !ok {
		return at, 0, false
	}
	c := b.span(at).c
	if _, mine := b.own[c]; !mine && uid > c.last {
		return at, 0, false
	}
	i, ok = c.cols().find(uid)
	return at, i, ok
}

// state returns a message's state to be changed, nil if it is not there.
func (b *builder) state(uid mail.UID) *state {
	at, i, ok := b.locate(uid)
	if !ok {
		return nil
	}
	return &b.chunk(at, ownStates).states[i]
}

// add puts a message above all others.
func (b *builder) add(m *index.Message) {
	if b.cur != nil && !b.cur.roomFor(m, len(b.tail), b.shape.chunk) {
		b.seal()
	}
	if b.cur == nil {
		b.begin(m)
	}
	b.tail = b.cur.add(m, b.infos.id(m.Info), b.tail)
}

// begin has the last chunk added to, or a new one if that is full.
func (b *builder) begin(m *index.Message) {
	l := len(b.leaves) - 1
	if l >= 0 {
		at := spot{l, len(b.leaves[l].l.spans) - 1}
		c := b.span(at).c
		// One that a file has, and that is full enough, is left as it is: then a mailbox
		// to which a message came holds little that no file has.
		if _, mine := b.own[c]; mine || c.n < b.shape.chunk && (c.home.Load() == nil || c.n < b.shape.chunk/2) {
			if c := c.cols(); c.roomFor(m, len(c.names), b.shape.chunk) {
				b.cur = b.chunk(at, ownAll)
				b.tail = append(make([]byte, 0, len(c.names)+4*len(m.Base)), c.names...)
				return
			}
		}
	}
	if l < 0 || len(b.leaves[l].l.spans) >= b.shape.leaf {
		b.leaves = append(b.leaves, branch{l: &leaf{}, first: m.UID})
		b.ownLeaf = append(b.ownLeaf, true)
		l++
	}
	c := &chunk{}
	b.cur = &columns{}
	c.body.Store(b.cur)
	b.own[c] = ownAll
	to := b.leaf(l)
	to.spans = append(to.spans, span{c: c, first: m.UID})
	b.tail = b.tail[:0]
}

// seal ends the additions to the last chunk.
func (b *builder) seal() {
	if b.cur != nil {
		b.cur.names, b.cur = string(b.tail), nil
	}
}

// insert puts a message that is not above all others in its place, or replaces
// what has its UID. Only a journal that is read a second time needs it.
func (b *builder) insert(m *index.Message) {
	b.seal()
	at, _ := b.find(m.UID) // below all: the first
	rows := b.rows(at)
	i, found := slices.BinarySearchFunc(rows, m.UID, func(r index.Message, u mail.UID) int { return int(int64(r.UID) - int64(u)) })
	if found {
		rows[i] = *m
	} else {
		rows = slices.Insert(rows, i, *m)
	}
	b.replace(at, 1, rows)
}

func (b *builder) rows(at spot) []index.Message {
	c := b.span(at).c.cols()
	rows := make([]index.Message, len(c.ids))
	for i := range rows {
		rows[i] = c.row(i, b.infos.names())
	}
	return rows
}

// replace puts chunks of these rows in the place of n chunks of a leaf.
func (b *builder) replace(at spot, n int, rows []index.Message) {
	sub := builder{infos: b.infos, shape: b.shape, own: b.own}
	for i := range rows {
		sub.add(&rows[i])
	}
	sub.seal()
	to := b.leaf(at.l)
	var spans []span
	for _, br := range sub.leaves {
		spans = append(spans, br.l.spans...)
	}
	to.spans = slices.Replace(to.spans, at.k, at.k+n, spans...)
	if at.k == 0 && len(rows) > 0 {
		b.leaves[at.l].first = rows[0].UID
	}
}

// remove takes out the messages from first to last.
func (b *builder) remove(first, last mail.UID) {
	b.seal()
	from, _ := b.find(first)
	for l := from.l; l < len(b.leaves) && b.leaves[l].first <= last; l++ {
		for k := from.k; k < len(b.leaves[l].l.spans); k++ {
			if b.span(spot{l, k}).first > last {
				return
			}
			b.removeFrom(spot{l, k}, first, last)
		}
		from.k = 0
	}
}

// removeFrom takes the messages from first to last out of one chunk.
func (b *builder) removeFrom(at spot, first, last mail.UID) {
	c := b.span(at).c
	if _, mine := b.own[c]; !mine && c.last < first {
		return
	}
	cols := c.cols()
	i, _ := cols.find(first)
	end, found := cols.find(last)
	if found {
		end++
	}
	if i >= end {
		return
	}
	cols = b.chunk(at, ownAll)
	cols.ids = slices.Delete(cols.ids, i, end)
	cols.facts = slices.Delete(cols.facts, i, end)
	cols.states = slices.Delete(cols.states, i, end)
	if cols.emails != nil {
		cols.emails = slices.Delete(cols.emails, i, end)
	}
	b.shrunk = true
}

// finish returns the snapshot.
func (b *builder) finish() *Snapshot {
	b.seal()
	if b.shrunk {
		b.tidy()
	}
	b.balance()
	s := &b.next
	s.n, s.sums = 0, sums{}
	for l := range b.leaves {
		br := &b.leaves[l]
		if b.ownLeaf[l] {
			b.measure(br.l)
			br.first = br.l.spans[0].first
		}
		br.start = uint32(s.n)
		s.n += br.l.n
		s.sums.add(br.l.sums, 1)
	}
	s.held.Store(&tree{b.leaves, b.infos, b.shape})
	return s
}

// measure sets what is known of a leaf and of the chunks that are the builder's.
func (b *builder) measure(l *leaf) {
	l.n, l.sums = 0, sums{}
	for k := range l.spans {
		sp := &l.spans[k]
		if _, mine := b.own[sp.c]; mine {
			cols := sp.c.body.Load()
			sp.c.measure(cols)
			sp.first = cols.ids[0].uid
		}
		sp.start = uint32(l.n)
		l.n += sp.c.n
		l.sums.add(sp.c.sums, 1)
	}
}

// tidy drops empty chunks and leaves, and joins small neighbours where one of them
// was changed anyway.
func (b *builder) tidy() {
	for l := range b.leaves {
		if !b.ownLeaf[l] {
			continue
		}
		lf := b.leaves[l].l
		lf.spans = slices.DeleteFunc(lf.spans, func(sp span) bool { return b.len(sp.c) == 0 })
		for k := 0; k+1 < len(lf.spans); {
			x, y := lf.spans[k].c, lf.spans[k+1].c
			if b.own[x]|b.own[y] == 0 || b.len(x)+b.len(y) > b.shape.chunk/2 {
				k++
				continue // else the joined chunk may take in the next one
			}
			at := spot{l, k}
			b.replace(at, 2, append(b.rows(at), b.rows(spot{l, k + 1})...))
		}
	}
}

// len is the number of messages in a chunk so far.
func (b *builder) len(c *chunk) int {
	if _, mine := b.own[c]; mine {
		return len(c.body.Load().ids)
	}
	return c.n
}

// balance drops empty leaves, cuts those that are too long, and joins short ones.
func (b *builder) balance() {
	for l := 0; l < len(b.leaves); l++ {
		if !b.ownLeaf[l] {
			continue
		}
		spans := b.leaves[l].l.spans
		switch {
		case len(spans) == 0:
			b.leaves, b.ownLeaf = slices.Delete(b.leaves, l, l+1), slices.Delete(b.ownLeaf, l, l+1)
			l--
		case len(spans) > b.shape.leaf:
			half := len(spans) / 2
			b.leaves[l].l.spans = spans[:half:half]
			rest := branch{l: &leaf{spans: slices.Clone(spans[half:])}, first: spans[half].first}
			b.leaves, b.ownLeaf = slices.Insert(b.leaves, l+1, rest), slices.Insert(b.ownLeaf, l+1, true)
			l-- // a half may still be too long
		case len(spans) < b.shape.leaf/4 && l > 0 && len(b.leaves[l-1].l.spans)+len(spans) <= b.shape.leaf/2:
			to := b.leaf(l - 1)
			to.spans = append(to.spans, spans...)
			b.leaves, b.ownLeaf = slices.Delete(b.leaves, l, l+1), slices.Delete(b.ownLeaf, l, l+1)
			l--
		}
	}
}
