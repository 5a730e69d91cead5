package account

import (
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"postrider/mail"
	"postrider/vfs/faultfs"
)

// slowDisk lets each reading of a directory of messages take a second, and counts how
// many go on at once.
type slowDisk struct{ now, most atomic.Int32 }

func (s *slowDisk) list(op faultfs.Op) error {
	if op.Kind == "list" {
		s.most.Store(max(s.most.Load(), s.now.Add(1)))
		time.Sleep(time.Second)
		s.now.Add(-1)
	}
	return nil
}

// After events were lost, only those folders are read whose times moved and nobody knows
// why: in the background, a few at once, and not in the way of others.
func TestOverflowReadsWhatMovedUnseen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const folders, moved = 40, 10
		var disk slowDisk
		s := newStage(t, func(c *HouseConfig) { c.FS = faultfs.Wrap(c.FS, disk.list) })
		var boxes []*Handle
		for i := range folders {
			n := mail.Name(fmt.Sprint("F", i))
			must(t, s.a.Create(t.Context(), n, nil))
			boxes = append(boxes, s.mailbox(n))
		}
		time.Sleep(time.Minute)
		for i, b := range boxes { // what the watch told of, an own look has not confirmed
			stop := b.Notify(func() {})
			dir, err := s.dirOf(fmt.Sprintf("/m/.F%d/new", i))
			must(t, err)
			s.put(fmt.Sprintf("/m/.F%d/new", i), "1.a.h")
			s.eyes.Came(dir, "1.a.h")
			synctest.Wait()
			stop()
		}
		time.Sleep(time.Minute)
		whole, before := time.Now(), s.h.Stats().Readings
		time.Sleep(time.Second)
		for i := range moved {
			s.put(fmt.Sprintf("/m/.F%d/new", i), "2.a.h")
		}
		disk.most.Store(0)
		s.eyes.Overflow(whole)
		synctest.Wait()
		begin := time.Now()
		if _, err := boxes[folders-1].Refresh(t.Context()); err != nil || time.Since(begin) > 0 {
			t.Errorf("a mailbox that did not change: %v, after %v", err, time.Since(begin))
		}
		time.Sleep(time.Minute)
		for i, b := range boxes {
			if n := b.Snapshot().Len(); n != 1 && i >= moved || n != 2 && i < moved {
				t.Errorf("mailbox %d: %d messages", i, n)
			}
		}
		if n := s.h.Stats().Readings - before; n != moved {
			t.Errorf("%d readings for %d folders that changed unseen", n, moved)
		}
		if n := disk.most.Load(); n < 2 || n > lookers {
			t.Errorf("%d readings at once", n)
		}
		for _, b := range boxes {
			b.Release()
		}
		s.end()
	})
}

// Where it is not known since when events were lost, what changed lately is read too.
func TestOverflowWithoutATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, nil)
		h := s.mailbox("INBOX")
		stop := h.Notify(func() {})
		time.Sleep(time.Minute)
		dir, err := s.dirOf("/m/new")
		must(t, err)
		s.put("/m/new", "1.a.h")
		s.eyes.Came(dir, "1.a.h")
		synctest.Wait()
		s.put("/m/new", "2.a.h") // in the same tick: the time does not show it
		time.Sleep(time.Minute)
		s.eyes.Overflow(time.Time{})
		synctest.Wait()
		if n := h.Snapshot().Len(); n != 2 {
			t.Errorf("%d messages", n)
		}
		stop()
		h.Release()
		s.end()
	})
}
