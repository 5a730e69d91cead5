package index

import (
	"encoding/binary"

	"postrider/mail"
)

// The kinds of records. A kind with the skippable bit is kept and passed over by a
// reader that does not know it; another unknown one makes the journal read-only.
const (
	kindAppended    = 1
	kindFlags       = 2
	kindRenamed     = 3
	kindKeywords    = 4
	kindVanished    = 5
	kindKeywordName = 6
	kindSetName     = 7
	kindValidity    = 8
	kindForgotten   = 9

	skippable  = 0x80
	kindKnown  = skippable | 1
	kindRecent = skippable | 2
	kindTimes  = skippable | 3
	kindMark   = skippable | 4
)

// appendBatch appends a batch's payload: the mod-sequence, the time and the durable
// position, then the records, each a kind, a length and a body.
func appendBatch(dst []byte, b *Batch) []byte {
	dst = binary.AppendUvarint(dst, uint64(b.ModSeq))
	dst = binary.AppendVarint(dst, int64(b.At))
	dst = binary.AppendUvarint(dst, uint64(b.durable))
	for _, r := range b.Records {
		dst = appendRecord(dst, r)
	}
	return dst
}

func appendRecord(dst []byte, r Record) []byte {
	var body [1 << 9]byte
	kind, data := encodeRecord(body[:0], r)
	dst = append(dst, kind)
	dst = binary.AppendUvarint(dst, uint64(len(data)))
	return append(dst, data...)
}

// encodeRecord appends a record's body to dst and returns its kind.
func encodeRecord(dst []byte, r Record) (kind byte, body []byte) {
	u := binary.AppendUvarint
	switch r := r.(type) {
	case Appended:
		return kindAppended, appendMessage(dst, &r.Message)
	case FlagsSet:
		dst = append(u(dst, uint64(r.UID)), byte(r.Flags), bit(r.New))
		return kindFlags, append(dst, r.Info...)
	case Renamed:
		dst = append(u(dst, uint64(r.UID)), bit(r.New))
		return kindRenamed, append(dst, r.Info...)
	case KeywordsSet:
		return kindKeywords, u(u(dst, uint64(r.UID)), uint64(r.Set))
	case Vanished:
		dst = binary.AppendVarint(u(dst, uint64(r.ModSeq)), int64(r.At))
		return kindVanished, appendUIDs(dst, r.UIDs)
	case KeywordNamed:
		return kindKeywordName, append(u(dst, uint64(r.ID)), r.Name...)
	case SetNamed:
		dst = u(dst, uint64(r.ID))
		for _, k := range r.Keywords {
			dst = u(dst, uint64(k))
		}
		return kindSetName, dst
	case ValiditySet:
		return kindValidity, u(u(dst, uint64(r.UIDValidity)), uint64(r.UIDNext))
	case VanishedForgotten:
		return kindForgotten, u(dst, uint64(r.UpTo))
	case Known:
		dst = binary.AppendVarint(binary.AppendVarint(u(dst, uint64(r.UID)), r.Size), r.CRLFSize)
		dst = u(binary.AppendVarint(dst, int64(r.Internal)), r.Ino)
		return kindKnown, append(dst, r.EmailID[:]...)
	case RecentClaimed:
		return kindRecent, u(dst, uint64(r.UpTo))
	case Times:
		return kindTimes, appendTimes(dst, r)
	case Mark:
		dst = append(u(dst, uint64(len(r.Name))), r.Name...)
		return kindMark, append(dst, r.Value...)
	case Unknown:
		return r.Kind, append(dst, r.Data...)
	}
	panic("index: a record of no known type")
}

func bit(b bool) byte {
	if b {
		return 1
	}
	return 0
}

func appendMessage(dst []byte, m *Message) []byte {
	dst = binary.AppendUvarint(dst, uint64(m.UID))
	dst = append(dst, byte(m.Flags), bit(m.New))
	dst = binary.AppendUvarint(dst, uint64(m.Keywords))
	dst = binary.AppendUvarint(dst, uint64(m.ModSeq))
	for _, n := range [...]int64{m.Size, m.CRLFSize, int64(m.Internal), int64(m.Saved)} {
		dst = binary.AppendVarint(dst, n)
	}
	dst = binary.AppendUvarint(dst, m.Ino)
	dst = append(dst, m.EmailID[:]...)
	dst = binary.AppendUvarint(dst, uint64(len(m.Base)))
	dst = append(dst, m.Base...)
	return append(dst, m.Info...)
}

// appendUIDs appends a resolved set as the gaps between its ends.
func appendUIDs(dst []byte, s mail.UIDSet) []byte {
	at := mail.UID(0)
	for _, r := range s {
		dst = binary.AppendUvarint(dst, uint64(r.First-at))
		dst = binary.AppendUvarint(dst, uint64(r.Last-r.First))
		at = r.Last
	}
	return dst
}

func appendTimes(dst []byte, t Times) []byte {
	dst = append(dst, bit(t.NewKnown)|bit(t.CurKnown)<<1)
	if t.NewKnown {
		dst = binary.AppendVarint(dst, t.New.UnixNano())
	}
	if t.CurKnown {
		dst = binary.AppendVarint(dst, t.Cur.UnixNano())
	}
	return dst
}
