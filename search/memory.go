package search

import (
	"hash/maphash"
	"sync"

	"postrider/mail"
)

// Memory is what Sort and Thread found out of the messages of a mailbox, so that the
// next command need not read their header fields again. What a message says never
// changes, and a UID means one message for ever: a Memory belongs to one UIDVALIDITY,
// and never lies. It takes some ten octets a message for its date, and some fifty more
// for its thread. Any goroutine may use it; nil remembers nothing.
type Memory struct {
	seed maphash.Seed

	mu    sync.RWMutex
	at    map[mail.UID]uint32 // the row of a message
	have  []parts             // columns, by row; one that nobody needed is nil
	sent  []int64
	links []link
	texts [textKeys][]textSpan
	refs  []uint64 // of all rows; only grows
	text  []byte   // likewise
}

// parts say what is known of a message.
type parts uint8

const (
	haveSent parts = 1 << iota
	haveLinks
	haveText // shifted by the number of the text key
)

// The keys that are texts.
const (
	subjectKey = iota
	fromKey
	toKey
	ccKey
	textKeys
)

// link is what threading needs of a message. IDs and subjects are told apart by
// hashes of 64 bits with a seed that nobody outside knows; 0 is none.
type link struct {
	subject, id uint64
	refs        uint32 // where they begin
	n           uint8
	isReply     bool
}

type textSpan struct{ from, n uint32 }

// maxMemory bounds, in octets, what is remembered of a mailbox.
const maxMemory = 48 << 20

// rowCost is what a row takes without its links and texts, roughly.
const rowCost = 24

// NewMemory returns one that knows nothing.
func NewMemory() *Memory {
	return &Memory{seed: maphash.MakeSeed(), at: make(map[mail.UID]uint32)}
}

// hash is 0 for nothing, and for nothing else.
func (m *Memory) hash(b []byte) uint64 {
	if len(b) == 0 {
		return 0
	}
	return max(maphash.Bytes(m.seed, b), 1)
}

// full says that no more fits. It needs m.mu.
func (m *Memory) full() bool {
	n := rowCost*len(m.have) + 24*len(m.links) + 8*len(m.refs) + len(m.text)
	for _, t := range m.texts {
		n += 8 * len(t)
	}
	return n > maxMemory
}

// row returns the row of a message, a new one if need be. It needs m.mu.
func (m *Memory) row(uid mail.UID) int {
	if r, ok := m.at[uid]; ok {
		return int(r)
	}
	r := len(m.have)
	m.at[uid], m.have = uint32(r), append(m.have, 0)
	return r
}

// column returns a column with room for the row.
func column[T any](c []T, row int) []T {
	if row < len(c) {
		return c
	}
	return append(c, make([]T, row+1-len(c))...)
}

// recall fills in what is known of hits, and returns the places of those of which not
// all that is needed is known.
func (m *Memory) recall(src Source, hits []int, ks []keys, need parts) (unknown []int) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	for k, i := range hits {
		r, ok := m.at[src.UID(i)]
		if !ok || m.have[r]&need != need {
			unknown = append(unknown, k)
			continue
		}
		if need&haveSent != 0 {
			ks[k].sent = m.sent[r]
		}
		if need&haveLinks != 0 {
			l := m.links[r]
			ks[k].link, ks[k].refs = l, m.refs[l.refs:][:l.n]
		}
		for t := range textKeys {
			if need&(haveText<<t) != 0 {
				s := m.texts[t][r]
				ks[k].texts[t] = m.text[s.from:][:s.n]
			}
		}
	}
	return unknown
}

// remember keeps what was found out of hits.
func (m *Memory) remember(src Source, hits []int, ks []keys, places []int, have parts) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, k := range places {
		if ks[k].gone || m.full() {
			continue
		}
		r := m.row(src.UID(hits[k]))
		add := have &^ m.have[r]
		if add&haveSent != 0 {
			m.sent = column(m.sent, r)
			m.sent[r] = ks[k].sent
		}
		if add&haveLinks != 0 {
			l := ks[k].link
			l.refs, l.n = uint32(len(m.refs)), uint8(len(ks[k].refs))
			m.refs = append(m.refs, ks[k].refs...)
			m.links = column(m.links, r)
			m.links[r] = l
		}
		for t := range textKeys {
			if add&(haveText<<t) != 0 {
				m.texts[t] = column(m.texts[t], r)
				m.texts[t][r] = textSpan{uint32(len(m.text)), uint32(len(ks[k].texts[t]))}
				m.text = append(m.text, ks[k].texts[t]...)
			}
		}
		m.have[r] |= have
	}
}
