package mailbox

import (
	"iter"
	"time"

	"postrider/index"
	"postrider/mail"
)

// Snapshot is the state of a mailbox at one moment. It never changes.
type Snapshot struct {
	head
	spine []span
	n     int
	sums  sums
	infos []string // by infoID; shared, only grows

	serial uint64 // counts the snapshots of a mailbox in this process
}

// head is what a snapshot knows of the mailbox as a whole.
type head struct {
	validity   mail.UIDValidity
	uidNext    mail.UID
	modseq     mail.ModSeq
	recentFrom mail.UID
	keywords   *keywordTable
	at         position // where in the journal this state stands
}

// position is a place in a mailbox's journal. Epochs count the generations that
// this process saw: all of an earlier epoch is in the files that a later one
// began with, which were durable before it began.
type position struct {
	epoch uint64
	off   int64
}

// span is a chunk and where it begins.
type span struct {
	c     *chunk
	first mail.UID // at most the UID of the first message, above all before
	start uint32   // index of the first message
}

// Message is one message as a snapshot shows it.
type Message struct {
	UID            mail.UID
	Flags          mail.Flags
	New            bool // its file lies in new
	ModSeq         mail.ModSeq
	Keywords       index.SetID // of that mailbox: see KeywordsOf
	Size, CRLFSize int64       // octets as stored, and as served; -1 unknown
	Internal       time.Time   // INTERNALDATE in UTC; zero: unknown
	Saved          time.Time   // when it came into this mailbox; zero: unknown
	Base, Info     string      // the file's name is Base+Info
}

// UIDValidity is the mailbox's UIDVALIDITY (RFC 3501 2.3.1.1).
func (s *Snapshot) UIDValidity() mail.UIDValidity { return s.validity }

// UIDNext is the UID that the next message will not fall below.
func (s *Snapshot) UIDNext() mail.UID { return s.uidNext }

// ModSeq is the highest mod-sequence (RFC 7162 3.1.2.1), at least 1.
func (s *Snapshot) ModSeq() mail.ModSeq { return max(s.modseq, 1) }

// Len is the number of messages.
func (s *Snapshot) Len() int { return s.n }

// Unseen is the number of messages without \Seen.
func (s *Snapshot) Unseen() int { return s.sums.unseen }

// Deleted is the number of messages with \Deleted.
func (s *Snapshot) Deleted() int { return s.sums.deleted }

// Size is the sum of the sizes that are known, in octets as stored, and the
// number of messages whose size is not.
func (s *Snapshot) Size() (octets int64, unknown int) { return s.sums.size, s.sums.unsized }

// RecentFrom is the first UID that no session has claimed as \Recent.
func (s *Snapshot) RecentFrom() mail.UID { return s.recentFrom }

// Unclaimed is the number of messages that no session has claimed as \Recent.
func (s *Snapshot) Unclaimed() int {
	i, _ := s.Find(s.recentFrom)
	return s.n - i
}

// Keywords are the names of all keywords of the mailbox in the order in which
// they were first used. The slice is shared: it is not to be changed.
func (s *Snapshot) Keywords() []string { return s.keywords.names }

// KeywordsOf are the names of a message's keywords. The slice is shared: it is
// not to be changed.
func (s *Snapshot) KeywordsOf(m Message) []string { return s.keywords.of(m.Keywords) }

// FirstUnseen is the index of the first message without \Seen, -1 if all have it.
func (s *Snapshot) FirstUnseen() int {
	for _, sp := range s.spine {
		if sp.c.sums.unseen == 0 {
			continue
		}
		for i, st := range sp.c.states {
			if !st.mail().Has(mail.Seen) {
				return int(sp.start) + i
			}
		}
	}
	return -1
}

// Message returns the message at an index from 0 to Len-1, in ascending order of
// UIDs.
func (s *Snapshot) Message(i int) Message {
	sp := &s.spine[s.chunkAt(i)]
	return s.message(sp.c, i-int(sp.start))
}

func (s *Snapshot) message(c *chunk, i int) Message {
	id, fa, st := &c.ids[i], &c.facts[i], &c.states[i]
	return Message{
		UID: id.uid, Flags: st.mail(), New: st.isNew(), ModSeq: st.modseq, Keywords: st.keywords,
		Size: fa.size(), CRLFSize: fa.crlf(), Internal: fa.internal().Time(), Saved: index.Stamp(id.saved).Time(),
		Base: c.base(i), Info: s.infos[st.info],
	}
}

// UID returns the UID at an index from 0 to Len-1.
func (s *Snapshot) UID(i int) mail.UID {
	sp := &s.spine[s.chunkAt(i)]
	return sp.c.ids[i-int(sp.start)].uid
}

// All yields the messages from index i on.
func (s *Snapshot) All(i int) iter.Seq2[int, Message] {
	return func(yield func(int, Message) bool) {
		if i >= s.n {
			return
		}
		for k := s.chunkAt(i); k < len(s.spine); k++ {
			sp := &s.spine[k]
			for j := i - int(sp.start); j < len(sp.c.ids); j++ {
				if !yield(i, s.message(sp.c, j)) {
					return
				}
				i++
			}
		}
	}
}

// Find returns the index of a UID; if it is not there, the index that it would
// have.
func (s *Snapshot) Find(uid mail.UID) (i int, ok bool) {
	k := s.chunkOf(uid)
	if k < 0 {
		return 0, false
	}
	j, ok := s.spine[k].c.find(uid)
	return int(s.spine[k].start) + j, ok
}

// Lookup returns the message with a UID.
func (s *Snapshot) Lookup(uid mail.UID) (Message, bool) {
	k := s.chunkOf(uid)
	if k < 0 {
		return Message{}, false
	}
	j, ok := s.spine[k].c.find(uid)
	if !ok {
		return Message{}, false
	}
	return s.message(s.spine[k].c, j), true
}

// chunkAt is the chunk that holds index i.
func (s *Snapshot) chunkAt(i int) int {
	lo, hi := 0, len(s.spine)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if int(s.spine[mid].start) <= i {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo - 1
}

// chunkOf is the chunk that holds the UID if any does; -1 if it is below all.
func (s *Snapshot) chunkOf(uid mail.UID) int { return spanOf(s.spine, uid) }

func spanOf(spine []span, uid mail.UID) int {
	lo, hi := 0, len(spine)
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		if spine[mid].first <= uid {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo - 1
}
