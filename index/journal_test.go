package index

import (
	"errors"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"postrider/vfs"
	"postrider/vfs/memfs"
)

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

// The two signs of a replaced journal each do alone: the mark, where a file system
// keeps the old file's name for those who have it open, and the lost name, where the
// process that replaced it died before it wrote the mark.
func TestEachSignOfAReplacedJournalIsEnough(t *testing.T) {
	d := testDir(t, memfs.New(memfs.Options{}))
	j, _ := mustOpen(t, d)
	m := newModel()
	if err := d.Link(journalName, d, "still here"); err != nil {
		t.Fatal(err)
	}
	marked, _ := mustOpen(t, d)
	if err := m.compact(j); err != nil {
		t.Fatal(err)
	}
	if err := marked.ReadTail(m.apply); !errors.Is(err, ErrReplaced) {
		t.Errorf("with the mark alone: %v", err)
	}
	unmarked, _ := mustOpen(t, d)
	copyJournal(t, d)
	if grown, _ := unmarked.Grown(); !grown {
		t.Error("a journal without a name does not look grown")
	}
	if err := unmarked.ReadTail(m.apply); !errors.Is(err, ErrReplaced) {
		t.Errorf("without a name: %v", err)
	}
}
