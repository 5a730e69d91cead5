package mailbox

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"postrider/index"
	"postrider/mail"
)

// infoID numbers the parts of file names after the base name. There are few of
// them: the letters of the flags, and what other programs put there.
type infoID uint16

// infos numbers info parts. The list only grows, and any goroutine may read or add.
type infos struct {
	list atomic.Pointer[[]string]
	mu   sync.Mutex
	ids  map[string]infoID
}

func newInfos() *infos {
	t := &infos{ids: map[string]infoID{"": 0}}
	t.list.Store(&[]string{""})
	return t
}

// names are the info parts by their numbers.
func (t *infos) names() []string { return *t.list.Load() }

// id returns the number of an info part. Beyond 65,535 different ones it gives
// that of "": the name is then wrong, which a lookup of the file mends.
func (t *infos) id(info string) infoID {
	t.mu.Lock()
	defer t.mu.Unlock()
	if id, ok := t.ids[info]; ok {
		return id
	}
	list := t.names()
	if len(list) > int(^infoID(0)) {
		return 0
	}
	id := infoID(len(list))
	info = strings.Clone(info)
	list = append(list, info)
	t.list.Store(&list)
	t.ids[info] = id
	return id
}

// Bounds that keep one client from filling a mailbox's tables.
const (
	maxKeywords    = 4096
	maxKeywordSets = 1 << 20
)

// keywordTable is the keywords of a mailbox and the sets of them that messages
// have. A published table never changes; add makes the next one.
type keywordTable struct {
	names []string            // by KeywordID
	sets  [][]index.KeywordID // by SetID; ascending; 0 is the empty set
	words [][]string          // the same sets as names
	ids   map[string]index.KeywordID
	byKey map[string]index.SetID
}

func newKeywordTable() *keywordTable {
	return &keywordTable{
		sets: [][]index.KeywordID{nil}, words: [][]string{nil},
		ids: map[string]index.KeywordID{}, byKey: map[string]index.SetID{"": 0},
	}
}

// keywordKey is a keyword without regard to the case of ASCII letters.
func keywordKey(s string) string { return strings.ToLower(s) }

func setKey(ids []index.KeywordID) string {
	b := make([]byte, 0, 4*len(ids))
	for _, id := range ids {
		b = append(b, byte(id), byte(id>>8), byte(id>>16), byte(id>>24))
	}
	return string(b)
}

// name gives a keyword its number, as a KeywordNamed record says.
func (t *keywordTable) name(id index.KeywordID, name string) {
	if id >= maxKeywords {
		return
	}
	for int(id) >= len(t.names) {
		t.names = append(t.names, "")
	}
	t.names[id] = name
	t.ids[keywordKey(name)] = id
}

// set gives a set its number, as a SetNamed record says.
func (t *keywordTable) set(id index.SetID, ids []index.KeywordID) {
	if id >= maxKeywordSets {
		return
	}
	for int(id) >= len(t.sets) {
		t.sets, t.words = append(t.sets, nil), append(t.words, nil)
	}
	var words []string
	for _, k := range ids {
		if int(k) < len(t.names) {
			words = append(words, t.names[k])
		}
	}
	t.sets[id], t.words[id] = slices.Clone(ids), words
	t.byKey[setKey(ids)] = id
}

// clone returns a table that may be added to while this one is shown.
func (t *keywordTable) clone() *keywordTable {
	n := *t
	n.names, n.sets, n.words = slices.Clone(t.names), slices.Clone(t.sets), slices.Clone(t.words)
	n.ids, n.byKey = make(map[string]index.KeywordID, len(t.ids)), make(map[string]index.SetID, len(t.byKey))
	for k, v := range t.ids {
		n.ids[k] = v
	}
	for k, v := range t.byKey {
		n.byKey[k] = v
	}
	return &n
}

func (t *keywordTable) of(id index.SetID) []string {
	if int(id) < len(t.words) {
		return t.words[id]
	}
	return nil
}

// keywordChange applies a FlagChange's keywords to one set after the other and
// collects the records that must come before them.
type keywordChange struct {
	table   *keywordTable // a clone once something was added
	cloned  bool
	op      mail.FlagOp
	ids     []index.KeywordID // of the change's keywords, ascending
	done    map[index.SetID]index.SetID
	records []index.Record
}

// newKeywordChange numbers the change's keywords. A keyword that is only removed
// gets no number.
func newKeywordChange(t *keywordTable, c mail.FlagChange) (*keywordChange, error) {
	k := &keywordChange{table: t, op: c.Op, done: map[index.SetID]index.SetID{}}
	for _, name := range c.Keywords {
		id, ok := t.ids[keywordKey(name)]
		switch {
		case ok:
		case c.Op == mail.RemoveFlags:
			continue
		default:
			k.own()
			t = k.table
			id = index.KeywordID(len(t.names))
			if id >= maxKeywords {
				return nil, ErrKeywords
			}
			t.name(id, strings.Clone(name))
			k.records = append(k.records, index.KeywordNamed{ID: id, Name: name})
		}
		k.ids = append(k.ids, id)
	}
	slices.Sort(k.ids)
	k.ids = slices.Compact(k.ids)
	return k, nil
}

func (k *keywordChange) own() {
	if !k.cloned {
		k.table, k.cloned = k.table.clone(), true
	}
}

// apply returns the set that a message has after the change.
func (k *keywordChange) apply(old index.SetID) (index.SetID, error) {
	if k.op != mail.ReplaceFlags && len(k.ids) == 0 {
		return old, nil
	}
	if id, ok := k.done[old]; ok {
		return id, nil
	}
	var ids []index.KeywordID
	if int(old) < len(k.table.sets) {
		ids = k.table.sets[old]
	}
	id, err := k.number(combine(k.op, ids, k.ids))
	if err != nil {
		return 0, err
	}
	k.done[old] = id
	return id, nil
}

// number returns the number of a set, a new one if need be.
func (k *keywordChange) number(ids []index.KeywordID) (index.SetID, error) {
	if id, ok := k.table.byKey[setKey(ids)]; ok {
		return id, nil
	}
	k.own()
	id := index.SetID(len(k.table.sets))
	if id >= maxKeywordSets {
		return 0, ErrKeywords
	}
	k.table.set(id, ids)
	k.records = append(k.records, index.SetNamed{ID: id, Keywords: ids})
	return id, nil
}

func combine(op mail.FlagOp, old, change []index.KeywordID) []index.KeywordID {
	switch op {
	case mail.AddFlags:
		ids := slices.Concat(old, change)
		slices.Sort(ids)
		return slices.Compact(ids)
	case mail.RemoveFlags:
		return slices.DeleteFunc(slices.Clone(old), func(id index.KeywordID) bool { return slices.Contains(change, id) })
	}
	return change
}
