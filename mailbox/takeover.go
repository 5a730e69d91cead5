package mailbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"postrider/index"
	"postrider/mail"
)

// A folder without a journal may have been another server's. What that server knew
// is taken over by the road of every change from outside: the directories are read
// in full, and each file that the other server knew becomes a message with the UID
// and the keywords that it had there, the others get UIDs above.
//
// Two things are different from any other reading.
//
// It is done whole or not at all. A client that was shown a part would delete its
// copies of the rest, and a file whose number was missed once could never get it
// back. So the new state is not appended to the journal batch by batch: it is built
// in memory and put in place as a new journal, by one rename. A crash before that
// leaves a journal without a UIDVALIDITY, and the next opening begins again, with the
// other server's files untouched. Nor is a mailbox opened that cannot be taken over
// because the disk is full: no answer is better than half of one.
//
// And a file that the other server knew is looked for twice, since a reading that
// overlaps renames misses files, and what is missed here would get another UID later.

// Past is what another server knew of a folder.
type Past struct {
	Software    string // its name, for the log
	UIDValidity mail.UIDValidity
	UIDNext     mail.UID
	Messages    map[string]PastMessage     // by base name
	Shown       func(name string) []string // keywords that a file name shows; nil: none
	Damaged     int                        // entries of its files that were left out
}

// PastMessage is what another server knew of a message.
type PastMessage struct {
	UID      mail.UID // 0: none
	Keywords []string
}

// adoptedMark is in the journal of a mailbox that was taken over, and says from what.
const adoptedMark = "adopted"

// room is how many numbers must be left above those of a predecessor.
const room = 1 << 20

// Check says why what a predecessor knew cannot be gone on with, or returns nil.
func (p *Past) Check() error {
	switch {
	case p.UIDValidity == 0:
		return errors.New("its UIDVALIDITY is 0")
	case p.UIDValidity > 1<<32-1-room:
		return fmt.Errorf("its UIDVALIDITY %d leaves no room for greater ones", p.UIDValidity)
	case p.UIDNext > maxUID-room:
		return fmt.Errorf("its UIDNEXT %d leaves no room for greater UIDs", p.UIDNext)
	}
	return nil
}

// recall asks for a predecessor if the mailbox has no UIDVALIDITY. adopting says that
// there is one, and that the next reading takes the folder over. lost says that there
// was a journal of which nothing is left: then UIDs were given that the predecessor
// does not know of.
func (m *Mailbox) recall(s *Snapshot, lost bool) (adopting bool, err error) {
	m.past = nil
	if s.validity != 0 || m.c.Predecessor == nil {
		return false, nil
	}
	past, err := m.c.Predecessor()
	if err != nil {
		return false, fmt.Errorf("asking what another server knew: %w", err)
	}
	if past == nil {
		return false, nil
	}
	if err := past.Check(); err != nil {
		m.log.Warn("the UIDs of another server are not taken over", "server", past.Software, "error", err)
		return false, nil
	}
	known, err := m.floor()
	if err != nil {
		return false, err
	}
	if known.UIDValidity > past.UIDValidity {
		m.log.Warn("the UIDs of another server are older than the mailbox's own, and are not taken over", "server", past.Software)
		return false, nil
	}
	m.past, m.pastLost, m.full = past, lost, true
	return true, nil
}

// takePending takes over what a reload found, before anything else happens.
func (m *Mailbox) takePending(ctx context.Context) error {
	if m.past == nil {
		return nil
	}
	m.full = true
	if err := m.readStale(ctx); err != nil {
		m.doubtful.Store(true)
		return err
	}
	return nil
}

// takeOver takes over what the predecessor knew of the files that were found. Where it
// runs, that is done under its lock, with what it knows by now, and it is shown the UIDs
// that we give before anybody else is.
func (m *Mailbox) takeOver(ctx context.Context, v *findings) error {
	if !m.live() || m.reg.held {
		return m.takeOverHeld(ctx, v)
	}
	unlock, err := m.lockRegister(ctx, patience)
	if err != nil {
		return err
	}
	defer unlock()
	now, err := m.c.Predecessor()
	if err != nil {
		return fmt.Errorf("asking what another server knows: %w", err)
	}
	if now != nil && now.Check() == nil {
		m.past = now
	}
	if err := m.takeOverHeld(ctx, v); err != nil {
		return err
	}
	return m.merge(ctx)
}

// takeOverHeld puts the state in place that the predecessor's knowledge and the files
// make.
func (m *Mailbox) takeOverHeld(ctx context.Context, v *findings) error {
	past := m.past
	if err := m.lookTwice(ctx, v); err != nil {
		return err
	}
	next, modseq, err := m.adoptedFloor()
	if err != nil {
		return err
	}
	known, fresh := past.divide(v.fresh)
	if len(fresh) > int(maxUID-next) {
		return ErrFull
	}
	b := newBuilder(m.Snapshot(), m.infos)
	modseq++
	apply := func(r ...index.Record) {
		m.apply(b, &index.Batch{ModSeq: modseq, At: index.StampOf(m.now()), Records: r})
	}
	apply(index.ValiditySet{UIDValidity: past.UIDValidity, UIDNext: next}, index.RecentClaimed{UpTo: next - 1},
		index.Mark{Name: adoptedMark, Value: fmt.Sprintf("%s %d", past.Software, past.UIDValidity)})
	words := &adoptedKeywords{sets: map[string]index.SetID{}}
	add := func(uid mail.UID, at sighting) {
		r := m.appendedRecord(uid, at)
		set, named := words.set(b.next.keywords, past.KeywordsOf(at.file))
		apply(named...)
		r.Keywords = set
		m.applyRecord(b, modseq, r)
	}
	for _, k := range known {
		add(k.uid, m.lookIfFew(k.sighting, len(known)))
	}
	for _, at := range fresh {
		add(next, m.lookIfFew(at, len(fresh)))
		next++
	}
	if err := m.renew(b); err != nil {
		return err
	}
	m.past = nil
	m.openCache()
	m.log.Info("the UIDs of another server were taken over", "server", past.Software,
		"uidvalidity", past.UIDValidity, "uidnext", past.UIDNext, "kept", len(known), "new", len(fresh),
		"gone", past.numbered()-len(known), "damaged", past.Damaged, "keywords dropped", words.dropped)
	if err := m.noteMarks(Marks{}); err != nil {
		return err
	}
	return m.markLife()
}

// adoptedFloor is where UIDs and mod-sequences of what the predecessor did not know
// begin: also above what this mailbox gave itself before its journal was lost.
func (m *Mailbox) adoptedFloor() (next mail.UID, modseq mail.ModSeq, err error) {
	next = max(m.past.UIDNext, 1)
	for _, msg := range m.past.Messages {
		next = max(next, msg.UID+1)
	}
	known, err := m.floor()
	if err != nil {
		return 0, 0, err
	}
	switch {
	case known.UIDValidity == m.past.UIDValidity:
		next, modseq = max(next, known.UIDNext), known.ModSeq
	case m.pastLost: // nobody remembers how far it was
		next, modseq = next+jump, modseq+jump
	}
	return next, modseq, nil
}

// lookTwice reads the directories once more if a file was missed that the predecessor
// knew.
func (m *Mailbox) lookTwice(ctx context.Context, v *findings) error {
	missed := false
	for base := range m.past.Messages {
		if _, ok := v.fresh[base]; !ok {
			missed = true
			break
		}
	}
	if !missed {
		return nil
	}
	again := map[string][]mail.MessageFile{}
	err := m.folder.Scan(true, true, func(f mail.MessageFile) bool {
		if _, ok := m.past.Messages[f.Base]; ok {
			if _, ok := v.fresh[f.Base]; !ok {
				again[f.Base] = append(again[f.Base], f)
			}
		}
		return ctx.Err() == nil
	})
	if err = cmp.Or(err, ctx.Err()); err != nil {
		return fmt.Errorf("reading the directories: %w", err)
	}
	for base, files := range again {
		m.settle(v, base, files)
	}
	return nil
}

// numberedFile is a file and the UID that it has.
type numberedFile struct {
	uid mail.UID
	sighting
}

// divide separates the files that have a UID, in the order of their UIDs, from the
// others, in the order in which they get one. Of two with the same UID the second has
// none.
func (p *Past) divide(files map[string]sighting) (known []numberedFile, fresh []sighting) {
	for base, at := range files {
		if msg := p.Messages[base]; msg.UID != 0 && msg.UID <= maxUID {
			known = append(known, numberedFile{msg.UID, at})
		} else {
			fresh = append(fresh, at)
		}
	}
	slices.SortFunc(known, func(a, b numberedFile) int {
		return cmp.Or(cmp.Compare(a.uid, b.uid), keyOf(a.file.Base).compare(keyOf(b.file.Base)))
	})
	last := mail.UID(0)
	known = slices.DeleteFunc(known, func(k numberedFile) bool {
		twice := k.uid == last
		if last = k.uid; twice {
			fresh = append(fresh, k.sighting)
		}
		return twice
	})
	slices.SortFunc(fresh, func(a, b sighting) int { return keyOf(a.file.Base).compare(keyOf(b.file.Base)) })
	return known, fresh
}

// numbered is how many messages the predecessor had given a UID.
func (p *Past) numbered() (n int) {
	for _, msg := range p.Messages {
		if msg.UID != 0 {
			n++
		}
	}
	return n
}

// KeywordsOf returns the keywords that the message in a file had.
func (p *Past) KeywordsOf(f mail.MessageFile) []string {
	words := p.Messages[f.Base].Keywords
	if p.Shown != nil {
		words = slices.Concat(words, p.Shown(f.Name))
	}
	return words
}

// lookIfFew looks at a file for its sizes and date, if there are few of them. One
// that moved on keeps its UID all the same.
func (m *Mailbox) lookIfFew(at sighting, files int) sighting {
	if at.looked || files > lookAtMost {
		return at
	}
	if info, err := m.folder.Stat(at.file); err == nil {
		at.info, at.looked = info, true
	}
	return at
}

// adoptedKeywords numbers the sets of keywords that messages had.
type adoptedKeywords struct {
	sets    map[string]index.SetID
	dropped int // keywords that are none, or too many
}

// set returns the number of a set, and what must be applied before it is used.
func (a *adoptedKeywords) set(t *keywordTable, words []string) (index.SetID, []index.Record) {
	if len(words) == 0 {
		return 0, nil
	}
	key := strings.Join(words, " ")
	if id, ok := a.sets[key]; ok {
		return id, nil
	}
	k, err := newKeywordChange(t, mail.FlagChange{Op: mail.ReplaceFlags, Keywords: a.usable(t, words)})
	var id index.SetID
	if err == nil {
		id, err = k.apply(0)
	}
	if err != nil { // too many sets
		a.dropped += len(words)
		return 0, nil
	}
	a.sets[key] = id
	return id, k.records
}

// usable leaves out what cannot be a keyword here.
func (a *adoptedKeywords) usable(t *keywordTable, words []string) []string {
	more := map[string]bool{}
	good := slices.DeleteFunc(slices.Clone(words), func(w string) bool {
		if mail.ValidKeyword(w) {
			if _, ok := t.ids[keywordKey(w)]; !ok {
				more[keywordKey(w)] = true
			}
			if len(t.names)+len(more) <= maxKeywords {
				return false
			}
		}
		a.dropped++
		return true
	})
	return slices.Clip(good)
}
