package index

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"syscall"
	"testing"

	"postrider/mail"
	"postrider/vfs/faultfs"
	"postrider/vfs/memfs"
)

// A change costs what it changes, not what the account holds, and the file does not
// grow without end.
func TestLedgerCostsTheSizeOfTheChange(t *testing.T) {
	fs := memfs.New(memfs.Options{})
	d := testDir(t, fs)
	l := testLedger(d, clock)
	s := ledgerState{mailboxes: map[mail.Name]ledgerMailbox{}}
	for i := range 20_000 {
		s.mailboxes[mail.Name(fmt.Sprintf("Archive/%05d", i))] = ledgerMailbox{marks: Marks{7, 1, 1}}
	}
	if err := l.rewrite(&s); err != nil {
		t.Fatal(err)
	}
	before := len(contents(t, d, ledgerName))
	if err := l.Note("Archive/00007", Marks{7, 5000, 5000}); err != nil {
		t.Fatal(err)
	}
	if grown := len(contents(t, d, ledgerName)) - before; grown < 20 || grown > 100 {
		t.Errorf("one note takes %d octets", grown)
	}
	small := testLedger(testDir(t, memfs.New(memfs.Options{})), clock)
	for i := range 10_000 {
		if err := small.Note("A", Marks{7, mail.UID(i), 1}); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(contents(t, small.dir, ledgerName)); n > 2*ledgerSlack {
		t.Errorf("10,000 notes of one mailbox take %d octets", n)
	}
	if m, err := testLedger(small.dir, clock).Floor("A"); m.UIDNext != 9999 || err != nil {
		t.Errorf("%v %v", m, err)
	}
}

// Two processes see each other's changes.
func TestLedgerOfTwoProcesses(t *testing.T) {
	d := testDir(t, memfs.New(memfs.Options{}))
	a, b := testLedger(d, clock), testLedger(d, clock)
	for i := range 3000 {
		l, other := a, b
		if i%2 == 1 {
			l, other = b, a
		}
		want := Marks{7, mail.UID(i), mail.ModSeq(i)}
		if err := l.Note("A", want); err != nil {
			t.Fatal(err)
		}
		if got, err := other.Floor("A"); got != want || err != nil {
			t.Fatalf("the other sees %v %v, want %v", got, err, want)
		}
	}
}

// What was noted is there after a power loss at any operation, and whichever
// operation fails, the ledger holds what it said that it holds.
func TestLedgerIsDurable(t *testing.T) {
	failed := true
	for n := 1; failed; n++ {
		failed = false
		for _, errno := range []syscall.Errno{syscall.EIO, syscall.ENOSPC} {
			inner := memfs.New(memfs.Options{})
			testDir(t, inner)
			seen, acked := 0, map[mail.Name]Marks{}
			fs := faultfs.Wrap(inner, func(op faultfs.Op) error {
				checkLedger(t, fmt.Sprintf("operation %d of %d, %v", seen, n, errno), inner, acked, func(string) bool { return seen%2 == 0 })
				if seen++; seen == n {
					failed = true
					return errno
				}
				return nil
			})
			d, err := fs.OpenDir("/m")
			if err != nil {
				continue
			}
			l := testLedger(d, clock)
			for i := range 6 {
				name := mail.Name(fmt.Sprint("box", i%2))
				if m := (Marks{7, mail.UID(i + 1), 1}); l.Note(name, m) == nil {
					acked[name] = m
				}
			}
			if len(acked) == 0 {
				t.Errorf("operation %d failed, and nothing could be noted any more", n)
			}
			checkLedger(t, fmt.Sprintf("operation %d of %d, %v", seen, n, errno), inner, acked, func(string) bool { return false })
		}
	}
}

func checkLedger(t *testing.T, where string, fs *memfs.FS, acked map[mail.Name]Marks, keep func(string) bool) {
	t.Helper()
	l := testLedger(testDir(t, fs.CrashClone(keep)), clock)
	for name, want := range maps.All(acked) {
		if got, err := l.Floor(name); err != nil || got.UIDNext < want.UIDNext {
			t.Errorf("%s: %s has the marks %v %v, noted was %v", where, name, got, err, want)
		}
	}
	if _, err := l.NextValidity(); err != nil {
		t.Error(err)
	}
}

// A file of another version, older ones included, is refused and not touched.
func TestLedgerOfAnotherVersion(t *testing.T) {
	for version, kind := range map[byte]error{1: ErrOlder, 3: ErrNewer, 255: ErrNewer} {
		d := testDir(t, memfs.New(memfs.Options{}))
		b := append(append([]byte(nil), ledgerMagic[:]...), version, 0, 0, 0)
		b = append(b, make([]byte, 60)...)
		replace(t, d, ledgerName, b)
		l := testLedger(d, clock)
		if _, err := l.Floor("A"); !errors.Is(err, kind) {
			t.Errorf("version %d: read: %v", version, err)
		}
		if err := l.Note("A", Marks{7, 2, 2}); !errors.Is(err, kind) {
			t.Errorf("version %d: written: %v", version, err)
		}
		if now := contents(t, d, ledgerName); !bytes.Equal(now, b) {
			t.Errorf("version %d: it was touched: %q", version, now)
		}
	}
}

// Cut off at any length, the file is read as far as it goes, without an error, and
// is written again.
func TestLedgerCutAtEveryLength(t *testing.T) {
	d := testDir(t, memfs.New(memfs.Options{}))
	l := testLedger(d, clock)
	for i := range 4 {
		if err := l.Note("A", Marks{7, mail.UID(i + 1), 1}); err != nil {
			t.Fatal(err)
		}
	}
	whole := contents(t, d, ledgerName)
	for n := range whole {
		d := testDir(t, memfs.New(memfs.Options{}))
		replace(t, d, ledgerName, whole[:n])
		if _, err := testLedger(d, clock).Floor("A"); err != nil {
			t.Errorf("%d octets: %v", n, err)
		}
		if err := testLedger(d, clock).Note("A", Marks{7, 9, 1}); err != nil {
			t.Errorf("%d octets: %v", n, err)
		}
		if m, err := testLedger(d, clock).Floor("A"); m.UIDNext != 9 || err != nil {
			t.Errorf("%d octets: %v %v", n, m, err)
		}
	}
	b := append([]byte(nil), whole...)
	b[8] = 9
	replace(t, d, ledgerName, b)
	if _, err := testLedger(d, clock).Floor("A"); !errors.Is(err, ErrNewer) {
		t.Errorf("a newer version: %v", err)
	}
}
