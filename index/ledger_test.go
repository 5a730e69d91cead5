package index

import (
	"context"
	"errors"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"postrider/mail"
	"postrider/vfs"
	"postrider/vfs/memfs"
)

// ledgers returns two ledgers of one directory, as two processes have them.
func ledgers(t *testing.T, now func() time.Time) (dir vfs.Dir, a, b *Ledger) {
	t.Helper()
	dir, err := memfs.New(memfs.Options{}).OpenDir("/")
	if err != nil {
		t.Fatal(err)
	}
	lock := func() (func(), error) { return dir.Lock(context.Background()) }
	return dir, OpenLedger(dir, now, lock), OpenLedger(dir, now, lock)
}

func TestLedgerValiditiesAreNeverUsedTwice(t *testing.T) {
	_, a, b := ledgers(t, func() time.Time { return time.Unix(1000, 0) })
	var mu sync.Mutex
	var all []mail.UIDValidity
	var takers sync.WaitGroup
	for _, l := range []*Ledger{a, b, a} {
		takers.Go(func() {
			for range 50 {
				v, err := l.NextValidity()
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				all = append(all, v)
				mu.Unlock()
			}
		})
	}
	takers.Wait()
	slices.Sort(all)
	if len(slices.Compact(slices.Clone(all))) != 150 || all[0] != 1000 || all[149] != 1149 {
		t.Errorf("%d given, from %d to %d", len(all), all[0], all[len(all)-1])
	}
}

func TestLedgerFollowsRenames(t *testing.T) {
	_, a, b := ledgers(t, time.Now)
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(a.SetSpecialUse("A", []string{`\Sent`, `\Archive`}))
	check(a.SetSpecialUse("A/b", []string{`\Junk`}))
	check(a.SetSpecialUse("Ab", []string{`\Trash`}))
	check(a.Note("A/b", 7, 9))
	check(a.Note("A/b", 5, 11))
	check(b.Renamed("A", "X/A"))
	check(b.Forget("X/A"))
	uses, err := a.SpecialUse()
	check(err)
	if len(uses) != 2 || !slices.Equal(uses["X/A/b"], []string{`\Junk`}) || !slices.Equal(uses["Ab"], []string{`\Trash`}) {
		t.Errorf("%q", uses)
	}
	for name, want := range map[mail.Name]mail.UID{"A/b": 0, "X/A/b": 7} {
		if next, modseq, err := a.Floor(name); err != nil || next != want || want > 0 && modseq != 11 {
			t.Errorf("%s: %d, %d, %v", name, next, modseq, err)
		}
	}
}

func TestLedgerThatIsDamaged(t *testing.T) {
	dir, a, _ := ledgers(t, func() time.Time { return time.Unix(1000, 0) })
	if err := a.SetSpecialUse("A", []string{`\Sent`}); err != nil {
		t.Fatal(err)
	}
	f, err := dir.OpenFile(ledgerName, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	for off := range info.Size {
		var b [1]byte
		if _, err := f.ReadAt(b[:], off); err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteAt([]byte{b[0] ^ 0x55}, off); err != nil {
			t.Fatal(err)
		}
		uses, err := a.SpecialUse()
		if newer := off >= 8 && off < 12; errors.Is(err, ErrNewer) != newer || !newer && (err != nil || len(uses) > 0) {
			t.Errorf("byte %d is wrong: %q, %v", off, uses, err)
		}
		if _, err := f.WriteAt(b[:], off); err != nil {
			t.Fatal(err)
		}
	}
	if uses, err := a.SpecialUse(); err != nil || len(uses) != 1 {
		t.Errorf("%q, %v", uses, err)
	}
}
