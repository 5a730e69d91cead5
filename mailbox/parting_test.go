package mailbox_test

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"postrider/mailbox"
	"postrider/vfs/faultfs"
	"postrider/vfs/memfs"
)

// counted notes which operations are done on files.
type counted struct {
	mu  sync.Mutex
	ops []string
}

func (c *counted) note(op faultfs.Op) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ops = append(c.ops, op.Kind+" "+op.Path)
	return nil
}

func (c *counted) take() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	ops := c.ops
	c.ops = nil
	return ops
}

// Once a mailbox sleeps, what happens to its sessions alone touches no file of it: no look at
// what they were told, be all of it \Recent, and not that it is closed. The next opening
// believes the directories all the same.
func TestNothingWakesTheSleeping(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, seen := newSite(t, memfs.Options{}), new(counted)
		w.over, w.compactor = faultfs.Wrap(w.fs, seen.note), &mailbox.Compactor{}
		for i := range 300 {
			w.deliver("a", body(i))
		}
		w.clock.advance(time.Minute)
		b := w.mustOpen("a", w.watch("a")[0])
		lowest, s, err := b.ClaimRecent(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		b.durable(s)
		view := mailbox.NewView(s)
		view.SetRecent(lowest, s.UIDNext())
		if view.RecentTold(); view.Recent() != 300 {
			t.Fatal(view.Recent())
		}
		w.clock.advance(time.Minute)
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		seen.take()
		for range 3 {
			s := b.Snapshot()
			b.durable(s)
			for u := range view.Sync(s, true) {
				t.Errorf("told: %+v", u)
			}
			time.Sleep(5 * time.Minute)
			synctest.Wait()
		}
		if err := b.Close(); err != nil {
			t.Error(err)
		}
		if ops := seen.take(); len(ops) > 0 {
			t.Errorf("asleep: %q", ops)
		}
		b.folder.Close()
		again := w.mustOpen("a", w.watch("a")[0])
		if again.Snapshot().Len() != 300 || again.Snapshot().Unclaimed() != 0 {
			t.Errorf("%d messages", again.Snapshot().Len())
		}
		for _, op := range seen.take() {
			if op == "list a/new" || op == "list a/cur" {
				t.Errorf("the directories were not believed: %s", op)
			}
		}
		again.done()
	})
}
