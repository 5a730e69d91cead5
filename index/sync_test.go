package index

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"postrider/mail"
	"postrider/vfs/faultfs"
	"postrider/vfs/memfs"
)

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
