package account

import (
	"testing"
	"testing/synctest"
	"time"

	"postrider/mail"
	"postrider/mailbox"
	"postrider/watch"
	"postrider/watch/watchtest"
)

func TestHints(t *testing.T) {
	s := newStage(t, nil)
	defer s.end()
	folder := s.dir("/m")
	e, err := openEyes(s.eyes, folder)
	must(t, err)
	defer e.close()
	var got []mailbox.Hint
	e.see(watch.Event{Kind: watch.Came, Name: "early"}, true)
	e.start(func(h mailbox.Hint) { got = append(got, h) })
	dirNew, dirCur, elsewhere := e.new.Dir(), e.cur.Dir(), watch.Dir{Dev: 9, Ino: 9}

	s.eyes.Came(dirNew, "a")
	s.eyes.Renamed(dirNew, "a", dirCur, "a:2,")
	s.eyes.Renamed(dirCur, "a:2,", dirCur, "a:2,S")
	s.eyes.Renamed(dirCur, "a:2,S", elsewhere, "a")
	s.eyes.Renamed(elsewhere, "b", dirCur, "b")
	s.eyes.Went(dirCur, "b")
	s.eyes.Tell(dirNew, watch.Event{Kind: watch.Overflow})
	s.eyes.Tell(dirNew, watch.Event{Kind: watch.Changed})
	s.eyes.Tell(dirCur, watch.Event{Kind: watch.Gone})
	s.eyes.Came(elsewhere, "c")
	want := []mailbox.Hint{
		{Kind: mailbox.HintOverflow}, // for the early one
		{Kind: mailbox.HintJournal},
		{Kind: mailbox.HintCame, Name: "a", InNew: true},
		{Kind: mailbox.HintRenamed, Name: "a:2,", OldName: "a", OldNew: true},
		{Kind: mailbox.HintRenamed, Name: "a:2,S", OldName: "a:2,"},
		{Kind: mailbox.HintWent, Name: "a:2,S"},
		{Kind: mailbox.HintCame, Name: "b"},
		{Kind: mailbox.HintWent, Name: "b"},
		{Kind: mailbox.HintOverflow},
		{Kind: mailbox.HintChanged},
		{Kind: mailbox.HintGone},
	}
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			t.Fatalf("hint %d:\ngot  %+v\nwant %+v", i, got, want)
		}
	}
	if !e.Covers() || !e.Drained() {
		t.Error("not covered, or not drained")
	}
	s.eyes.SetPushed(false)
	s.eyes.SetDrained(false)
	if e.Covers() || e.Drained() {
		t.Error("covered, or drained")
	}
}

// TestStalePath has the path of the folder lead to another directory.
func TestStalePath(t *testing.T) {
	wrong := watchtest.New(func(string) (watch.Dir, error) { return watch.Dir{Dev: 9, Ino: 9}, nil })
	s := newStage(t, func(c *HouseConfig) { c.Watcher = wrong })
	defer s.end()
	h := s.mailbox("INBOX")
	defer h.Release()
	if left := wrong.Watched(); len(left) > 0 {
		t.Errorf("watched: %q", left)
	}
	s.put("/m/new", "1.a.h")
	snap, err := h.Refresh(t.Context())
	must(t, err)
	if snap.Len() != 1 {
		t.Errorf("%d messages", snap.Len())
	}
}

// TestForeignWriterIsSeen has another program deliver, rename and remove a
// message while a session listens.
func TestForeignWriterIsSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, nil)
		h := s.mailbox("INBOX")
		var rang int
		stop := h.Notify(func() { rang++ })
		dirNew, err := s.dirOf("/m/new")
		must(t, err)
		dirCur, err := s.dirOf("/m/cur")
		must(t, err)

		s.put("/m/new", "1.a.h")
		s.eyes.Came(dirNew, "1.a.h")
		synctest.Wait()
		snap := h.Snapshot()
		if rang == 0 || snap.Len() != 1 {
			t.Fatalf("rang %d times, %d messages", rang, snap.Len())
		}
		uid := snap.Message(0).UID
		time.Sleep(time.Second)
		must(t, s.dir("/m/new").Rename("1.a.h", s.dir("/m/cur"), "1.a.h:2,S"))
		s.eyes.Renamed(dirNew, "1.a.h", dirCur, "1.a.h:2,S")
		synctest.Wait()
		snap = h.Snapshot()
		if snap.Len() != 1 || snap.Message(0).UID != uid || snap.Message(0).Flags&mail.Seen == 0 {
			t.Errorf("%d messages, the first %+v", snap.Len(), snap.Message(0))
		}
		time.Sleep(time.Second)
		must(t, s.dir("/m/cur").Remove("1.a.h:2,S"))
		s.eyes.Went(dirCur, "1.a.h:2,S")
		synctest.Wait()
		if snap = h.Snapshot(); snap.Len() != 0 {
			t.Errorf("%d messages are left", snap.Len())
		}
		stop()
		h.Release()
		s.end()
	})
}
