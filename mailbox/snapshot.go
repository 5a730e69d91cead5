package mailbox

import (
	"iter"
	"sync/atomic"
	"time"

	"postrider/index"
	"postrider/mail"
)

// Snapshot is the state of a mailbox at one moment. It never changes.
type Snapshot struct {
	head
	n      int
	sums   sums
	serial uint64 // counts the snapshots of a mailbox in this process
	held   atomic.Pointer[tree]
}

// tree is the messages.
func (s *Snapshot) tree() *tree { return s.held.Load() }

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
	if s.sums.unseen == 0 {
		return -1
	}
	for _, b := range s.tree().leaves {
		if b.l.sums.unseen == 0 {
			continue
		}
		for _, sp := range b.l.spans {
			if sp.c.sums.unseen > 0 {
				return int(b.start+sp.start) + sp.c.cols().firstUnseen()
			}
		}
	}
	return -1
}

func (c *columns) firstUnseen() int {
	for i, st := range c.states {
		if !st.mail().Has(mail.Seen) {
			return i
		}
	}
	return len(c.states)
}

// Message returns the message at an index from 0 to Len-1, in ascending order of
// UIDs.
func (s *Snapshot) Message(i int) Message {
	t := s.tree()
	c, j := t.at(i)
	return c.cols().message(j, t.infos)
}

// Flags returns the flags of the message at an index from 0 to Len-1.
func (s *Snapshot) Flags(i int) mail.Flags {
	c, j := s.tree().at(i)
	return c.cols().states[j].mail()
}

func (c *columns) message(i int, t *infos) Message {
	id, fa, st := &c.ids[i], &c.facts[i], &c.states[i]
	return Message{
		UID: id.uid, Flags: st.mail(), New: st.isNew(), ModSeq: st.modseq, Keywords: st.keywords,
		Size: fa.size(), CRLFSize: fa.crlf(), Internal: fa.internal().Time(), Saved: index.Stamp(id.saved).Time(),
		Base: c.base(i), Info: t.names()[st.info],
	}
}

// UID returns the UID at an index from 0 to Len-1.
func (s *Snapshot) UID(i int) mail.UID {
	c, j := s.tree().at(i)
	if j == c.n-1 {
		return c.last
	}
	return c.cols().ids[j].uid
}

// All yields the messages from index i on.
func (s *Snapshot) All(i int) iter.Seq2[int, Message] {
	return func(yield func(int, Message) bool) {
		if i >= s.n {
			return
		}
		t := s.tree()
		for start, c := range t.chunks(i) {
			cols := c.cols()
			for j := i - start; j < len(cols.ids); j++ {
				if !yield(i, cols.message(j, t.infos)) {
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
	c, start := s.tree().of(uid)
	switch {
	case c == nil:
		return 0, false
	case uid > c.last:
		return start + c.n, false
	case uid == c.last:
		return start + c.n - 1, true
	}
	j, ok := c.cols().find(uid)
	return start + j, ok
}

// Lookup returns the message with a UID.
func (s *Snapshot) Lookup(uid mail.UID) (Message, bool) {
	t := s.tree()
	c, _ := t.of(uid)
	if c == nil || uid > c.last {
		return Message{}, false
	}
	cols := c.cols()
	j, ok := cols.find(uid)
	if !ok {
		return Message{}, false
	}
	return cols.message(j, t.infos), true
}
