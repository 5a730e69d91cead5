package mailbox

import (
	"hash/maphash"

	"postrider/mail"
)

// nameTable finds a message by its file's base name: an open hash table of nothing but
// UIDs, since the names are in the snapshot. UIDs of messages that are gone stay until
// it is built anew. Messages below from are not in it: the snapshot file has a table
// of its own. The mailbox's lock guards it.
type nameTable struct {
	seed  maphash.Seed
	slots []mail.UID
	used  int
	from  mail.UID
}

func buildNameTable(s *Snapshot, from mail.UID) *nameTable {
	i, _ := s.Find(from)
	n := s.Len() - i
	t := &nameTable{seed: maphash.MakeSeed(), slots: make([]mail.UID, n+n/3+64), from: from}
	if n == 0 {
		return t
	}
	for start, c := range s.tree().chunks(i) {
		cols := c.cols()
		for j := max(i-start, 0); j < len(cols.ids); j++ {
			t.add(cols.base(j), cols.ids[j].uid)
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
		m.names = buildNameTable(s, m.tabled())
	}
	t := m.names
	for i := t.first(base); t.slots[i] != 0; i = t.next(i) {
		if index, ok := s.named(t.slots[i], base); ok {
			return t.slots[i], index, true
		}
	}
	if t.from == 0 {
		return 0, 0, false
	}
	uids, err := m.backing.uids(base)
	if err != nil {
		m.log.Warn("a table of names is not used", "error", err)
		m.allNames(s)
		return m.lookup(s, base)
	}
	for _, uid := range uids {
		if index, ok := s.named(uid, base); ok {
			return uid, index, true
		}
	}
	return 0, 0, false
}

// tabled is the UID from on which the snapshot file's table has no names.
func (m *Mailbox) tabled() mail.UID {
	if m.backing == nil || m.backing.inserted != m.inserted {
		return 0
	}
	return m.backing.uidNext
}

// allNames takes all names into memory, for who is about to ask for most of them.
func (m *Mailbox) allNames(s *Snapshot) {
	if m.names == nil || m.names.from > 0 {
		m.names = buildNameTable(s, 0)
	}
}

// forgetNames gives the memory of a table of all names back, if there is another.
func (m *Mailbox) forgetNames() {
	if m.names != nil && m.names.from < m.tabled() {
		m.names = nil
	}
}

// named returns the index of a message if it has this base name.
func (s *Snapshot) named(uid mail.UID, base string) (index int, ok bool) {
	c, start := s.tree().of(uid)
	if c == nil || uid > c.last {
		return 0, false
	}
	cols := c.cols()
	j, ok := cols.find(uid)
	return start + j, ok && cols.base(j) == base
}

// appeared keeps the table true when a message is added.
func (m *Mailbox) appeared(base string, uid mail.UID) {
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
