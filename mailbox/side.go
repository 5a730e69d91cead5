package mailbox

import (
	"maps"
	"slices"

	"postrider/index"
	"postrider/mail"
)

// Bounds of what is remembered of messages that are gone (RFC 7162 3.2.7 lets a
// server forget).
const (
	maxVanished    = 100_000
	maxVanishedAge = 90 * 24 * 3600 // seconds
)

// side is what the journal tells that no snapshot shows. The mailbox's lock
// guards it.
type side struct {
	times     index.Times
	marks     map[string]string
	unknown   []index.Unknown
	vanished  []index.Vanished // oldest first, with mod-sequence and time
	count     int              // of UIDs in vanished
	listed    mail.ModSeq      // of the last batch that changes what a register shows
	ahead     Marks            // what the account knows, as far as the journal knows of it
	unsaved   unsaved          // keywords that the register may not show
	forgotten mail.ModSeq      // what vanished up to here is not remembered in full
}

func (s *side) apply(batch *index.Batch) {
	s.times = index.Times{} // each batch says anew what its mtimes are
	for _, r := range batch.Records {
		if listed(r) {
			s.listed = batch.ModSeq
		}
		s.noteUnsaved(r)
		switch r := r.(type) {
		case index.Times:
			s.times = r
		case index.Mark:
			if s.marks == nil {
				s.marks = map[string]string{}
			}
			if s.marks[r.Name] = r.Value; r.Value == "" {
				delete(s.marks, r.Name)
			}
			if r.Name == aheadMark {
				s.ahead = parseMarks(r.Value)
			}
		case index.Unknown:
			s.unknown = append(s.unknown, r)
		case index.Vanished:
			s.gone(r, batch)
		case index.VanishedForgotten:
			s.forgotten = max(s.forgotten, r.UpTo)
		}
	}
}

func (s *side) gone(r index.Vanished, batch *index.Batch) {
	if r.ModSeq == 0 {
		r.ModSeq = batch.ModSeq
	}
	if r.At == 0 {
		r.At = batch.At
	}
	s.vanished = append(s.vanished, r)
	s.count += r.UIDs.Len()
	n := 0
	for ; n < len(s.vanished)-1; n++ {
		if v := s.vanished[n]; s.count <= maxVanished && v.At >= batch.At-maxVanishedAge {
			break
		}
		s.count -= s.vanished[n].UIDs.Len()
		s.forgotten = max(s.forgotten, s.vanished[n].ModSeq)
	}
	if n > 0 {
		s.vanished = slices.Delete(s.vanished, 0, n)
	}
}

// head is the records that bring an empty mailbox to the state of snap, but for the
// messages.
func (s *side) head(snap *Snapshot) []index.Record {
	out := []index.Record{index.ValiditySet{UIDValidity: snap.validity, UIDNext: snap.uidNext}}
	for id, name := range snap.keywords.names {
		out = append(out, index.KeywordNamed{ID: index.KeywordID(id), Name: name})
	}
	for id, set := range snap.keywords.sets {
		if id > 0 {
			out = append(out, index.SetNamed{ID: index.SetID(id), Keywords: set})
		}
	}
	if snap.recentFrom > 1 {
		out = append(out, index.RecentClaimed{UpTo: snap.recentFrom - 1})
	}
	if s.forgotten > 0 {
		out = append(out, index.VanishedForgotten{UpTo: s.forgotten})
	}
	for _, v := range s.vanished {
		out = append(out, v)
	}
	for _, name := range slices.Sorted(maps.Keys(s.marks)) {
		out = append(out, index.Mark{Name: name, Value: s.marks[name]})
	}
	if s.unsaved != nil { // after the mark of the register, which takes it back
		out = append(out, index.Mark{Name: unsavedMarkName, Value: "1"})
	}
	for _, u := range s.unknown {
		out = append(out, u)
	}
	if s.times.NewKnown || s.times.CurKnown {
		out = append(out, s.times)
	}
	return out
}
