package mailbox

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"postrider/index"
	"postrider/mail"
)

// batchLen is how many records a batch of a reconcile holds at most.
const batchLen = 10_000

// lookAtMost is how many new files of a full reading are looked at for their sizes
// and dates at once; the rest is found out when it is asked for.
const lookAtMost = 256

// commit writes the findings of a reconcile into the journal. Mail that cannot get
// a UID because the disk is full stays unknown, and ErrFull is returned after
// everything else was written.
func (m *Mailbox) commit(ctx context.Context, v *findings) error {
	if len(v.gone)+len(v.stale) > 0 && m.departed() {
		return ErrGone // they are gone with the folder, or moved with it: nobody is told of each
	}
	return m.commitHere(ctx, v)
}

// commitHere is commit for a folder that is there.
func (m *Mailbox) commitHere(ctx context.Context, v *findings) error {
	var records []index.Record
	visible := false
	flush := func(limit int) error {
		if len(records) <= limit {
			return nil
		}
		part, tell := records, visible
		records, visible = nil, false
		if tell {
			return m.tell(part...)
		}
		return m.note(part...)
	}
	for uid, at := range v.moved {
		i, _ := v.s.Find(uid)
		r, flags := renamedRecord(v.s.Message(i), at.file)
		records, visible = append(records, r), visible || flags
		m.sync.later(at.file.New)
		if err := flush(batchLen); err != nil {
			return err
		}
	}
	if gone := slices.Concat(v.gone, v.stale).Resolve(0); len(gone) > 0 {
		records, visible = append(records, index.Vanished{UIDs: gone}), true
		m.sync.later(true)
		m.sync.later(false)
	}
	if err := flush(0); err != nil {
		return err
	}
	if len(v.fresh) == 0 {
		return nil
	}
	err := m.give(ctx, func() error { return m.commitFresh(v) })
	if err != nil {
		m.full = true // tried again
	}
	return err
}

// commitFresh gives new files their UIDs.
func (m *Mailbox) commitFresh(v *findings) error {
	unknown := m.unknown(v.fresh)
	if err := m.prove(v); err != nil {
		return err
	}
	fresh, kept := m.takeFresh(m.inOrder(unknown))
	next, err := m.number(basesOf(fresh)...)
	if err != nil {
		return err
	}
	coming := m.arrivals()
	for part := range slices.Chunk(fresh, batchLen) {
		records := make([]index.Record, 0, len(part))
		for _, at := range part {
			records = append(records, coming.records(m, next, at)...)
			m.sync.later(at.file.New)
			next++
		}
		if err := m.tell(records...); err != nil {
			return err
		}
	}
	return kept
}

// renamedRecord says that a message has another name; flags, that a client sees it.
func renamedRecord(msg Message, f mail.MessageFile) (r index.Record, flags bool) {
	info := strings.Clone(infoOf(f))
	if f.Flags != msg.Flags {
		return index.FlagsSet{UID: msg.UID, Flags: f.Flags, New: f.New, Info: info}, true
	}
	return index.Renamed{UID: msg.UID, New: f.New, Info: info}, false
}

// inOrder returns new files in the order in which they get their UIDs: by the
// number that the base name begins with, then by its octets.
func (m *Mailbox) inOrder(fresh map[string]sighting) []sighting {
	list := make([]keyed, 0, len(fresh))
	for _, at := range fresh {
		if !at.looked && len(fresh) <= lookAtMost {
			info, err := m.folder.Stat(at.file)
			if err != nil {
				m.full = true // it moved on, and is found again
				continue
			}
			at.info, at.looked = info, true
			fresh[at.file.Base] = at
		}
		list = append(list, keyOf(at.file.Base))
	}
	slices.SortFunc(list, keyed.compare)
	ordered := make([]sighting, len(list))
	for i, k := range list {
		ordered[i] = fresh[k.base]
	}
	return ordered
}

// keyed is a base name with what it is sorted by, taken from it once.
type keyed struct{ number, base string }

func keyOf(base string) keyed { return keyed{leadingDigits(base), base} }

func (a keyed) compare(b keyed) int {
	if c := cmp.Compare(len(a.number), len(b.number)); c != 0 {
		return c
	}
	if c := strings.Compare(a.number, b.number); c != 0 {
		return c
	}
	return strings.Compare(a.base, b.base)
}

// leadingDigits is the number that a name begins with, without zeros before it.
func leadingDigits(s string) string {
	s = strings.TrimLeft(s, "0")
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return s[:n]
}

func (m *Mailbox) appendedRecord(uid mail.UID, at sighting) index.Appended {
	f := at.file
	msg := index.Message{
		UID: uid, Flags: f.Flags, New: f.New, Size: f.Size, CRLFSize: f.CRLFSize,
		Saved: index.StampOf(m.now()), Base: strings.Clone(f.Base), Info: strings.Clone(infoOf(f)),
	}
	if at.looked {
		msg.Size, msg.Internal, msg.Ino = at.info.Size, index.StampOf(at.info.Mtime), at.info.Ino
		if f.Size != at.info.Size { // the name lies about one size, so it is not believed about the other
			msg.CRLFSize = -1
		}
	}
	if msg.CRLFSize < msg.Size {
		msg.CRLFSize = -1
	}
	return index.Appended{Message: msg}
}
