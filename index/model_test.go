package index

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postrider/mail"
	"postrider/vfs"
)

// model is the state that batches come to, in the plainest form.
type model struct {
	validity mail.UIDValidity
	next     mail.UID
	modseq   mail.ModSeq
	recent   mail.UID
	messages map[mail.UID]Message
	keywords map[KeywordID]string
	sets     map[SetID]string
	gone     map[mail.Range[mail.UID]]mail.ModSeq
	marks    map[string]string
}

func newModel() *model {
	return &model{messages: map[mail.UID]Message{}, keywords: map[KeywordID]string{}, sets: map[SetID]string{},
		gone: map[mail.Range[mail.UID]]mail.ModSeq{}, marks: map[string]string{}}
}

func (m *model) apply(b *Batch) error {
	m.modseq = max(m.modseq, b.ModSeq)
	change := func(uid mail.UID, f func(*Message)) {
		if x, ok := m.messages[uid]; ok {
			f(&x)
			m.messages[uid] = x
		}
	}
	for _, r := range b.Records {
		switch r := r.(type) {
		case Appended:
			if r.ModSeq == 0 {
				r.ModSeq = b.ModSeq
			}
			m.messages[r.UID] = r.Message
			m.next = max(m.next, r.UID+1)
		case FlagsSet:
			change(r.UID, func(x *Message) { x.Flags, x.New, x.Info, x.ModSeq = r.Flags, r.New, r.Info, b.ModSeq })
		case Renamed:
			change(r.UID, func(x *Message) { x.New, x.Info = r.New, r.Info })
		case KeywordsSet:
			change(r.UID, func(x *Message) { x.Keywords, x.ModSeq = r.Set, b.ModSeq })
		case Known:
			change(r.UID, func(x *Message) {
				x.Size, x.CRLFSize, x.Internal, x.Ino, x.EmailID = r.Size, r.CRLFSize, r.Internal, r.Ino, r.EmailID
			})
		case KeywordNamed:
			m.keywords[r.ID] = r.Name
		case SetNamed:
			m.sets[r.ID] = fmt.Sprint(r.Keywords)
		case Vanished:
			at := r.ModSeq
			if at == 0 {
				at = b.ModSeq
			}
			for _, g := range r.UIDs {
				maps.DeleteFunc(m.messages, func(uid mail.UID, _ Message) bool { return g.First <= uid && uid <= g.Last })
				m.gone[g] = at
			}
		case ValiditySet:
			m.validity, m.next = r.UIDValidity, max(m.next, r.UIDNext)
		case RecentClaimed:
			m.recent = max(m.recent, r.UpTo)
		case Mark:
			m.marks[r.Name] = r.Value
		}
	}
	return nil
}

// head and rows are the model as a checkpoint.
func (m *model) head() []Record {
	out := []Record{ValiditySet{m.validity, m.next}, RecentClaimed{m.recent}}
	for id, name := range m.keywords {
		out = append(out, KeywordNamed{id, name})
	}
	for g, at := range m.gone {
		out = append(out, Vanished{UIDs: mail.UIDSet{g}, ModSeq: at})
	}
	return out
}

func (m *model) rows(yield func(*Message) bool) {
	uids := make([]mail.UID, 0, len(m.messages))
	for uid := range m.messages {
		uids = append(uids, uid)
	}
	slices.Sort(uids)
	for _, uid := range uids {
		x := m.messages[uid]
		if !yield(&x) {
			return
		}
	}
}

func (m *model) compact(j *Journal) error {
	return j.Compact(m.modseq, func(yield func(Record) bool) {
		for _, r := range m.head() {
			if !yield(r) {
				return
			}
		}
		for x := range m.rows {
			if !yield(Appended{*x}) {
				return
			}
		}
	})
}

// diff says how two models differ, the numbers that may jump left out.
func (m *model) diff(o *model) string {
	return cmp.Diff([]any{m.validity, m.messages, m.gone, m.keywords}, []any{o.validity, o.messages, o.gone, o.keywords})
}

func testDir(t testing.TB, fs vfs.FS) vfs.Dir {
	t.Helper()
	if err := fs.MkdirAll("/m", 0o700); err != nil {
		t.Fatal(err)
	}
	d, err := fs.OpenDir("/m")
	if err != nil {
		t.Fatal(err)
	}
	return d
}

var clock = func() time.Time { return time.Unix(1_700_000_000, 0) }

func mustOpen(t testing.TB, d vfs.Dir) (*Journal, Opened) {
	t.Helper()
	j, found, err := Open(d, Options{Now: clock, Fsync: true})
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	return j, found
}

// load opens what is in d: snapshot, then tail.
func load(t testing.TB, d vfs.Dir) (*Journal, *model, Opened) {
	t.Helper()
	j, found := mustOpen(t, d)
	m := newModel()
	s, err := j.OpenSnapshot()
	if err != nil {
		t.Fatalf("snapshot: %v", err)
	}
	if s != nil {
		modseq, head := s.Head()
		m.apply(&Batch{ModSeq: modseq, Records: head})
		for i := range s.Chunks() {
			rows, err := s.Chunk(i, nil)
			if err != nil {
				t.Fatalf("chunk %d: %v", i, err)
			}
			for _, x := range rows {
				m.messages[x.UID] = x
			}
		}
		s.Close()
	}
	if err := j.ReadTail(m.apply); err != nil {
		t.Fatalf("read: %v", err)
	}
	return j, m, found
}

func message(uid mail.UID) Message {
	return Message{UID: uid, Flags: mail.Seen, New: uid%2 == 0, Size: int64(uid) * 10, CRLFSize: -1, Internal: 5, Saved: -7, Ino: 1 << 60,
		EmailID: EmailID{1, 2, byte(uid)}, Base: fmt.Sprintf("17000.M%dP1.host,S=5", uid), Info: ":2,S"}
}

// sample is a batch of every kind of record.
func sample() []Batch {
	return []Batch{
		{ModSeq: 1, At: 9, Records: []Record{ValiditySet{77, 1}}},
		{ModSeq: 2, At: 10, Records: []Record{Appended{message(1)}, Appended{message(2)}, Appended{message(9)}}},
		{ModSeq: 3, At: 11, Records: []Record{KeywordNamed{0, "$Label1"}, KeywordNamed{1, "x"}, SetNamed{1, []KeywordID{0, 1}}, KeywordsSet{2, 1}}},
		{ModSeq: 4, At: 12, Records: []Record{FlagsSet{1, mail.Deleted, false, ":2,T"}, Vanished{UIDs: mail.UIDSet{{First: 2, Last: 2}, {First: 4, Last: 1<<32 - 1}}}}},
		{ModSeq: 4, At: 13, Records: []Record{RecentClaimed{9}, Renamed{1, false, ":2,ST"}, Known{UID: 1, Size: 1, CRLFSize: 2, Internal: 3, Ino: 4, EmailID: EmailID{9}},
			Mark{"a", "b"}, Unknown{0xf0, []byte("later")}, VanishedForgotten{1},
			Times{FolderTimes: mail.FolderTimes{New: time.Unix(5, 6), Cur: time.Unix(-5, 6)}, NewKnown: true, CurKnown: true}}},
	}
}
