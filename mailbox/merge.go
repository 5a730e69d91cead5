package mailbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"postrider/index"
	"postrider/mail"
)

// fewFiles is how many files are looked for one by one; beyond it one reading of the
// directories costs less.
const fewFiles = 4

// merging is what differs between the register and a snapshot.
type merging struct {
	m    *Mailbox
	s    *Snapshot
	next mail.UID // above both

	theirs map[string]mail.UID // messages that only the other server knows
	moved  mail.UIDSet         // ours, to which both gave UIDs, under the UIDs that they had
	again  []Message           // the same

	lacking bool // the list does not have all of ours
}

// merge takes in what the other server wrote into its list since we looked, under its
// lock.
func (m *Mailbox) merge(ctx context.Context) error {
	stamp, err := m.c.Register.Stamp()
	if err != nil {
		return err
	}
	mark, known := m.registerMark()
	if stamp == "" || stamp == m.reg.refused || known && mark.is(stamp) && !m.reg.reread {
		return nil
	}
	g := &merging{m: m, s: m.Snapshot(), next: m.Snapshot().uidNext, theirs: map[string]mail.UID{}}
	validity, err := g.read()
	switch {
	case missing(err):
		return nil
	case errors.Is(err, ErrRegister), err == nil && validity != g.s.validity:
		return m.otherRegister(stamp, validity, err, known)
	case err != nil && !m.live():
		m.log.Error("the other server's list is left alone", "error", err)
		m.reg.refused = stamp
		return nil
	case err != nil:
		return err
	}
	rule := m.keywordRule()
	if !known {
		rule = keepOurs
	} else if !m.reg.reread {
		if err := m.noteForeign(); err != nil {
			return err
		}
	}
	if err := g.settle(ctx); err != nil {
		return err
	}
	if err := m.takeKeywords(rule); err != nil {
		return err
	}
	m.reg.reread = false
	s := m.Snapshot()
	if len(g.again) > 0 || m.live() && (g.lacking || s.anyNew()) {
		// Courier's reading may have missed a file that was renamed: if the list
		// has it again before Courier looks again, it keeps its UID.
		return m.writeRegister(s.uidNext, s.bases())
	}
	words, _, err := m.c.Register.KeywordsStamp()
	if err != nil {
		return err
	}
	if g.lacking { // written when there is time
		mark.modseq = 0
	}
	return m.note(registerMark{modseq: mark.modseq, list: stamp, keywords: words}.record())
}

// noteForeign notes that somebody else writes the register.
func (m *Mailbox) noteForeign() error {
	if !m.live() {
		m.log.Warn("another server writes its list of UIDs: both are taken to be running")
	}
	if at, seen := m.liveSince(); seen && m.now().Sub(at) < liveNoted {
		return nil
	}
	return m.note(index.Mark{Name: liveMarkName, Value: strconv.FormatInt(m.now().Unix(), 10)})
}

// otherRegister is for a list that cannot be understood, or has another UIDVALIDITY: its
// UIDs mean nothing here. It is put aside where we wrote one before or both servers run,
// since both must show one UIDVALIDITY; else it is left alone.
func (m *Mailbox) otherRegister(stamp string, theirs mail.UIDValidity, why error, known bool) error {
	s := m.Snapshot()
	log := m.log.With("ours", s.validity, "theirs", theirs)
	if why != nil {
		log = log.With("error", why)
	}
	if !known && !m.live() {
		log.Warn("the other server's list has another UIDVALIDITY or cannot be read; it is not kept current")
		m.reg.refused = stamp
		return nil
	}
	log.Error("the other server's list has another UIDVALIDITY or cannot be read; it is put aside and written anew")
	if err := m.noteForeign(); err != nil {
		return err
	}
	if err := m.c.Register.Forget(); err != nil {
		return err
	}
	m.reg.firm = false
	return m.writeRegister(s.uidNext, s.bases())
}

// read compares the other server's list with what we know.
func (g *merging) read() (mail.UIDValidity, error) {
	validity, next, list, err := g.m.c.Register.Read()
	if err != nil || validity != g.s.validity {
		return validity, err
	}
	again, same := map[mail.UID]bool{}, 0
	for uid, base := range list {
		if uid > maxUID {
			continue
		}
		next = max(next, uid+1)
		switch ours, _, known := g.m.lookup(g.s, base); {
		case known && ours != uid: // one message, two UIDs
			again[ours] = true
			fallthrough
		case !known && uid < g.s.uidNext: // perhaps two messages, one UID
			if _, taken := g.s.Find(uid); taken {
				again[uid] = true
			}
		case !known:
			g.theirs[base] = uid
		case ours == uid:
			same++
		}
	}
	g.next, g.lacking = max(g.next, next), same < g.s.n
	for _, uid := range slices.Sorted(maps.Keys(again)) {
		msg, _ := g.s.Lookup(uid)
		g.again = append(g.again, msg)
		g.moved.Add(uid)
	}
	return validity, nil
}

// settle gives the messages that only the other server knew the UIDs that it gave, and
// those that both gave one fresh ones.
func (g *merging) settle(ctx context.Context) error {
	m := g.m
	v, err := g.find(ctx)
	if err != nil {
		return err
	}
	var found []numbered
	for base, at := range v.fresh {
		if uid, ok := g.theirs[base]; ok {
			found = append(found, numbered{uid, at})
		} else {
			m.full = true // two files of one name: the next reading gives it a UID
		}
	}
	slices.SortFunc(found, func(a, b numbered) int { return cmp.Compare(a.uid, b.uid) })
	if g.next > maxUID || mail.UID(len(g.again)) > maxUID-g.next+1 {
		return ErrFull
	}
	var records []index.Record
	if len(g.again) > 0 {
		records = append(records, index.Vanished{UIDs: g.moved})
		m.full = true // what was found out under the old UIDs is found again
		m.log.Warn("two servers gave UIDs to the same messages; they get fresh ones", "messages", len(g.again))
	}
	for _, n := range found {
		records = append(records, m.appendedRecord(n.uid, n.at))
		m.sync.later(n.at.file.New)
	}
	for _, msg := range g.again {
		records = append(records, index.Appended{Message: index.Message{
			UID: g.next, Flags: msg.Flags, New: msg.New, Keywords: msg.Keywords, Size: msg.Size, CRLFSize: msg.CRLFSize,
			Internal: index.StampOf(msg.Internal), Saved: index.StampOf(msg.Saved), Base: msg.Base, Info: msg.Info,
		}})
		g.next++
	}
	if g.next > m.Snapshot().uidNext {
		records = append(records, index.ValiditySet{UIDValidity: g.s.validity, UIDNext: g.next})
	}
	m.reg.taking = true
	defer func() { m.reg.taking = false }()
	for part := range slices.Chunk(records, batchLen) {
		if err := m.tell(part...); err != nil {
			return fmt.Errorf("taking over UIDs: %w", err)
		}
	}
	return nil
}

// numbered is a file with its UID.
type numbered struct {
	uid mail.UID
	at  sighting
}

// find looks for the files of the messages that only the other server knows. One that
// is not there was removed again; should it only have been missed, it gets a fresh UID
// later.
func (g *merging) find(ctx context.Context) (*findings, error) {
	v := newFindings(g.s)
	if len(g.theirs) <= fewFiles {
		for base := range g.theirs {
			files, err := g.m.folder.Find(base)
			if err != nil {
				return nil, err
			}
			g.m.settle(v, base, files)
		}
		return v, nil
	}
	for range 2 { // a reading that overlaps renames misses files
		if len(v.fresh) >= len(g.theirs) {
			break
		}
		files := map[string][]mail.MessageFile{}
		err := g.m.folder.Scan(true, true, func(f mail.MessageFile) bool {
			if _, wanted := g.theirs[f.Base]; wanted && !v.has(f.Base) {
				files[f.Base] = append(files[f.Base], f)
			}
			return ctx.Err() == nil
		})
		if err = cmp.Or(err, ctx.Err()); err != nil {
			return nil, err
		}
		for base, list := range files {
			g.m.settle(v, base, list)
		}
	}
	return v, nil
}

// anyNew says that a message's file lies in new.
func (s *Snapshot) anyNew() bool {
	for _, msg := range s.All(0) {
		if msg.New {
			return true
		}
	}
	return false
}

func (v *findings) has(base string) bool {
	_, ok := v.fresh[base]
	return ok
}
