package mailbox

import (
	"hash/maphash"
	"slices"

	"postrider/mail"
)

// nameTable finds the UIDs that may have a base name: by a hash of 32 bits, eight
// bytes a message. What it gives is checked against the snapshot, so a UID that is
// gone does no harm. The mailbox's lock guards it.
type nameTable struct {
	seed   maphash.Seed
	sorted []uint64 // hash above UID
	fresh  map[uint32][]mail.UID
	n      int // in fresh
}

func newNameTable() *nameTable {
	return &nameTable{seed: maphash.MakeSeed(), fresh: map[uint32][]mail.UID{}}
}

func (t *nameTable) hash(base string) uint32 { return uint32(maphash.String(t.seed, base)) }

func (t *nameTable) add(base string, uid mail.UID) {
	h := t.hash(base)
	t.fresh[h] = append(t.fresh[h], uid)
	if t.n++; t.n > 1024+len(t.sorted) {
		t.settle()
	}
}

func (t *nameTable) settle() {
	for h, uids := range t.fresh {
		for _, u := range uids {
			t.sorted = append(t.sorted, uint64(h)<<32|uint64(u))
		}
	}
	slices.Sort(t.sorted)
	t.sorted = slices.Compact(t.sorted)
	t.fresh, t.n = map[uint32][]mail.UID{}, 0
}

// each calls f for each UID that may have the name.
func (t *nameTable) each(base string, f func(mail.UID) bool) {
	h := t.hash(base)
	for _, u := range t.fresh[h] {
		if f(u) {
			return
		}
	}
	i, _ := slices.BinarySearch(t.sorted, uint64(h)<<32)
	for ; i < len(t.sorted) && uint32(t.sorted[i]>>32) == h; i++ {
		if f(mail.UID(t.sorted[i])) {
			return
		}
	}
}

// byBase finds the message with a base name.
func (m *Mailbox) byBase(s *Snapshot, base string) (msg Message, found bool) {
	m.names.each(base, func(uid mail.UID) bool {
		if x, ok := s.Lookup(uid); ok && x.Base == base {
			msg, found = x, true
		}
		return found
	})
	return msg, found
}

// file is the message's file, as the snapshot has it.
func (msg *Message) file() mail.MessageFile {
	return mail.MessageFile{Base: msg.Base, Name: msg.Base + msg.Info, New: msg.New, Flags: msg.Flags, Size: msg.Size, CRLFSize: msg.CRLFSize}
}

// infoOf is the part of a file's name after the base name.
func infoOf(f mail.MessageFile) string { return f.Name[len(f.Base):] }

// lookup finds a message of s by its base name: its UID and its index.
func (m *Mailbox) lookup(s *Snapshot, base string) (uid mail.UID, index int, found bool) {
	m.names.each(base, func(u mail.UID) bool {
		k := s.chunkOf(u)
		if k < 0 {
			return false
		}
		if j, ok := s.spine[k].c.find(u); ok && s.spine[k].c.base(j) == base {
			uid, index, found = u, int(s.spine[k].start)+j, true
		}
		return found
	})
	return uid, index, found
}
