package mailbox

import (
	"slices"

	"postrider/index"
	"postrider/mail"
)

// apply brings what is being built to the state after a batch.
func (m *Mailbox) apply(b *builder, batch *index.Batch) {
	for _, r := range batch.Records {
		m.applyRecord(b, batch.ModSeq, r)
	}
	b.next.modseq = max(b.next.modseq, batch.ModSeq)
	m.side.apply(batch)
}

func (m *Mailbox) applyRecord(b *builder, modseq mail.ModSeq, r index.Record) {
	h := &b.next.head
	switch r := r.(type) {
	case index.Appended:
		if r.ModSeq == 0 {
			r.ModSeq = modseq
		}
		m.applyAppended(b, &r.Message)
	case index.FlagsSet:
		if st := b.state(r.UID); st != nil {
			st.modseq, st.info, st.flags = modseq, b.infos.id(r.Info), stateFlags(r.Flags, r.New)
		}
	case index.Renamed:
		if st := b.state(r.UID); st != nil {
			st.info, st.flags = b.infos.id(r.Info), stateFlags(st.mail(), r.New)
		}
	case index.KeywordsSet:
		if st := b.state(r.UID); st != nil {
			st.modseq, st.keywords = modseq, r.Set
		}
	case index.Vanished:
		for _, u := range r.UIDs {
			b.remove(u.First, u.Last)
			if u.Last <= maxUID {
				h.uidNext = max(h.uidNext, u.Last+1)
			}
		}
	case index.KeywordNamed:
		b.ownTable().name(r.ID, r.Name)
	case index.SetNamed:
		b.ownTable().set(r.ID, r.Keywords)
	case index.ValiditySet:
		if h.validity != 0 && h.validity != r.UIDValidity {
			b.remove(1, 1<<32-1)
			h.uidNext, h.recentFrom = 1, 1
			m.side.vanished, m.side.count = nil, 0
		}
		h.validity, h.uidNext = r.UIDValidity, max(h.uidNext, r.UIDNext)
	case index.RecentClaimed:
		if r.UpTo <= maxUID {
			h.recentFrom = max(h.recentFrom, r.UpTo+1)
		}
	case index.Known:
		if m.loading && r.Ino != 0 {
			r.Ino = provenIno
		}
		b.applyKnown(&r)
	}
}

func (m *Mailbox) applyAppended(b *builder, row *index.Message) {
	if row.UID == 0 || row.UID > maxUID || len(row.Base) > 255 {
		return // no message of ours
	}
	if m.loading && row.Ino != 0 {
		row.Ino = provenIno
	}
	if b.last() < row.UID {
		b.add(row)
	} else {
		b.insert(row)
		m.inserted++
	}
	b.next.uidNext = max(b.next.uidNext, row.UID+1)
	m.appeared(row.Base, row.UID)
}

// last is the highest UID so far.
func (b *builder) last() mail.UID {
	if b.cur != nil && len(b.cur.ids) > 0 {
		return b.cur.ids[len(b.cur.ids)-1].uid
	}
	for l := len(b.leaves) - 1; l >= 0; l-- {
		for _, sp := range slices.Backward(b.leaves[l].l.spans) {
			if _, mine := b.own[sp.c]; !mine {
				return sp.c.last
			}
			if ids := sp.c.body.Load().ids; len(ids) > 0 {
				return ids[len(ids)-1].uid
			}
		}
	}
	return 0
}

// ownTable is the keyword table, copied once.
func (b *builder) ownTable() *keywordTable {
	if !b.table {
		b.next.keywords, b.table = b.next.keywords.clone(), true
	}
	return b.next.keywords
}

func (b *builder) applyKnown(r *index.Known) {
	at, i, ok := b.locate(r.UID)
	if !ok {
		return
	}
	c := b.chunk(at, ownFacts)
	fa := c.facts[i]
	size, crlf, internal, ino := fa.size(), fa.crlf(), fa.internal(), uint64(fa.file)
	if r.Size >= 0 {
		size = r.Size
	}
	if r.CRLFSize >= 0 {
		crlf = r.CRLFSize
	}
	if r.Internal != 0 {
		internal = r.Internal
	}
	if r.Ino != 0 {
		ino = r.Ino
	}
	c.facts[i] = factsOf(size, crlf, internal, ino)
}
