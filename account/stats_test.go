package account

import (
	"testing"
	"testing/synctest"
	"time"

	"postrider/mail"
)

// Neither a folder that nobody changed, nor our own renames, nor a delivery that the watch
// saw has a directory read; and what a mailbox did counts after it was closed.
func TestStatsOfADayWithoutReadings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, nil)
		h := s.mailbox("INBOX")
		stop := h.Notify(func() {})
		time.Sleep(time.Minute)
		begin := s.h.Stats()

		_, err := h.Refresh(t.Context())
		must(t, err)
		if now := s.h.Stats(); now != begin {
			t.Errorf("a look at an unchanged folder: %+v, before %+v", now, begin)
		}
		dir, err := s.dirOf("/m/new")
		must(t, err)
		for i, name := range []string{"1.a.h", "2.a.h", "3.a.h"} {
			s.put("/m/new", name)
			s.eyes.Came(dir, name)
			synctest.Wait()
			if n := h.Snapshot().Len(); n != i+1 {
				t.Fatalf("%d messages", n)
			}
			time.Sleep(time.Minute)
		}
		for i := range 3 {
			_, err := h.SetFlags(t.Context(), mail.SetOf(h.Snapshot().UID(i)), mail.FlagChange{Flags: mail.Seen}, 0)
			must(t, err)
			time.Sleep(time.Minute)
			_, err = h.Refresh(t.Context())
			must(t, err)
		}
		text, err := h.OpenMessage(t.Context(), h.Snapshot().UID(0))
		must(t, err)
		must(t, text.Close())

		now := s.h.Stats()
		if n := now.Readings - begin.Readings; n != 0 {
			t.Errorf("the directories were read %d times", n)
		}
		if n := now.HintReadings - begin.HintReadings; n != 3 {
			t.Errorf("%d readings by hint for 3 deliveries", n)
		}
		if n := now.Batches - begin.Batches; n < 6 {
			t.Errorf("%d batches for 6 changes", n)
		}
		if n := now.Opened - begin.Opened; n != 1 {
			t.Errorf("%d messages opened", n)
		}
		stop()
		h.Release()
		s.end()
		after := s.h.Stats()
		if after.Mailboxes != 0 || after.Batches < now.Batches || after.Opened != now.Opened || after.Readings < now.Readings {
			t.Errorf("closed: %+v, before: %+v", after, now)
		}
	})
}
