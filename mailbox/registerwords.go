package mailbox

import (
	"fmt"
	"slices"
	"strings"

	"postrider/index"
	"postrider/mail"
)

// keywordRule says whose keywords of a message count where the register has others.
type keywordRule uint8

const (
	takeTheirs  keywordRule = iota // both run: all of ours are in the register
	keepUnsaved                    // ours if they are not in the register yet
	keepOurs                       // ours if there are any: nothing is known of the past
)

// keywordRule is the rule for a register that was seen before.
func (m *Mailbox) keywordRule() keywordRule {
	if _, seen := m.liveSince(); seen && m.live() {
		return takeTheirs
	}
	return keepUnsaved
}

// unsaved are the messages whose keywords changed since the register was written last.
// nil: none.
type unsaved map[mail.UID]struct{}

// maxUnsaved bounds what is remembered of them one by one.
const maxUnsaved = 100_000

// unsavedMarkName is the mark of a state in which some keywords are unsaved, and it is
// not known whose.
const unsavedMarkName = "register-unsaved"

func (u unsaved) has(uid mail.UID) bool {
	_, ok := u[uid]
	return ok
}

// noteUnsaved follows a record.
func (s *side) noteUnsaved(r index.Record) {
	var uid mail.UID
	switch r := r.(type) {
	case index.Mark:
		if r.Name == registerMarkName {
			s.unsaved = nil
			delete(s.marks, unsavedMarkName)
		}
		return
	case index.KeywordsSet:
		uid = r.UID
	case index.Appended:
		if uid = r.UID; r.Keywords == 0 {
			return
		}
	default:
		return
	}
	if s.marks[registerMarkName] == "" || s.marks[unsavedMarkName] != "" {
		return
	}
	if len(s.unsaved) >= maxUnsaved {
		s.unsaved = nil
		s.marks[unsavedMarkName] = "1"
		return
	}
	if s.unsaved == nil {
		s.unsaved = unsaved{}
	}
	s.unsaved[uid] = struct{}{}
}

// takeKeywords takes over the sets that the register has. Where ours count instead they
// are written there, at once if both servers run.
func (m *Mailbox) takeKeywords(rule keywordRule) error {
	stamp, at, err := m.c.Register.KeywordsStamp()
	if err != nil {
		return err
	}
	began := m.now()
	theirs, err := m.c.Register.Keywords()
	if err != nil {
		return err
	}
	s := m.Snapshot()
	words := newWords(s)
	blurred := m.side.marks[unsavedMarkName] != ""
	var records []index.Record
	back := false
	for _, msg := range s.All(0) {
		ours, want := s.KeywordsOf(msg), theirs[msg.Base]
		switch {
		case sameKeywords(ours, want):
		case rule == keepOurs && len(ours) > 0, rule == keepUnsaved && (m.side.unsaved.has(msg.UID) || blurred && len(ours) > 0):
			back = true
		default:
			set, err := words.set(want)
			if err != nil {
				m.log.Warn("keywords of the other server are left out", "error", err)
				continue
			}
			records = append(records, index.KeywordsSet{UID: msg.UID, Set: set})
		}
	}
	if err := m.tellTaken(append(words.records(), records...)); err != nil {
		return fmt.Errorf("taking over keywords: %w", err)
	}
	m.reg.words, m.reg.firm = stamp, stamp == "" || began.Sub(at) >= grain
	if !m.live() {
		return nil // what is to be written is, when there is time
	}
	if back {
		m.reg.firm = false
		if err := m.c.Register.StoreKeywords(m.Snapshot().keywordSets(theirs)); err != nil {
			return noSpace(err)
		}
	}
	if _, seen := m.liveSince(); !seen {
		return m.note(index.Mark{Name: liveMarkName, Value: fmt.Sprint(m.now().Unix())})
	}
	return nil
}

// tellTaken tells what comes from the register, which needs not be written there.
func (m *Mailbox) tellTaken(records []index.Record) error {
	m.reg.taking = true
	defer func() { m.reg.taking = false }()
	for part := range slices.Chunk(records, batchLen) {
		if err := m.tell(part...); err != nil {
			return err
		}
	}
	return nil
}

// sameKeywords compares sets without regard to order and to the case of letters.
func sameKeywords(a, b []string) bool {
	if slices.Equal(a, b) {
		return true
	}
	if len(a) == 0 || len(b) == 0 {
		return false
	}
	return slices.Equal(keywordKeys(a), keywordKeys(b))
}

func keywordKeys(words []string) []string {
	keys := make([]string, len(words))
	for i, w := range words {
		keys[i] = keywordKey(w)
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// keywordSets are the sets of the messages that have any, here or in the register, by
// base name.
func (s *Snapshot) keywordSets(theirs map[string][]string) map[string][]string {
	sets := map[string][]string{}
	for _, msg := range s.All(0) {
		words := s.KeywordsOf(msg)
		if _, there := theirs[msg.Base]; there || len(words) > 0 {
			sets[strings.Clone(msg.Base)] = words
		}
	}
	return sets
}

// registerKeywords writes the keywords that a batch changes into the register, before
// the batch is written, where both servers run: should we stop in between, they are
// taken over from there.
func (m *Mailbox) registerKeywords(records []index.Record) error {
	if m.reg.taking || m.loading || !m.live() {
		return nil
	}
	if _, known := m.registerMark(); !known {
		return nil
	}
	s := m.Snapshot()
	table, own := s.keywords, false
	for _, r := range records {
		var base string
		var set index.SetID
		switch r := r.(type) {
		case index.KeywordNamed:
			if !own {
				table, own = table.clone(), true
			}
			table.name(r.ID, r.Name)
			continue
		case index.SetNamed:
			if !own {
				table, own = table.clone(), true
			}
			table.set(r.ID, r.Keywords)
			continue
		case index.Appended:
			if base, set = r.Base, r.Keywords; set == 0 {
				continue
			}
		case index.KeywordsSet:
			msg, ok := s.Lookup(r.UID)
			if base, set = msg.Base, r.Set; !ok {
				continue
			}
		default:
			continue
		}
		if err := m.c.Register.WriteKeywords(base, table.of(set)); err != nil {
			return noSpace(err)
		}
		m.reg.firm = false
	}
	return nil
}

// listed says whether a record changes what a register shows.
func listed(r index.Record) bool {
	switch r.(type) {
	case index.Appended, index.Vanished, index.KeywordsSet, index.ValiditySet:
		return true
	}
	return false
}
