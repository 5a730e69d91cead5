package mailbox

import (
	"slices"
	"sort"

	"postrider/mail"
)

// View is the mailbox as one session has told it to its client: a snapshot, and
// ghosts, which are messages that are gone but still have their sequence numbers
// because no command since allowed an EXPUNGE (RFC 3501 7.4.1). It is for one
// goroutine.
type View struct {
	snap   *Snapshot
	ghosts []ghost // ascending by UID and by number
	recent mail.UIDSet
	told   map[mail.UID]mail.ModSeq

	recentTold int // the last Recent that the client knows
}

type ghost struct {
	m     Message
	seq   mail.SeqNum
	words []string // its keywords
}

// NewView returns a view that shows s.
func NewView(s *Snapshot) *View { return &View{snap: s} }

// Snapshot is the snapshot that the view stands on. It does not show ghosts.
func (v *View) Snapshot() *Snapshot { return v.snap }

// Len is the highest sequence number: messages and ghosts.
func (v *View) Len() int { return v.snap.Len() + len(v.ghosts) }

// Ghosts is the number of messages that are gone but keep their numbers.
func (v *View) Ghosts() int { return len(v.ghosts) }

// ghostsBelow is how many ghosts have a number below seq, and whether seq is one.
func (v *View) ghostsBelow(seq mail.SeqNum) (int, bool) {
	i := sort.Search(len(v.ghosts), func(i int) bool { return v.ghosts[i].seq >= seq })
	return i, i < len(v.ghosts) && v.ghosts[i].seq == seq
}

// UID returns the UID at a sequence number.
func (v *View) UID(seq mail.SeqNum) (mail.UID, bool) {
	if seq == 0 || int64(seq) > int64(v.Len()) {
		return 0, false
	}
	g, isGhost := v.ghostsBelow(seq)
	if isGhost {
		return v.ghosts[g].m.UID, true
	}
	return v.snap.UID(int(seq) - 1 - g), true
}

// Seq returns the sequence number of a UID, a ghost's included.
func (v *View) Seq(uid mail.UID) (mail.SeqNum, bool) {
	g := sort.Search(len(v.ghosts), func(i int) bool { return v.ghosts[i].m.UID >= uid })
	if g < len(v.ghosts) && v.ghosts[g].m.UID == uid {
		return v.ghosts[g].seq, true
	}
	i, ok := v.snap.Find(uid)
	return mail.SeqNum(i + 1 + g), ok
}

// Message returns the message at a sequence number from 1 to Len; live is false
// for a ghost, which is shown as it was last seen. A number outside gives the
// zero Message.
func (v *View) Message(seq mail.SeqNum) (m Message, live bool) {
	if seq == 0 || int64(seq) > int64(v.Len()) {
		return Message{}, false
	}
	g, isGhost := v.ghostsBelow(seq)
	if isGhost {
		return v.ghosts[g].m, false
	}
	return v.snap.Message(int(seq) - 1 - g), true
}

// Flags returns the flags of the message at a sequence number from 1 to Len, a
// ghost's included.
func (v *View) Flags(seq mail.SeqNum) mail.Flags {
	g, isGhost := v.ghostsBelow(seq)
	if isGhost {
		return v.ghosts[g].m.Flags
	}
	return v.snap.Flags(int(seq) - 1 - g)
}

// KeywordsAt returns the keywords of the message at a sequence number, a ghost's
// included. The slice is shared: it is not to be changed.
func (v *View) KeywordsAt(seq mail.SeqNum) []string {
	if g, isGhost := v.ghostsBelow(seq); isGhost {
		return v.ghosts[g].words
	}
	m, _ := v.Message(seq)
	return v.snap.KeywordsOf(m)
}

// UIDs returns the UIDs that a set of sequence numbers means, ghosts included, and
// whether every number of the set is in use (else RFC 3501 wants BAD). "*" is Len.
func (v *View) UIDs(set mail.SeqSet) (uids mail.UIDSet, ok bool) {
	n := mail.SeqNum(v.Len())
	if n == 0 {
		return nil, false
	}
	for _, r := range set.Resolve(n) {
		if r.Last > n {
			return nil, false
		}
		uids = v.appendUIDs(uids, r.First, r.Last)
	}
	return uids, true
}

// Existing resolves a set of UIDs as a client sent it to those that the view
// shows, ghosts included, in ascending order.
func (v *View) Existing(set mail.UIDSet) mail.UIDSet {
	n := v.Len()
	if n == 0 {
		return nil
	}
	star, _ := v.UID(mail.SeqNum(n))
	var uids mail.UIDSet
	for _, r := range set.Resolve(star) {
		first, last := v.lowerBound(r.First), v.lowerBound(r.Last)
		if uid, ok := v.UID(last); !ok || uid != r.Last {
			last--
		}
		uids = v.appendUIDs(uids, first, last)
	}
	return uids
}

// lowerBound is the number of the first message with at least this UID, Len+1 if
// there is none.
func (v *View) lowerBound(uid mail.UID) mail.SeqNum {
	g := sort.Search(len(v.ghosts), func(i int) bool { return v.ghosts[i].m.UID >= uid })
	i, _ := v.snap.Find(uid)
	return mail.SeqNum(i + g + 1)
}

// appendUIDs adds the UIDs from one number to another.
func (v *View) appendUIDs(uids mail.UIDSet, first, last mail.SeqNum) mail.UIDSet {
	if first > last {
		return uids
	}
	g, _ := v.ghostsBelow(first)
	for i := int(first) - 1 - g; first <= last; {
		for ; g < len(v.ghosts) && v.ghosts[g].seq == first && first <= last; first++ {
			uids.Add(v.ghosts[g].m.UID)
			g++
		}
		stop := last
		if g < len(v.ghosts) {
			stop = min(stop, v.ghosts[g].seq-1)
		}
		for ; first <= stop; first++ {
			uids.Add(v.snap.UID(i))
			i++
		}
	}
	return uids
}

// SetRecent adds the messages with from <= UID < to to those that are \Recent in
// this session: what ClaimRecent gave.
func (v *View) SetRecent(from, to mail.UID) {
	if from >= to {
		return
	}
	if i := len(v.recent) - 1; i >= 0 && v.recent[i].Last+1 == from {
		v.recent[i].Last = to - 1
		return
	}
	v.recent = append(v.recent, mail.Range[mail.UID]{First: from, Last: to - 1})
}

// RecentTold notes that the client was told the number of \Recent messages, as the
// answer to SELECT does.
func (v *View) RecentTold() { v.recentTold = v.Recent() }

// IsRecent reports whether the message is \Recent in this session.
func (v *View) IsRecent(uid mail.UID) bool {
	i := sort.Search(len(v.recent), func(i int) bool { return v.recent[i].Last >= uid })
	return i < len(v.recent) && v.recent[i].First <= uid
}

// Recent is the number of \Recent messages that the view shows.
func (v *View) Recent() int {
	n := 0
	for _, r := range v.recent {
		n += int(v.lowerBound(r.Last+1)) - int(v.lowerBound(r.First))
	}
	return n
}

// Told notes that the client knows the flags and keywords that the message has
// since modseq: the next Sync does not tell them, unless they changed again.
func (v *View) Told(uid mail.UID, modseq mail.ModSeq) {
	if v.told == nil {
		v.told = make(map[mail.UID]mail.ModSeq)
	}
	v.told[uid] = modseq
}

// Silence notes what the client knows without being told after a change with
// .SILENT: for each message of uids, a resolved set, where the view's flags and
// keywords with the change applied are those of s (RFC 3501 6.4.6: what a foreign
// change added is still told).
func (v *View) Silence(s *Snapshot, uids mail.UIDSet, c mail.FlagChange) {
	known := keywordsApplied{change: c}
	for ch := range Diff(v.snap, s) {
		if ch.Kind != FlagsChanged || !uids.Contains(ch.UID, 0) {
			continue
		}
		was, _ := v.snap.Lookup(ch.UID)
		now := s.Message(ch.Index)
		if c.ApplyFlags(was.Flags) == now.Flags && known.equal(v.snap.KeywordsOf(was), s.KeywordsOf(now)) {
			v.Told(ch.UID, now.ModSeq)
		}
	}
}

// keywordsApplied compares sets of keywords after a change.
type keywordsApplied struct{ change mail.FlagChange }

func (k keywordsApplied) equal(before, after []string) bool {
	has := func(list []string, w string) bool {
		return slices.ContainsFunc(list, func(x string) bool { return keywordKey(x) == keywordKey(w) })
	}
	want := func(w string) bool {
		switch named := has(k.change.Keywords, w); k.change.Op {
		case mail.AddFlags:
			return named || has(before, w)
		case mail.RemoveFlags:
			return !named && has(before, w)
		default:
			return named
		}
	}
	for _, w := range after {
		if !want(w) {
			return false
		}
	}
	for _, w := range slices.Concat(before, k.change.Keywords) {
		if want(w) && !has(after, w) {
			return false
		}
	}
	return true
}
