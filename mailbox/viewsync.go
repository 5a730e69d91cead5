package mailbox

import (
	"iter"
	"slices"

	"postrider/mail"
)

// UpdateKind says what a client is to be told.
type UpdateKind uint8

const (
	// Expunge: the message with number Seq is gone; higher ones count down.
	Expunge UpdateKind = iota
	// Keywords: the mailbox knows new keywords (FLAGS, PERMANENTFLAGS).
	Keywords
	// Exists: the mailbox has N messages.
	Exists
	// Recent: N messages are \Recent.
	Recent
	// Flags: tell the flags of message Seq.
	Flags
	// Invalid: the mailbox has another UIDVALIDITY; the session can only end.
	Invalid
)

// Update is one thing to tell.
type Update struct {
	Kind UpdateKind
	Seq  mail.SeqNum // Expunge, Flags
	UID  mail.UID    // Expunge, Flags
	N    int         // Exists, Recent
}

// Sync moves the view to a newer snapshot and yields what the client is to be
// told, in the order in which it is to be told: expunges from the highest number
// down, Keywords, Exists, Recent, Flags. Without allowExpunge what is gone stays
// as ghosts; with it the ghosts go too. The view has moved when Sync returns; the
// updates are read once, before the next call that changes the view. A snapshot
// older than the view's changes nothing.
func (v *View) Sync(newest *Snapshot, allowExpunge bool) iter.Seq[Update] {
	old, told := v.snap, v.told
	if newest.validity != old.validity {
		return slices.Values([]Update{{Kind: Invalid}})
	}
	if newest.olderThan(old) {
		newest = old
	}
	if newest == old && (len(v.ghosts) == 0 || !allowExpunge) {
		return v.recentOnly()
	}
	head := v.move(newest, allowExpunge)
	if len(newest.Keywords()) > len(old.Keywords()) {
		head = append(head, Update{Kind: Keywords})
	}
	if newest.uidNext > old.uidNext && newest.anyFrom(old.uidNext) {
		head = append(head, Update{Kind: Exists, N: v.Len()})
	}
	v.told = nil
	return func(yield func(Update) bool) {
		for _, u := range head {
			if !yield(u) {
				return
			}
		}
		for u := range v.recentOnly() {
			if !yield(u) {
				return
			}
		}
		v.yieldFlags(old, newest, told, yield)
	}
}

// olderThan orders the snapshots of one mailbox in this process.
func (s *Snapshot) olderThan(t *Snapshot) bool { return s.serial < t.serial }

func (s *Snapshot) anyFrom(uid mail.UID) bool {
	i, _ := s.Find(uid)
	return i < s.n
}

// recentOnly yields Recent if the number is not the one last told.
func (v *View) recentOnly() iter.Seq[Update] {
	return func(yield func(Update) bool) {
		if v.recentOf == v.snap {
			return // a sign of life in IDLE, for one: a mailbox that sleeps stays asleep
		}
		n := v.Recent()
		v.recentOf = v.snap
		if n != v.recentTold {
			v.recentTold = n
			yield(Update{Kind: Recent, N: n})
		}
	}
}

// move puts the view on the newest snapshot and returns the expunges.
func (v *View) move(newest *Snapshot, allowExpunge bool) []Update {
	old := v.snap
	var gone []ghost
	same := len(v.ghosts) == 0
	for c := range Diff(old, newest) {
		same = same && c.Kind == FlagsChanged
		if c.Kind == Vanished {
			seq, _ := v.Seq(c.UID)
			g := ghost{seq: seq, m: Message{UID: c.UID}}
			if !allowExpunge {
				g.m = old.Message(c.Index)
				g.words = old.KeywordsOf(g.m)
			}
			gone = append(gone, g)
		}
	}
	gone = append(gone, v.ghosts...)
	slices.SortFunc(gone, func(a, b ghost) int { return int(a.seq) - int(b.seq) })
	if same && v.recentOf == old {
		v.recentOf = newest
	} else {
		v.recentOf = nil
	}
	v.snap = newest
	if !allowExpunge {
		v.ghosts = gone
		return nil
	}
	v.ghosts = nil
	out := make([]Update, 0, len(gone)+2)
	for _, g := range slices.Backward(gone) {
		out = append(out, Update{Kind: Expunge, Seq: g.seq, UID: g.m.UID})
	}
	return out
}

// yieldFlags tells the messages that both snapshots show and whose flags were
// set, but for what the client knows.
func (v *View) yieldFlags(old, newest *Snapshot, told map[mail.UID]mail.ModSeq, yield func(Update) bool) {
	for c := range Diff(old, newest) {
		if c.Kind != FlagsChanged {
			continue
		}
		if at, ok := told[c.UID]; ok && at == newest.Message(c.Index).ModSeq {
			continue
		}
		seq, _ := v.Seq(c.UID)
		if !yield(Update{Kind: Flags, Seq: seq, UID: c.UID}) {
			return
		}
	}
}
