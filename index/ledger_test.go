package index

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postrider/mail"
	"postrider/vfs"
	"postrider/vfs/memfs"
)

func testLedger(d vfs.Dir, now func() time.Time) *Ledger {
	var mu sync.Mutex
	return OpenLedger(d, now, func() (func(), error) { mu.Lock(); return mu.Unlock, nil })
}

func TestLedgerRemembers(t *testing.T) {
	fs := memfs.New(memfs.Options{})
	d := testDir(t, fs)
	l := testLedger(d, clock)
	a, _ := l.NextValidity()
	b, err := l.NextValidity()
	if err != nil || a != 1_700_000_000 || b != a+1 {
		t.Errorf("validities %d, %d: %v", a, b, err)
	}
	id, err := l.ID("Work")
	if err != nil || id == (MailboxID{}) {
		t.Fatal(id, err)
	}
	for _, step := range []error{
		l.Note("Work/2024", Marks{7, 50, 60}), l.Note("Work/2024", Marks{7, 40, 70}), l.SetSpecialUse("Work", []string{`\Sent`, `\Flagged`}),
		l.Note("Workshop", Marks{8, 1, 1}), l.Renamed("Work", "Job"),
	} {
		if step != nil {
			t.Fatal(step)
		}
	}
	l = testLedger(testDir(t, fs.CrashClone(func(string) bool { return false })), func() time.Time { return time.Unix(5, 0) })
	if v, _ := l.NextValidity(); v != b+1 {
		t.Errorf("with a clock that went back: %d, want %d", v, b+1)
	}
	for n, want := range map[mail.Name]Marks{"Job/2024": {7, 50, 70}, "Work/2024": {}, "Workshop": {8, 1, 1}} {
		if got, err := l.Floor(n); got != want || err != nil {
			t.Errorf("marks of %s: %v %v, want %v", n, got, err, want)
		}
	}
	uses, err := l.SpecialUse()
	if d := cmp.Diff(map[mail.Name][]string{"Job": {`\Sent`, `\Flagged`}}, uses); d != "" || err != nil {
		t.Error(d, err)
	}
	if again, _ := l.ID("Job"); again != id {
		t.Errorf("id %x after the renaming, want %x", again, id)
	}
	if err := l.Renamed("Job", ""); err != nil {
		t.Fatal(err)
	}
	if other, _ := l.ID("Job"); other == id {
		t.Error("a new mailbox of the name has the old one's id")
	}
}

func TestDamagedLedgerIsKeptAside(t *testing.T) {
	d := testDir(t, memfs.New(memfs.Options{}))
	l := testLedger(d, clock)
	l.Note("Work", Marks{7, 50, 60})
	b := contents(t, d, ledgerName)
	b[len(b)-1] ^= 1
	l.Note("Other", Marks{8, 1, 1})
	b = append(b, contents(t, d, ledgerName)[len(b):]...)
	replace(t, d, ledgerName, b)
	l = testLedger(d, clock)
	if m, err := l.Floor("Work"); m != (Marks{}) || err != nil {
		t.Errorf("read %v, %v", m, err)
	}
	if _, err := l.NextValidity(); err != nil {
		t.Fatal(err)
	}
	kept := 0
	d.List(func(name string, _ vfs.Type) bool {
		if name != ledgerName {
			kept++
		}
		return true
	})
	if kept != 1 {
		t.Errorf("%d files kept aside, want 1", kept)
	}
	b = contents(t, d, ledgerName)
	b[8] = 9
	replace(t, d, ledgerName, b)
	if _, err := l.NextValidity(); !errors.Is(err, ErrNewer) {
		t.Errorf("a newer version: %v", err)
	}
}

func TestLedgerKeepsWhatALaterVersionAdded(t *testing.T) {
	d := testDir(t, memfs.New(memfs.Options{}))
	l := testLedger(d, clock)
	s := ledgerState{mailboxes: map[mail.Name]ledgerMailbox{"A": {marks: Marks{3, 5, 0}, rest: "more"}}}
	if err := l.rewrite(&s); err != nil {
		t.Fatal(err)
	}
	l.Note("A", Marks{3, 6, 1})
	got, err := testLedger(d, clock).read()
	if err != nil || got.mailboxes["A"].rest != "more" || got.mailboxes["A"].marks != (Marks{3, 6, 1}) {
		t.Errorf("%+v, %v", got, err)
	}
}
