package mailbox_test

import (
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"postrider/mail"
	"postrider/mailbox"
	"postrider/vfs/memfs"
)

// A mailbox that nobody does anything with holds no messages in memory, but what no file
// has; it wakes by itself, and who looked at it before is told exactly what happened.
func TestQuietMailbox(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newSite(t, memfs.Options{})
		w.small, w.compactor = true, &mailbox.Compactor{}
		b := w.mustOpen("a", w.watch("a")[0])
		for i := range 300 {
			b.mustAppend(body(i), 0)
		}
		c := newClient(b)
		const few = 8 << 10 / (85 * 5) // chunks of five messages: what no file has may be so much
		resident := func() {
			t.Helper()
			time.Sleep(time.Minute)
			synctest.Wait()
			if n, all := b.Resident(); n > few || all < 60 {
				t.Errorf("%d of %d chunks are in memory", n, all)
			}
		}
		resident()
		w.deliver("a", body(300))
		b.eyes.Drained()
		b.durable(b.refresh())
		if err := c.sync(true); err != nil {
			t.Fatal(err)
		}
		resident()
		if _, err := b.SetFlags(t.Context(), mail.SetOf[mail.UID](150), mail.FlagChange{Op: mail.AddFlags, Flags: mail.Seen}, 0); err != nil {
			t.Fatal(err)
		}
		if _, _, err := b.Expunge(t.Context(), mail.SetOf[mail.UID](7, 200), false); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if err := c.sync(true); err != nil {
			t.Fatal(err)
		}
		s := b.Snapshot()
		if len(c.list) != s.Len() || s.Len() != 299 {
			t.Fatalf("the client has %d messages of %d", len(c.list), s.Len())
		}
		for i, k := range c.list {
			if k.uid != s.UID(i) || k.flags != flagsOf(s, s.Message(i)) {
				t.Errorf("the client has %v at %d", k, i)
			}
		}
		b.done()
	})
}

// A mailbox of 5,000 messages that somebody read and then left alone holds a few kilobytes,
// its folder included. Many openings of one folder stand for many folders.
func TestHeapOfAQuietMailbox(t *testing.T) {
	const boxes, messages = 40, 5000
	w := newTree(t, messages)
	m, f := w.open()
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	f.Close()
	heap := func() int { // once two collections agree: what ended lately is gone then
		var s runtime.MemStats
		for last := 0; ; last = int(s.HeapAlloc) {
			runtime.GC()
			runtime.ReadMemStats(&s)
			if now := int(s.HeapAlloc); now-last < 1<<10 && last-now < 1<<10 || t.Context().Err() != nil {
				return now
			}
		}
	}
	open := make([]*mailbox.Mailbox, boxes)
	views := make([]*mailbox.View, boxes)
	before := heap()
	for i := range open {
		m, f := w.open()
		defer func() { m.Close(); f.Close() }()
		n := 0
		for range m.Snapshot().All(0) {
			n++
		}
		if n != messages {
			t.Fatal(n)
		}
		open[i], views[i] = m, mailbox.NewView(m.Snapshot())
	}
	inUse := heap() - before
	for _, m := range open {
		if err := m.GoQuiet(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	quiet := heap() - before
	t.Logf("in use %d bytes a message, quiet %d bytes a mailbox", inUse/boxes/messages, quiet/boxes)
	if inUse/boxes/messages >= 100 || quiet/boxes > 10<<10 {
		t.Errorf("in use %d bytes a message, quiet %d bytes a mailbox", inUse/boxes/messages, quiet/boxes)
	}
	runtime.KeepAlive(open)
	runtime.KeepAlive(views)
}
