package index

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postrider/mail"
	"postrider/vfs"
	"postrider/vfs/faultfs"
	"postrider/vfs/memfs"
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

func TestRecordsSurviveARoundTrip(t *testing.T) {
	d := testDir(t, memfs.New(memfs.Options{}))
	j, found := mustOpen(t, d)
	if !found.Fresh || found.Moved {
		t.Fatalf("a new journal: %+v", found)
	}
	want := sample()
	for _, b := range want {
		if _, err := j.Append(&b); err != nil {
			t.Fatal(err)
		}
	}
	j.Close()
	j, found = mustOpen(t, d)
	if found != (Opened{}) {
		t.Fatalf("an old journal: %+v", found)
	}
	var got []Batch
	if err := j.ReadTail(func(b *Batch) error { got = append(got, *b); return nil }); err != nil {
		t.Fatal(err)
	}
	for i := range got {
		got[i].durable = 0
	}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(Batch{})); d != "" {
		t.Error(d)
	}
}

func TestTornTailIsCutAndTheRestCounts(t *testing.T) {
	for _, torn := range [][]byte{{1}, make([]byte, 5), make([]byte, 4096), {200, 0, 0, 0, 1, 2, 3, 4, 5}, {0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4}} {
		d := testDir(t, memfs.New(memfs.Options{}))
		j, _ := mustOpen(t, d)
		for _, b := range sample() {
			j.Append(&b)
		}
		end := j.Pos()
		j.Sync(end)
		j.file.WriteAt(torn, end)
		j.Close()
		j, m, _ := load(t, d)
		if len(m.messages) != 1 || j.Pos() != end || j.Damage() != nil {
			t.Fatalf("%d bytes torn: %d messages, at %d, want 1 at %d; %v", len(torn), len(m.messages), j.Pos(), end, j.Damage())
		}
		if grown, err := j.Grown(); grown || err != nil {
			t.Errorf("%d bytes torn: grown %v %v", len(torn), grown, err)
		}
		if _, err := j.Append(&Batch{ModSeq: 5, Records: []Record{Appended{message(20)}}}); err != nil {
			t.Fatal(err)
		}
		j.Close()
		if _, m, _ = load(t, d); m.messages[20].UID != 20 {
			t.Errorf("%d bytes torn: what was appended over them is not there", len(torn))
		}
	}
}

func TestDamageOfWhatWasDurableIsSkippedAndNumbersJump(t *testing.T) {
	d := testDir(t, memfs.New(memfs.Options{}))
	j, _ := mustOpen(t, d)
	j.Append(&Batch{ModSeq: 1, Records: []Record{ValiditySet{7, 1}}})
	bad, _ := j.Append(&Batch{ModSeq: 2, Records: []Record{Appended{message(1)}}})
	end, _ := j.Append(&Batch{ModSeq: 3, Records: []Record{Appended{message(2)}}})
	j.Append(&Batch{ModSeq: 4, Records: []Record{Appended{message(3)}}})
	j.Sync(j.Pos())
	j.file.WriteAt([]byte("rot"), end-40)
	j.Close()

	j, m, _ := load(t, d) // nothing says that it was durable: a torn tail
	if m.messages[1].UID != 1 || m.messages[3].UID != 0 || j.Damage() != nil || j.Pos() != bad {
		t.Errorf("without a witness: %v, damage %v", m.messages, j.Damage())
	}
	j.Close()

	d = testDir(t, memfs.New(memfs.Options{}))
	j, _ = mustOpen(t, d)
	j.Append(&Batch{ModSeq: 1, Records: []Record{ValiditySet{7, 1}}})
	j.Append(&Batch{ModSeq: 2, Records: []Record{Appended{message(1)}}})
	end, _ = j.Append(&Batch{ModSeq: 3, Records: []Record{Appended{message(2)}}})
	j.Sync(end)
	j.Append(&Batch{ModSeq: 4, Records: []Record{FlagsSet{1, 0, false, ""}}})
	j.file.WriteAt([]byte("rot"), end-40)
	j.Close()
	j, m, _ = load(t, d)
	if m.messages[1].ModSeq != 4 || len(m.messages) != 1 || j.Damage() == nil {
		t.Errorf("with a witness: %v, damage %v", m.messages, j.Damage())
	}
	if m.next < jumpBy || m.modseq < jumpBy {
		t.Errorf("UIDNEXT %d and mod-sequence %d did not jump over what was lost", m.next, m.modseq)
	}
}

func TestUnknownRecordMakesTheJournalReadOnly(t *testing.T) {
	d := testDir(t, memfs.New(memfs.Options{}))
	j, _ := mustOpen(t, d)
	j.Append(&Batch{ModSeq: 1, Records: []Record{ValiditySet{7, 1}, Unknown{0x7f, []byte{1}}, Appended{message(1)}}})
	j.Append(&Batch{ModSeq: 2, Records: []Record{Appended{message(2)}}})
	j.Close()
	j, m, _ := load(t, d)
	if len(m.messages) != 2 {
		t.Errorf("%d messages, want the 2 that are understood", len(m.messages))
	}
	_, err := j.Append(&Batch{ModSeq: 3})
	if !errors.Is(err, ErrReadOnly) || !errors.Is(j.ReadOnly(), ErrReadOnly) {
		t.Errorf("append: %v; %v", err, j.ReadOnly())
	}
	if err := m.compact(j); !errors.Is(err, ErrReadOnly) {
		t.Errorf("compact: %v", err)
	}
}

func TestNewerFormatVersionIsRefused(t *testing.T) {
	d := testDir(t, memfs.New(memfs.Options{}))
	j, _ := mustOpen(t, d)
	head := makeHead(1, 1, clock())
	head[8] = 2
	le32(head[headLen-4:], castagnoli(head[:headLen-4]))
	j.file.WriteAt(head, 0)
	j.Close()
	if _, _, err := Open(d, Options{}); !errors.Is(err, ErrNewer) {
		t.Errorf("got %v", err)
	}
	if _, err := d.Stat(journalName); err != nil {
		t.Errorf("the file of the newer version: %v", err)
	}
}

func le32(b []byte, v uint32) { b[0], b[1], b[2], b[3] = byte(v), byte(v>>8), byte(v>>16), byte(v>>24) }

// copyJournal does what cp and a restore do: the same bytes in another inode.
func copyJournal(t *testing.T, d vfs.Dir) {
	t.Helper()
	old, err := d.Open(journalName)
	if err != nil {
		t.Fatal(err)
	}
	info, _ := old.Stat()
	b := make([]byte, info.Size)
	old.ReadAt(b, 0)
	f, err := d.OpenFile("copy", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	f.WriteAt(b, 0)
	if err := d.Rename("copy", d, journalName); err != nil {
		t.Fatal(err)
	}
}

func TestCopiedJournalSaysMovedUntilTheJumpIsWritten(t *testing.T) {
	d := testDir(t, memfs.New(memfs.Options{}))
	j, _ := mustOpen(t, d)
	j.Append(&Batch{ModSeq: 1, Records: []Record{ValiditySet{7, 10}}})
	j.Close()
	copyJournal(t, d)
	for range 2 { // a crash before the jump
		j, found := mustOpen(t, d)
		if !found.Moved || found.Fresh {
			t.Fatalf("%+v", found)
		}
		j.Close()
	}
	j, _, _ = load(t, d)
	if _, err := j.Append(&Batch{ModSeq: 2 + jumpBy, Records: []Record{ValiditySet{7, 10 + jumpBy}}}); err != nil {
		t.Fatal(err)
	}
	j.Close()
	if j, found := mustOpen(t, d); found.Moved {
		t.Errorf("after the jump: %+v", found)
	} else {
		j.Close()
	}
}

func TestFollowerSeesTailAndReplacement(t *testing.T) {
	d := testDir(t, memfs.New(memfs.Options{}))
	a, _ := mustOpen(t, d)
	b, _ := mustOpen(t, d)
	ma, mb := newModel(), newModel()
	for _, batch := range sample() {
		if _, err := a.Append(&batch); err != nil {
			t.Fatal(err)
		}
		ma.apply(&batch)
	}
	if grown, _ := b.Grown(); !grown {
		t.Error("the follower does not see that the file grew")
	}
	if err := b.ReadTail(mb.apply); err != nil {
		t.Fatal(err)
	}
	if d := ma.diff(mb); d != "" {
		t.Error(d)
	}
	if grown, _ := b.Grown(); grown {
		t.Error("grown after all was read")
	}
	if err := ma.compact(a); err != nil {
		t.Fatal(err)
	}
	if grown, _ := b.Grown(); !grown {
		t.Error("the follower does not see that the journal was replaced")
	}
	if err := b.ReadTail(mb.apply); !errors.Is(err, ErrReplaced) {
		t.Errorf("the follower got %v", err)
	}
	b.Close()
	c, mc, _ := load(t, d)
	if d := ma.diff(mc); d != "" || c.Generation() != 2 {
		t.Errorf("generation %d: %s", c.Generation(), d)
	}
}

// isJournalSync reports whether a journal's bytes are synced, by the name under which
// its file was opened: a new journal begins under another one.
func isJournalSync(op faultfs.Op) bool {
	return op.Kind == "sync" && strings.HasPrefix(op.Path, "/m/"+journalName)
}

func TestFailedSyncIsNeverTriedAgain(t *testing.T) {
	syncs := 0
	broken := true
	var armed atomic.Bool
	fs := faultfs.Wrap(memfs.New(memfs.Options{}), func(op faultfs.Op) error {
		if armed.Load() && isJournalSync(op) {
			if syncs++; broken {
				return syscall.EIO
			}
		}
		return nil
	})
	d := testDir(t, fs)
	j, _ := mustOpen(t, d)
	armed.Store(true)
	m := newModel()
	b := Batch{ModSeq: 1, Records: []Record{ValiditySet{7, 1}, Appended{message(1)}}}
	end, err := j.Append(&b)
	if err != nil {
		t.Fatal(err)
	}
	m.apply(&b)
	for range 3 {
		if err := j.Sync(end); !errors.Is(err, ErrSyncFailed) || !errors.Is(err, syscall.EIO) {
			t.Errorf("sync: %v", err)
		}
	}
	if syncs != 1 {
		t.Errorf("%d fsyncs, want one", syncs)
	}
	if _, err := j.Append(&Batch{ModSeq: 2}); !errors.Is(err, ErrSyncFailed) {
		t.Errorf("append: %v", err)
	}
	broken = false
	if err := m.compact(j); err != nil {
		t.Fatal(err)
	}
	end, err = j.Append(&Batch{ModSeq: 2, Records: []Record{Appended{message(2)}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Sync(end); err != nil {
		t.Errorf("the new generation: %v", err)
	}
}

func TestManyWaitersShareOneSync(t *testing.T) {
	var mu sync.Mutex
	var armed atomic.Bool
	syncs := 0
	enter, leave := make(chan struct{}), make(chan struct{})
	fs := faultfs.Wrap(memfs.New(memfs.Options{}), func(op faultfs.Op) error {
		if !armed.Load() || !isJournalSync(op) {
			return nil
		}
		mu.Lock()
		syncs++
		first := syncs == 1
		mu.Unlock()
		if first {
			close(enter)
			<-leave
		}
		return nil
	})
	j, _ := mustOpen(t, testDir(t, fs))
	armed.Store(true)
	first, _ := j.Append(&Batch{ModSeq: 1})
	var wg sync.WaitGroup
	wg.Go(func() { j.Sync(first) })
	<-enter
	second, _ := j.Append(&Batch{ModSeq: 2})
	for range 20 {
		wg.Go(func() {
			if err := j.Sync(second); err != nil || j.Durable() < second {
				t.Errorf("durable to %d: %v", j.Durable(), err)
			}
		})
	}
	close(leave)
	wg.Wait()
	if syncs != 2 {
		t.Errorf("%d fsyncs for 21 waiters, want 2", syncs)
	}
}

func TestSyncThatOverlapsACompaction(t *testing.T) {
	enter, leave := make(chan struct{}), make(chan struct{})
	var once sync.Once
	var armed atomic.Bool
	fs := faultfs.Wrap(memfs.New(memfs.Options{}), func(op faultfs.Op) (err error) {
		if armed.Load() && isJournalSync(op) {
			once.Do(func() {
				close(enter)
				<-leave
				armed.Store(false) // only the old file's sync fails
				err = syscall.EIO
			})
		}
		return err
	})
	j, _ := mustOpen(t, testDir(t, fs))
	armed.Store(true)
	m := newModel()
	b := Batch{ModSeq: 1, Records: []Record{ValiditySet{7, 1}}}
	for range 50 {
		j.Append(&b)
	}
	end := j.Pos()
	m.apply(&b)
	done := make(chan error)
	go func() { done <- j.Sync(end) }()
	<-enter
	go func() { done <- m.compact(j) }()
	close(leave)
	for range 2 {
		if err := <-done; err != nil && !errors.Is(err, ErrSyncFailed) {
			t.Error(err)
		}
	}
	if err := j.Sync(end); err != nil {
		t.Errorf("a position of the old journal is durable in the new: %v", err)
	}
	if _, err := j.Append(&b); err != nil {
		t.Errorf("the old file's failure reached the new one: %v", err)
	}
}

func TestFullDiskKeepsRoomForFlags(t *testing.T) {
	fs := memfs.New(memfs.Options{})
	d := testDir(t, fs)
	j, _ := mustOpen(t, d)
	j.Append(&Batch{ModSeq: 1, Records: []Record{ValiditySet{7, 1}, Appended{message(1)}}})
	fs.SetQuota(fs.Used())
	var err error
	n := mail.UID(2)
	for ; err == nil && n < 10000; n++ {
		_, err = j.Append(&Batch{ModSeq: mail.ModSeq(n), Records: []Record{Appended{message(n)}}})
	}
	if !errors.Is(err, ErrFull) || !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("after %d messages: %v", n, err)
	}
	for k := range 300 {
		if _, err := j.Append(&Batch{ModSeq: mail.ModSeq(n) + mail.ModSeq(k), Records: []Record{FlagsSet{1, mail.Deleted, false, ":2,T"}}}); err != nil {
			t.Fatalf("flag change %d on a full disk: %v", k, err)
		}
	}
	if err := j.Sync(j.Pos()); err != nil {
		t.Fatal(err)
	}
	fs.SetQuota(0)
	if _, err := j.Append(&Batch{ModSeq: 1 << 20, Records: []Record{Appended{message(1 << 20)}}}); err != nil {
		t.Errorf("with space again: %v", err)
	}
}
