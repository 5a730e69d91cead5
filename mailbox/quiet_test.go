package mailbox_test

import (
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
