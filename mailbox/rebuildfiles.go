package mailbox

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"postrider/index"
	"postrider/mail"
)

// fromFiles makes a journal of what is left. What was read furthest (by mod-sequence)
// is believed first; what else is known of a UID or of a base name adds to it, and never
// contradicts it. A UID that is known to have vanished does not come back.
func (r *rebuilder) fromFiles() error {
	l, err := r.best()
	if err != nil {
		return err
	}
	if err := r.lists(l); err != nil {
		return err
	}
	s := l.state()
	validity, next := s.validity, s.uidNext
	if validity == 0 {
		if validity, err = r.Validity(); err != nil {
			return fmt.Errorf("asking for a UIDVALIDITY: %w", err)
		}
	}
	for _, list := range r.Lists {
		if list.Past != nil && list.Past.UIDValidity == validity {
			next = max(next, min(list.Past.UIDNext, maxUID))
		}
	}
	// Numbers may have been given that no file tells of.
	next += min(jump, maxUID-next)
	l.take(&index.Batch{ModSeq: s.modseq + jump, At: index.StampOf(r.Now()), Records: []index.Record{index.ValiditySet{UIDValidity: validity, UIDNext: next}}})
	return r.replace(l)
}

// replace puts the journal and the snapshot file of a state in place.
func (r *rebuilder) replace(l *looker) error {
	generation := uint64(1)
	if r.journal != nil {
		generation = max(generation, r.journal.Generation+1)
	}
	if r.file != nil {
		generation = max(generation, r.file.Generation()+1)
	}
	if err := r.putAside(index.JournalName, index.SnapshotName); err != nil {
		return err
	}
	s := l.state()
	j, err := index.Replace(r.dir, index.Options{Now: r.Now, Fsync: r.Fsync}, generation, s.modseq, func(yield func(index.Record) bool) {
		for _, rec := range l.m.side.head(s) {
			if !yield(rec) {
				return
			}
		}
		for row := range s.rows() {
			if !yield(index.Appended{Message: *row}) {
				return
			}
		}
	})
	if err != nil {
		return fmt.Errorf("writing the journal anew: %w", noSpace(err))
	}
	defer j.Close()
	return r.writeSnapshot(j, l)
}

// best is the state of journal and snapshot file together.
func (r *rebuilder) best() (*looker, error) {
	journal, snapshot := newLooker(r.Now), newLooker(r.Now)
	if r.journal != nil {
		_, ending, err := r.replay(journal, 0)
		switch {
		case err != nil && !errors.Is(err, index.ErrDamaged):
			return nil, err
		case ending.ReadOnly != nil:
			return nil, ending.ReadOnly
		}
		r.source(index.JournalName, journal.state().Len(), errors.Join(r.wrong, err, gapError(ending.Gaps)))
	}
	if r.file != nil {
		r.fileErr = snapshot.salvage(r.file)
		r.source(index.SnapshotName, snapshot.state().Len(), r.fileErr)
		if fits(r.file, r.journal) {
			if _, _, err := r.replay(snapshot, r.file.Pos()); err != nil && !errors.Is(err, index.ErrDamaged) {
				return nil, err
			}
		}
	} else if r.fileErr != nil {
		r.source(index.SnapshotName, 0, r.fileErr)
	}
	first, second := journal, snapshot
	if snapshot.state().modseq > journal.state().modseq {
		first, second = snapshot, journal
	}
	first.join(second.state())
	first.m.side.forgetReplaced()
	return first, nil
}

func gapError(gaps []index.Gap) error {
	if len(gaps) == 0 {
		return nil
	}
	return fmt.Errorf("%d gaps, the first at byte %d", len(gaps), gaps[0].From)
}

func (r *rebuilder) source(name string, n int, err error) {
	r.made.Sources = append(r.made.Sources, Source{name, n, err})
}

// forgetReplaced drops the mark of a journal that another one took the place of.
func (s *side) forgetReplaced() { delete(s.marks, index.ReplacedMark) }

// salvage is begin for a snapshot file of which parts may be damaged.
func (l *looker) salvage(s *index.Snapshot) (damage error) {
	modseq, head := s.Head()
	l.m.apply(l.b, &index.Batch{ModSeq: modseq, At: index.StampOf(l.m.now()), Records: head})
	for i := range s.Chunks() {
		rows, err := s.Chunk(i, nil)
		if err != nil {
			damage = err
			continue
		}
		for k := range rows {
			l.m.applyAppended(l.b, &rows[k])
		}
	}
	return damage
}

// join adds the messages of another state that this one does not know, if it is of the
// same UIDVALIDITY.
func (l *looker) join(t *Snapshot) {
	s := l.begun(t.validity)
	if s.validity != t.validity {
		return
	}
	gone := l.m.side.goneUIDs()
	l.take(&index.Batch{Records: []index.Record{index.ValiditySet{UIDValidity: s.validity, UIDNext: t.uidNext}}})
	var records []index.Record
	for row := range t.rows() {
		if gone[row.UID] || !l.free(s, row.UID, row.Base) {
			continue
		}
		i, _ := t.Find(row.UID)
		set, named := l.keywords(t.KeywordsOf(t.Message(i)))
		row.Keywords = set
		if len(named) > 0 {
			l.take(&index.Batch{Records: named})
		}
		records = append(records, index.Appended{Message: *row})
	}
	l.take(&index.Batch{Records: records})
}

// begun is the state, with this UIDVALIDITY if it had none.
func (l *looker) begun(validity mail.UIDValidity) *Snapshot {
	s := l.state()
	if s.validity == 0 && validity != 0 {
		l.take(&index.Batch{Records: []index.Record{index.ValiditySet{UIDValidity: validity, UIDNext: 1}}})
		s = l.state()
	}
	return s
}

// goneUIDs are the UIDs that are known to have vanished.
func (s *side) goneUIDs() map[mail.UID]bool {
	gone := map[mail.UID]bool{}
	for _, v := range s.vanished {
		for uid := range v.UIDs.All() {
			gone[uid] = true
		}
	}
	return gone
}

// free says whether neither UID nor base name is in use.
func (l *looker) free(s *Snapshot, uid mail.UID, base string) bool {
	if _, taken := s.Find(uid); taken || uid == 0 || uid > maxUID {
		return false
	}
	_, _, taken := l.m.lookup(s, base)
	return !taken
}

// keywords is the set of these keywords in the state's table, and what must be recorded
// before it is used. Keywords for which there is no room are left out.
func (l *looker) keywords(words []string) (index.SetID, []index.Record) {
	if len(words) == 0 {
		return 0, nil
	}
	k, err := newKeywordChange(l.b.next.keywords, mail.FlagChange{Op: mail.ReplaceFlags, Keywords: words})
	if err != nil {
		return 0, nil
	}
	set, err := k.apply(0)
	if err != nil {
		return 0, nil
	}
	return set, k.records
}

// lists adds the files that only another server's list knows.
func (r *rebuilder) lists(l *looker) error {
	if len(r.Lists) == 0 {
		return nil
	}
	files := map[string]mail.MessageFile{}
	err := r.folder.Scan(true, true, func(f mail.MessageFile) bool {
		f.Name = strings.Clone(f.Name)
		f.Base = f.Name[:len(f.Base)]
		files[f.Base] = f
		return true
	})
	if err != nil {
		return fmt.Errorf("reading the directories: %w", err)
	}
	for _, list := range r.Lists {
		if list.Past == nil {
			r.source(list.Name, 0, list.Err)
			continue
		}
		s := l.begun(list.Past.UIDValidity)
		if s.validity != list.Past.UIDValidity {
			r.source(list.Name, 0, fmt.Errorf("it is of UIDVALIDITY %d, not %d", list.Past.UIDValidity, s.validity))
			continue
		}
		l.take(&index.Batch{ModSeq: s.modseq + 1, Records: l.listed(s, list.Past, files)})
		r.source(list.Name, len(list.Past.Messages), list.Err)
	}
	return nil
}

// listed is what a list adds: the files that are there.
func (l *looker) listed(s *Snapshot, past *Past, files map[string]mail.MessageFile) []index.Record {
	taken := l.m.side.goneUIDs()
	var records []index.Record
	for base, was := range past.Messages {
		f, there := files[base]
		if !there || taken[was.UID] || !l.free(s, was.UID, base) {
			continue
		}
		taken[was.UID] = true
		r := l.m.appendedRecord(was.UID, sighting{file: f})
		words := was.Keywords
		if past.Shown != nil {
			words = append(slices.Clone(words), past.Shown(f.Name)...)
		}
		set, named := l.keywords(words)
		if len(named) > 0 {
			l.take(&index.Batch{Records: named})
		}
		r.Keywords = set
		records = append(records, r)
	}
	slices.SortFunc(records, func(a, b index.Record) int {
		return cmp.Compare(a.(index.Appended).UID, b.(index.Appended).UID)
	})
	return records
}
