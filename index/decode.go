package index

import (
	"encoding/binary"
	"fmt"
	"time"

	"postrider/mail"
)

// reader takes a payload apart. The first fault stays.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) uvarint() uint64 {
	n, k := binary.Uvarint(r.b)
	if k <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[k:]
	return n
}

func (r *reader) varint() int64 {
	n, k := binary.Varint(r.b)
	if k <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[k:]
	return n
}

func (r *reader) uint32() uint32 {
	n := r.uvarint()
	if n > 1<<32-1 {
		r.bad = true
		return 0
	}
	return uint32(n)
}

func (r *reader) byte() byte {
	if len(r.b) == 0 {
		r.bad = true
		return 0
	}
	c := r.b[0]
	r.b = r.b[1:]
	return c
}

func (r *reader) bytes(n uint64) []byte {
	if n > uint64(len(r.b)) {
		r.bad, r.b = true, nil
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *reader) rest() string {
	s := string(r.b)
	r.b = nil
	return s
}

// decodeBatch reads a batch's payload. It fails with ErrDamaged, or, with the batch
// as far as it is understood, ErrReadOnly.
func decodeBatch(payload []byte) (*Batch, error) {
	r := &reader{b: payload}
	b := &Batch{ModSeq: mail.ModSeq(r.uvarint()), At: Stamp(r.varint()), durable: int64(r.uvarint())}
	var newer error
	for len(r.b) > 0 && !r.bad {
		kind := r.byte()
		body := &reader{b: r.bytes(r.uvarint())}
		if r.bad {
			break
		}
		rec := decodeRecord(kind, body)
		switch {
		case body.bad:
			return b, fmt.Errorf("a record of kind %d: %w", kind, ErrDamaged)
		case rec == nil:
			newer = fmt.Errorf("a record of kind %d: %w", kind, ErrReadOnly)
		default:
			b.Records = append(b.Records, rec)
		}
	}
	if r.bad {
		return b, ErrDamaged
	}
	return b, newer
}

// decodeRecord reads a record's body; nil for an unknown kind that may not be
// skipped.
func decodeRecord(kind byte, r *reader) Record {
	uid := func() mail.UID { return mail.UID(r.uint32()) }
	switch kind {
	case kindAppended:
		return Appended{decodeMessage(r)}
	case kindFlags:
		return FlagsSet{uid(), mail.Flags(r.byte()) & mail.AllFlags, r.byte() != 0, r.rest()}
	case kindRenamed:
		return Renamed{uid(), r.byte() != 0, r.rest()}
	case kindKeywords:
		return KeywordsSet{uid(), SetID(r.uint32())}
	case kindVanished:
		v := Vanished{ModSeq: mail.ModSeq(r.uvarint()), At: Stamp(r.varint())}
		v.UIDs = decodeUIDs(r)
		return v
	case kindKeywordName:
		return KeywordNamed{KeywordID(r.uint32()), r.rest()}
	case kindSetName:
		s := SetNamed{ID: SetID(r.uint32())}
		for len(r.b) > 0 && !r.bad {
			s.Keywords = append(s.Keywords, KeywordID(r.uint32()))
		}
		return s
	case kindValidity:
		return ValiditySet{mail.UIDValidity(r.uint32()), uid()}
	case kindForgotten:
		return VanishedForgotten{mail.ModSeq(r.uvarint())}
	case kindKnown:
		k := Known{UID: uid(), Size: r.varint(), CRLFSize: r.varint(), Internal: Stamp(r.varint()), Ino: r.uvarint()}
		copy(k.EmailID[:], r.bytes(uint64(len(k.EmailID))))
		return k
	case kindRecent:
		return RecentClaimed{uid()}
	case kindTimes:
		return decodeTimes(r)
	case kindMark:
		return Mark{string(r.bytes(r.uvarint())), r.rest()}
	}
	if kind&skippable != 0 {
		return Unknown{kind, []byte(r.rest())}
	}
	return nil
}

func decodeMessage(r *reader) Message {
	m := Message{UID: mail.UID(r.uint32()), Flags: mail.Flags(r.byte()) & mail.AllFlags, New: r.byte() != 0}
	m.Keywords, m.ModSeq = SetID(r.uint32()), mail.ModSeq(r.uvarint())
	m.Size, m.CRLFSize = r.varint(), r.varint()
	m.Internal, m.Saved = Stamp(r.varint()), Stamp(r.varint())
	m.Ino = r.uvarint()
	copy(m.EmailID[:], r.bytes(uint64(len(m.EmailID))))
	m.Base = string(r.bytes(r.uvarint()))
	m.Info = r.rest()
	if m.UID == 0 || m.Base == "" {
		r.bad = true
	}
	return m
}

func decodeUIDs(r *reader) mail.UIDSet {
	var s mail.UIDSet
	at := uint64(0)
	for len(r.b) > 0 && !r.bad {
		first := at + r.uvarint()
		last := first + r.uvarint()
		if first == 0 || last < first || last > 1<<32-1 {
			r.bad = true
			return nil
		}
		s = append(s, mail.Range[mail.UID]{First: mail.UID(first), Last: mail.UID(last)})
		at = last
	}
	return s
}

func decodeTimes(r *reader) Times {
	var t Times
	which := r.byte()
	t.NewKnown, t.CurKnown = which&1 != 0, which&2 != 0
	if t.NewKnown {
		t.New = time.Unix(0, r.varint())
	}
	if t.CurKnown {
		t.Cur = time.Unix(0, r.varint())
	}
	return t
}
