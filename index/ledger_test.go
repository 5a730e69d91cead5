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
		l.Note("Work/2024", 50, 60), l.Note("Work/2024", 40, 70), l.SetSpecialUse("Work", []string{`\Sent`, `\Flagged`}),
		l.Note("Workshop", 1, 1), l.Renamed("Work", "Job"),
	} {
		if step != nil {
			t.Fatal(step)
		}
	}
	l = testLedger(testDir(t, fs.CrashClone(func(string) bool { return false })), func() time.Time { return time.Unix(5, 0) })
	if v, _ := l.NextValidity(); v != b+1 {
		t.Errorf("with a clock that went back: %d, want %d", v, b+1)
	}
	if uid, modseq, _ := l.Floor("Job/2024"); uid != 50 || modseq != 70 {
		t.Errorf("marks %d %d", uid, modseq)
	}
	if uid, _, _ := l.Floor("Work/2024"); uid != 0 {
		t.Errorf("marks of the old name: %d", uid)
	}
	if uid, _, _ := l.Floor("Workshop"); uid != 1 {
		t.Errorf("marks of a name that only begins so: %d", uid)
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
	l.Note("Work", 50, 60)
	b := contents(t, d, ledgerName)
	b[len(b)-1] ^= 1
	replace(t, d, ledgerName, b)
	if uid, _, err := l.Floor("Work"); uid != 0 || err != nil {
		t.Errorf("read %d, %v", uid, err)
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
	s := ledgerState{mailboxes: map[mail.Name]ledgerMailbox{"A": {uidNext: 5, rest: []byte("more")}}}
	if err := l.write(&s); err != nil {
		t.Fatal(err)
	}
	l.Note("A", 6, 1)
	got, err := l.read()
	if err != nil || string(got.mailboxes["A"].rest) != "more" || got.mailboxes["A"].uidNext != 6 {
		t.Errorf("%+v, %v", got, err)
	}
}
