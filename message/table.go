package message

import (
	"encoding/binary"
	"errors"
)

// ErrTable says that bytes are no part table.
var ErrTable = errors.New("not a part table")

const tableVersion = 1

// The kinds of a part in a table.
const (
	tableLeaf = iota
	tableMultipart
	tableMessage
)

// AppendTable appends the message's part table to dst: what Find and the spans of
// its parts need, and nothing else. LoadTable reads it.
func (m *Message) AppendTable(dst []byte) []byte {
	dst = append(dst, tableVersion)
	dst = binary.AppendUvarint(dst, uint64(m.Size))
	return m.Root.appendTable(dst, 0)
}

func (p *Part) appendTable(dst []byte, at int64) []byte {
	kind, children := byte(tableLeaf), p.Parts
	switch {
	case p.Parts != nil:
		kind = tableMultipart
	case p.Inner != nil:
		kind, children = tableMessage, []*Part{p.Inner}
	}
	dst = append(dst, kind)
	dst = binary.AppendUvarint(dst, uint64(p.Start-at))
	dst = binary.AppendUvarint(dst, uint64(p.Body-p.Start))
	dst = binary.AppendUvarint(dst, uint64(p.End-p.Body))
	if kind == tableLeaf {
		return dst
	}
	dst = binary.AppendUvarint(dst, uint64(len(children)))
	for _, c := range children {
		dst = c.appendTable(dst, p.Start)
	}
	return dst
}

// LoadTable reads a part table. Parts of the result have their spans and their
// places, and no fields; an Envelope that is not nil is empty.
func LoadTable(b []byte) (*Message, error) {
	if len(b) == 0 || b[0] != tableVersion {
		return nil, ErrTable
	}
	t := tableReader{b: b[1:]}
	m := &Message{Size: t.number()}
	m.Root = t.part(0, m.Size, 0)
	if t.bad || len(t.b) > 0 {
		return nil, ErrTable
	}
	m.Root.Envelope = &Envelope{}
	return m, nil
}

type tableReader struct {
	b     []byte
	parts int
	bad   bool
}

func (t *tableReader) number() int64 {
	n, k := binary.Uvarint(t.b)
	if k <= 0 || n > 1<<62 {
		t.bad, t.b = true, nil
		return 0
	}
	t.b = t.b[k:]
	return int64(n)
}

func (t *tableReader) part(at, limit int64, depth int) *Part {
	p := &Part{}
	if t.parts++; len(t.b) == 0 || depth > 2*maxDepth || t.parts > 3*maxParts {
		t.bad = true
		return p
	}
	kind := t.b[0]
	t.b = t.b[1:]
	p.Start = at + t.number()
	p.Body = p.Start + t.number()
	p.End = p.Body + t.number()
	if p.Start > limit || p.Body > limit || p.End > limit || kind > tableMessage {
		t.bad = true
		return p
	}
	if kind == tableLeaf {
		return p
	}
	n := t.number()
	if kind == tableMessage && n != 1 || n < 1 {
		t.bad = true
	}
	for range n {
		if t.bad {
			return p
		}
		c := t.part(p.Start, p.End, depth+1)
		if kind == tableMessage {
			c.Envelope = &Envelope{}
			p.Inner = c
		} else {
			p.Parts = append(p.Parts, c)
		}
	}
	return p
}
