package mailbox

import (
	"hash/maphash"

	"postrider/mail"
)

// nameTable finds a message by its file's base name: an open hash table of nothing but
// UIDs, since the names are in the snapshot. UIDs of messages that are gone stay until
// it is built anew. The mailbox's lock guards it.
type nameTable struct {
	seed  maphash.Seed
	slots []mail.UID
	used  int
}

func buildNameTable(s *Snapshot) *nameTable {
	t := &nameTable{seed: maphash.MakeSeed(), slots: make([]mail.UID, s.Len()+s.Len()/3+64)}
	for _, sp := range s.spine {
		for i, id := range sp.c.ids {
			t.add(sp.c.base(i), id.uid)
		}
	}
	return t
}

// first is where the search for a name begins.
func (t *nameTable) first(base string) int {
	h := maphash.String(t.seed, base)
	return int(h >> 32 * uint64(len(t.slots)) >> 32)
}

// add adds a UID; false if the table is too full for that.
func (t *nameTable) add(base string, uid mail.UID) bool {
	if t.used >= len(t.slots)/8*7 {
		return false
	}
	i := t.first(base)
	for ; t.slots[i] != 0; i = t.next(i) {
		if t.slots[i] == uid {
			return true
		}
	}
	t.slots[i] = uid
	t.used++
	return true
}

func (t *nameTable) next(i int) int {
	if i++; i == len(t.slots) {
		return 0
	}
	return i
}

// lookup finds a message of s, which is the newest snapshot, by its base name: its UID
// and its index.
func (m *Mailbox) lookup(s *Snapshot, base string) (uid mail.UID, index int, found bool) {
	if m.names == nil {
		m.names = buildNameTable(s)
	}
	t := m.names
	for i := t.first(base); t.slots[i] != 0; i = t.next(i) {
		k := s.chunkOf(t.slots[i])
		if k < 0 {
			continue
		}
		if j, ok := s.spine[k].c.find(t.slots[i]); ok && s.spine[k].c.base(j) == base {
			return t.slots[i], int(s.spine[k].start) + j, true
		}
	}
	return 0, 0, false
}

// named keeps the table true when a message is added.
func (m *Mailbox) named(base string, uid mail.UID) {
	if m.names != nil && !m.names.add(base, uid) {
		m.names = nil // built anew when it is needed
	}
}

// file is the message's file, as the snapshot has it.
func (msg *Message) file() mail.MessageFile {
	return mail.MessageFile{Base: msg.Base, Name: msg.Base + msg.Info, New: msg.New, Flags: msg.Flags, Size: msg.Size, CRLFSize: msg.CRLFSize}
}

// infoOf is the part of a file's name after the base name.
func infoOf(f mail.MessageFile) string { return f.Name[len(f.Base):] }
