package mailbox

import (
	"slices"

	"postrider/index"
	"postrider/mail"
)

// builder makes the next snapshot out of one. It copies what it changes, once;
// the rest is shared. The mailbox's lock guards it.
type builder struct {
	next   Snapshot
	own    []owned // of next.spine
	infos  *infos
	tail   []byte // base names of the last chunk while it is open
	open   bool   // the last chunk is being added to; its names are in tail
	shrunk bool
	table  bool // next.keywords is a copy of ours
}

// owned says which columns of a chunk are the builder's to write.
type owned uint8

const (
	ownStates owned = 1 << iota
	ownFacts
	ownIDs
	ownAll = ownStates | ownFacts | ownIDs
)

func newBuilder(old *Snapshot, t *infos) *builder {
	b := &builder{next: *old, infos: t}
	b.next.spine = append(make([]span, 0, len(old.spine)+1), old.spine...)
	b.own = make([]owned, len(old.spine), len(old.spine)+1)
	return b
}

func emptySnapshot() *Snapshot {
	return &Snapshot{head: head{uidNext: 1, recentFrom: 1, keywords: newKeywordTable()}, infos: []string{""}}
}

// chunk returns chunk k with the wanted columns copied.
func (b *builder) chunk(k int, want owned) *chunk {
	sp := &b.next.spine[k]
	if b.own[k] == 0 {
		c := *sp.c
		sp.c = &c
	}
	c, miss := sp.c, want&^b.own[k]
	if miss&ownStates != 0 {
		c.states = append(make([]state, 0, chunkLen), c.states...)
	}
	if miss&ownFacts != 0 {
		c.facts = append(make([]facts, 0, chunkLen), c.facts...)
		c.emails = slices.Clone(c.emails)
	}
	if miss&ownIDs != 0 {
		c.ids = append(make([]ident, 0, chunkLen), c.ids...)
	}
	b.own[k] |= want
	return c
}

// locate finds a message in the state so far.
func (b *builder) locate(uid mail.UID) (k, i int, ok bool) {
	k = spanOf(b.next.spine, uid)
	if k < 0 {
		return 0, 0, false
	}
	i, ok = b.next.spine[k].c.find(uid)
	return k, i, ok
}

// state returns a message's state to be changed, nil if it is not there.
func (b *builder) state(uid mail.UID) *state {
	k, i, ok := b.locate(uid)
	if !ok {
		return nil
	}
	return &b.chunk(k, ownStates).states[i]
}

// add puts a message above all others.
func (b *builder) add(m *index.Message) {
	k := len(b.next.spine) - 1
	if b.open && !b.next.spine[k].c.roomFor(m, len(b.tail)) {
		b.seal()
	}
	if !b.open {
		if k >= 0 && b.next.spine[k].c.roomFor(m, len(b.next.spine[k].c.names)) {
			b.tail = append(make([]byte, 0, len(b.next.spine[k].c.names)+4*len(m.Base)), b.next.spine[k].c.names...)
		} else {
			b.next.spine = append(b.next.spine, span{c: &chunk{}, first: m.UID})
			b.own = append(b.own, ownAll)
			b.tail = b.tail[:0]
		}
		b.open = true
	}
	b.tail = b.chunk(len(b.next.spine)-1, ownAll).add(m, b.infos.id(m.Info), b.tail)
}

// seal ends the additions to the last chunk.
func (b *builder) seal() {
	if b.open {
		b.next.spine[len(b.next.spine)-1].c.names = string(b.tail)
		b.open = false
	}
}

// insert puts a message that is not above all others in its place, or replaces
// what has its UID. Only a journal that is read a second time needs it.
func (b *builder) insert(m *index.Message) {
	b.seal()
	k := max(spanOf(b.next.spine, m.UID), 0)
	rows := b.rows(k)
	at, found := slices.BinarySearchFunc(rows, m.UID, func(r index.Message, u mail.UID) int { return int(int64(r.UID) - int64(u)) })
	if found {
		rows[at] = *m
	} else {
		rows = slices.Insert(rows, at, *m)
	}
	b.replace(k, k+1, rows)
}

func (b *builder) rows(k int) []index.Message {
	c := b.next.spine[k].c
	rows := make([]index.Message, len(c.ids))
	for i := range rows {
		rows[i] = c.row(i, b.infos.list)
	}
	return rows
}

// replace puts chunks of these rows in the place of the chunks from k to end-1.
func (b *builder) replace(k, end int, rows []index.Message) {
	sub := builder{infos: b.infos}
	for i := range rows {
		sub.add(&rows[i])
	}
	sub.seal()
	for _, sp := range b.next.spine[k:end] {
		b.next.sums.add(sp.c.sums, -1)
	}
	b.next.spine = slices.Replace(b.next.spine, k, end, sub.next.spine...)
	b.own = slices.Replace(b.own, k, end, sub.own...)
}

// remove takes out the messages from first to last.
func (b *builder) remove(first, last mail.UID) {
	b.seal()
	for k := max(spanOf(b.next.spine, first), 0); k < len(b.next.spine) && b.next.spine[k].first <= last; k++ {
		c := b.next.spine[k].c
		i, _ := c.find(first)
		end, found := c.find(last)
		if found {
			end++
		}
		if i >= end {
			continue
		}
		c = b.chunk(k, ownAll)
		c.ids = slices.Delete(c.ids, i, end)
		c.facts = slices.Delete(c.facts, i, end)
		c.states = slices.Delete(c.states, i, end)
		if c.emails != nil {
			c.emails = slices.Delete(c.emails, i, end)
		}
		b.shrunk = true
	}
}

// finish returns the snapshot.
func (b *builder) finish() *Snapshot {
	b.seal()
	if b.shrunk {
		b.tidy()
	}
	s := &b.next
	s.n = 0
	for k := range s.spine {
		sp := &s.spine[k]
		if b.own[k] != 0 {
			s.sums.add(sp.c.sums, -1)
			sp.c.sums = sp.c.count()
			s.sums.add(sp.c.sums, 1)
		}
		sp.start, sp.first = uint32(s.n), sp.c.ids[0].uid
		s.n += len(sp.c.ids)
	}
	s.infos = b.infos.list
	return s
}

// tidy drops empty chunks and joins small neighbours, where one of them was
// changed anyway.
func (b *builder) tidy() {
	s := &b.next
	out, own := s.spine[:0], b.own[:0]
	for k, sp := range s.spine {
		if len(sp.c.ids) == 0 {
			s.sums.add(sp.c.sums, -1)
			continue
		}
		out, own = append(out, sp), append(own, b.own[k])
	}
	s.spine, b.own = out, own
	for k := 0; k+1 < len(s.spine); k++ {
		a, c := s.spine[k].c, s.spine[k+1].c
		if b.own[k]|b.own[k+1] == 0 || len(a.ids)+len(c.ids) > chunkLen/2 {
			continue
		}
		b.replace(k, k+2, append(b.rows(k), b.rows(k+1)...))
		k-- // the joined chunk may take in the next one
	}
}
