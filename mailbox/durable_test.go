package mailbox_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"postrider/mail"
	"postrider/mailbox"
	"postrider/vfs/faultfs"
	"postrider/vfs/memfs"
)

// Many that wait share one fsync, and what is durable costs none.
func TestGroupSync(t *testing.T) {
	w := newSite(t, memfs.Options{})
	var mu sync.Mutex
	syncs, block, blocked := 0, make(chan struct{}), make(chan struct{}, 100)
	armed := false
	w.over = faultfs.Wrap(w.fs, func(op faultfs.Op) error {
		mu.Lock()
		here := armed && op.Kind == "sync" && strings.HasSuffix(op.Path, "journal") || armed && op.Kind == "sync" && strings.HasSuffix(op.Path, "journal.new")
		if here {
			syncs++
		}
		mu.Unlock()
		if here {
			blocked <- struct{}{}
			<-block
		}
		return nil
	})
	b := w.mustOpen("a", nil)
	uid := b.mustAppend(body(1), 0)
	armed = true
	var wait sync.WaitGroup
	durable := func(s *mailbox.Snapshot) {
		wait.Go(func() {
			if err := b.Durable(context.Background(), s); err != nil {
				t.Error(err)
			}
		})
	}
	durable(b.store(uid, mail.Seen))
	<-blocked // the first fsync runs
	for i := range 20 {
		durable(b.store(uid, mail.Flags(i+1)))
	}
	last := b.Snapshot()
	close(block)
	wait.Wait()
	if syncs > 3 {
		t.Errorf("%d fsyncs for 21 changes", syncs)
	}
	before := syncs
	b.durable(last)
	if syncs != before {
		t.Error("what is durable was synced again")
	}
	armed = false
	b.done()
}

// Who waits for the disk can give up, and the bound of fsyncs is kept.
func TestDurableCancelled(t *testing.T) {
	w := newSite(t, memfs.Options{})
	w.fsyncs = make(chan struct{}, 1)
	b := w.mustOpen("a", nil)
	uid := b.mustAppend(body(1), 0)
	s := b.store(uid, mail.Seen)
	w.fsyncs <- struct{}{} // somebody else's
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := b.Durable(ctx, s); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	<-w.fsyncs
	b.durable(s)
	b.done()
}

// After a failed fsync nothing is told; then the state is brought into a new journal,
// and goes on.
func TestFailedSync(t *testing.T) {
	for _, kind := range []string{"sync", "syncdir"} {
		w := newSite(t, memfs.Options{})
		fail := false
		w.over = faultfs.Wrap(w.fs, func(op faultfs.Op) error {
			if fail && op.Kind == kind {
				fail = false
				return syscall.EIO
			}
			return nil
		})
		b := w.mustOpen("a", nil)
		first := b.mustAppend(body(1), 0)
		s := b.store(first, mail.Seen)
		fail = true
		if err := b.Durable(t.Context(), s); !errors.Is(err, mailbox.ErrNotDurable) {
			t.Fatalf("%s: %v", kind, err)
		}
		if err := b.Durable(t.Context(), s); !errors.Is(err, mailbox.ErrNotDurable) {
			t.Fatalf("%s: a second try: %v", kind, err)
		}
		now := b.refresh()
		b.durable(now)
		if m, ok := now.Lookup(first); !ok || m.Flags != mail.Seen {
			t.Errorf("%s: the message is %+v", kind, m)
		}
		if uid := b.mustAppend(body(2), 0); uid <= first {
			t.Errorf("%s: UID %d", kind, uid)
		}
		st, err := b.state()
		if err != nil {
			t.Fatal(err)
		}
		lost := w.on(w.fs.CrashClone(func(string) bool { return false }))
		b.done()
		again := lost.mustOpen("a", nil)
		if got, err := again.state(); err != nil || len(got.messages) != 2 || got.messages[first] != st.messages[first] {
			t.Errorf("%s: after a power loss: %v %v, not %v", kind, got, err, st)
		}
		again.done()
	}
}

// With fsync off nothing is synced, and after an unclean stop numbers jump.
func TestWithoutFsync(t *testing.T) {
	w := newSite(t, memfs.Options{})
	w.fsync = false
	b := w.mustOpen("a", nil)
	var syncs []string
	w.fs.Log(func(op string) {
		if strings.HasPrefix(op, "sync") {
			syncs = append(syncs, op)
		}
	})
	uid := b.mustAppend(body(1), 0)
	b.durable(b.store(uid, mail.Seen))
	if len(syncs) > 0 {
		t.Errorf("synced: %v", syncs)
	}
	w.fs.Log(nil)
	left := w.on(w.fs.CrashClone(func(string) bool { return true }))
	b.done()
	again := left.mustOpen("a", nil)
	if next := again.Snapshot().UIDNext(); next <= uid+1 {
		t.Errorf("UIDNEXT %d after an unclean stop", next)
	}
	again.done()
	again = w.mustOpen("a", nil)
	if next := again.Snapshot().UIDNext(); next != uid+1 {
		t.Errorf("UIDNEXT %d after an orderly stop", next)
	}
	again.done()
}

// A panic under the lock costs one command; the state is made sure by the next.
func TestPanicUnderTheLock(t *testing.T) {
	w := newSite(t, memfs.Options{})
	b, f := w.openCounted(nil)
	uid := b.mustAppend(body(1), 0)
	f.panic = true
	func() {
		defer func() {
			if recover() == nil {
				t.Error("no panic came through")
			}
		}()
		b.store(uid, mail.Seen)
	}()
	b.durable(b.store(uid, mail.Flagged))
	if m, _ := b.Snapshot().Lookup(uid); m.Flags != mail.Flagged {
		t.Errorf("flags %v", m.Flags)
	}
	b.done()
}

// Who waits for a lock can give up.
func TestLockCancelled(t *testing.T) {
	w := newSite(t, memfs.Options{})
	b := w.mustOpen("a", nil)
	uid := b.mustAppend(body(1), 0)
	unlock, err := w.dir("a").Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := b.SetFlags(ctx, mail.SetOf(uid), mail.FlagChange{Flags: mail.Seen}, 0); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	unlock()
	b.done()
}

// On a full disk mail is read, flagged and expunged; new mail is not shown until there
// is room.
func TestFullDisk(t *testing.T) {
	w := newSite(t, memfs.Options{Quota: 1 << 20})
	b := w.mustOpen("a", nil)
	for i := range 3 {
		b.mustAppend(body(i), 0)
	}
	b.durable(b.refresh())
	w.deliver("a", body(7))
	w.fs.SetQuota(w.fs.Used())
	w.clock.advance(time.Minute)
	if _, err := b.append(strings.Repeat(body(9), 1000), 0); !errors.Is(err, mailbox.ErrFull) {
		t.Errorf("an append says %v", err)
	}
	for i := range 200 {
		b.store(1, mail.Flags(i%31+1))
	}
	b.store(2, mail.Deleted)
	if s, gone, err := b.Expunge(t.Context(), nil, true); err != nil || gone.Len() == 0 {
		t.Errorf("expunge: %v %v", gone, err)
	} else {
		b.durable(s)
	}
	b.refresh()
	w.fs.SetQuota(1 << 30)
	w.clock.advance(time.Minute)
	s := b.refresh()
	m := s.Message(s.Len() - 1)
	if text, err := b.text(m.UID); err != nil || text != body(7) {
		t.Errorf("the delivery: %q %v", text, err)
	}
	b.done()
}

// A failure while copying leaves nothing behind.
func TestCopyIsAllOrNothing(t *testing.T) {
	w := newSite(t, memfs.Options{})
	a, b := w.mustOpen("a", nil), w.mustOpen("b", nil)
	for i := range 3 {
		a.mustAppend(body(i), 0)
	}
	m, _ := a.Snapshot().Lookup(3)
	if err := w.dir("a/cur").Remove(m.Base + m.Info); err != nil {
		t.Fatal(err)
	}
	if _, err := mailbox.Copy(t.Context(), a.Mailbox, mail.SetOf[mail.UID](1, 2, 3), b.Mailbox); !errors.Is(err, mailbox.ErrVanished) {
		t.Errorf("got %v", err)
	}
	if got := append(w.list("b/tmp"), w.list("b/cur")...); len(got) > 0 {
		t.Errorf("left behind: %v", got)
	}
	a.done()
	b.done()
}
