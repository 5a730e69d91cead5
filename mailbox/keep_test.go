package mailbox_test

import (
	"bytes"
	"errors"
	"io/fs"
	"log/slog"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"postrider/mail"
	"postrider/mailbox"
	"postrider/maildir"
	"postrider/vfs/faultfs"
	"postrider/vfs/memfs"
)

// listText is courierimapuiddb, "" if there is none.
func listText(t testing.TB, w *site) string {
	t.Helper()
	text, _ := newCourier(w, "a").read(w.dir("a"), "courierimapuiddb")
	return text
}

// logged makes a site's mailboxes log into a buffer.
func logged(w *site) *bytes.Buffer {
	var log bytes.Buffer
	inner := w.config
	w.config = func(c *mailbox.Config, f *maildir.Folder) {
		inner(c, f)
		c.Logger = slog.New(slog.NewTextHandler(&log, nil))
	}
	return &log
}

// Nothing is written where Courier never was.
func TestNoRegisterIsMade(t *testing.T) {
	for _, mode := range []mailbox.RegisterMode{mailbox.RegisterOff, mailbox.RegisterFollow, mailbox.RegisterLive} {
		w := registered(t, mode, memfs.Options{})
		b := w.mustOpen("a", nil)
		b.mustAppend(body(1), 0, "Work")
		b.done()
		for _, name := range w.list("a") {
			if strings.HasPrefix(name, "courier") {
				t.Errorf("mode %d made %s", mode, name)
			}
		}
	}
}

// The register shows a change a minute later, and at once when the mailbox is closed.
func TestRegisterFollows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := registered(t, mailbox.RegisterFollow, memfs.Options{})
		log := logged(w)
		b, c := shared(t, w)
		pass := func(d time.Duration) {
			w.clock.advance(d)
			time.Sleep(d)
			synctest.Wait()
		}
		for range 3 { // a second change waits for no minute of its own
			uid := b.mustAppend(body(1), mail.Seen, "Work")
			before := listText(t, w)
			pass(50 * time.Second)
			b.setWords(uid, "$Junk")
			pass(9 * time.Second)
			if listText(t, w) != before {
				t.Error("the register was written within a minute")
			}
			pass(2 * time.Second)
			if listText(t, w) == before {
				t.Error("the register was not written within a minute")
			}
		}
		quiet := listText(t, w)
		st, _ := w.dir("a").Stat("courierimapuiddb")
		pass(time.Hour)
		if now, _ := w.dir("a").Stat("courierimapuiddb"); now.Ino != st.Ino {
			t.Error("the register was written though nothing had changed")
		}
		if _, _, err := b.Expunge(t.Context(), mail.UIDSet{{First: 1, Last: 1}}, false); err != nil {
			t.Fatal(err)
		}
		b.mustAppend(body(2), 0, "Later")
		want := b.seen()
		b.done()
		if listText(t, w) == quiet {
			t.Error("the register was not written at the end")
		}
		c.scan(false)
		if got := c.state(); got != want {
			t.Errorf("Courier sees\n%s\nwe saw\n%s", got, want)
		}
		if strings.Contains(log.String(), "another server") {
			t.Errorf("what we wrote ourselves counts as foreign: %s", log)
		}
	})
}

// An opening without a change writes nothing, also where flags changed before.
func TestRegisterIsNotWrittenForNothing(t *testing.T) {
	w := registered(t, mailbox.RegisterFollow, memfs.Options{})
	b, _ := shared(t, w)
	uid := b.mustAppend(body(1), 0)
	b.done()
	st, err := w.dir("a").Stat("courierimapuiddb")
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		b = w.mustOpen("a", nil)
		if _, err := b.SetFlags(t.Context(), mail.UIDSet{{First: uid, Last: uid}}, mail.FlagChange{Op: mail.AddFlags, Flags: mail.Seen}, 0); err != nil {
			t.Fatal(err)
		}
		if err := b.close(); err != nil {
			t.Fatal(err)
		}
	}
	if now, err := w.dir("a").Stat("courierimapuiddb"); err != nil || now.Ino != st.Ino {
		t.Error("it was written")
	}
}

// A process that was killed before it wrote the register leaves that to the next.
func TestRegisterAfterAKill(t *testing.T) {
	w := registered(t, mailbox.RegisterFollow, memfs.Options{})
	b, _ := shared(t, w)
	b.mustAppend(body(1), 0, "Work")
	want := b.seen()
	after := w.on(w.fs.CrashClone(func(string) bool { return true }))
	b.done()
	n := after.mustOpen("a", nil)
	n.done()
	c := newCourier(after, "a")
	c.scan(false)
	if got := c.state(); got != want {
		t.Errorf("Courier sees\n%s\nwe saw\n%s", got, want)
	}
}

// Somebody else writes the register: from then on it is written at once, and one line
// says so. After a day it is followed again.
func TestForeignWriteMakesTheRegisterLive(t *testing.T) {
	w := registered(t, mailbox.RegisterFollow, memfs.Options{})
	log := logged(w)
	b, c := shared(t, w)
	b.mustAppend(body(1), 0, "Work")
	w.clock.advance(time.Minute)
	// Courier does not know of the message, and gives it and its own UIDs.
	c.append(body(2), "S", "$Junk")
	agree(t, b, c)
	for i := range 5 {
		b.mustAppend(body(10+i), 0)
		if !strings.Contains(listText(t, w), b.Snapshot().Message(b.Snapshot().Len()-1).Base) {
			t.Error("a UID was given without Courier's list knowing it")
		}
		c.append(body(20+i), "")
		agree(t, b, c)
	}
	if n := strings.Count(log.String(), "both are taken to be running"); n != 1 {
		t.Errorf("%d lines say that another server runs: %s", n, log)
	}
	b.done()
	w.clock.advance(25 * time.Hour)
	b = w.mustOpen("a", nil)
	b.mustAppend(body(3), 0)
	if strings.Contains(listText(t, w), b.Snapshot().Message(b.Snapshot().Len()-1).Base) {
		t.Error("after a day it is still written at once")
	}
	b.done()
	c.scan(false)
	if got := newSeen(t, w); got != c.state() {
		t.Errorf("Courier sees\n%s\nwe see\n%s", c.state(), got)
	}
	if n := strings.Count(log.String(), "only followed again"); n != 1 {
		t.Errorf("%d lines say that it is followed again: %s", n, log)
	}
}

func newSeen(t *testing.T, w *site) string {
	t.Helper()
	b := w.mustOpen("a", nil)
	defer b.done()
	return b.seen()
}

// Both gave a UID, since one of them did not honour the lock: to two messages, and to
// one. Each gets a fresh one above both.
func TestBothGaveAUID(t *testing.T) {
	for _, mode := range []mailbox.RegisterMode{mailbox.RegisterFollow, mailbox.RegisterLive} {
		w := registered(t, mode, memfs.Options{})
		b, _ := shared(t, w)
		stays := b.mustAppend(body(1), 0)
		clash := b.mustAppend(body(2), mail.Flagged, "Work")
		twice := b.mustAppend(body(3), 0)
		s := b.Snapshot()
		base := func(uid mail.UID) string { m, _ := s.Lookup(uid); return m.Base }
		theirs := w.deliver("a", body(4))
		list := []string{"1 1001 9", "1 " + base(stays), "2 " + theirs, "7 " + base(twice), "8 of.a.message.that.is.gone", ""}
		if err := w.dir("a").Remove("courierimapuiddb"); err != nil {
			t.Fatal(err)
		}
		newCourier(w, "a").write(w.dir("a"), "courierimapuiddb", strings.Join(list, "\n"))
		s = b.refresh()
		var got []string
		for _, msg := range s.All(0) {
			switch msg.Base {
			case theirs:
				got = append(got, "theirs")
			default:
				text, err := b.text(msg.UID)
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, text[len("Subject: "):len("Subject: ")+1])
			}
			if msg.UID != stays && msg.UID < 9 {
				t.Errorf("UID %d is given to %s", msg.UID, got[len(got)-1])
			}
			if msg.UID == clash || msg.UID == twice {
				t.Errorf("UID %d means something still", msg.UID)
			}
			if text, _ := b.text(msg.UID); text == body(2) && (msg.Flags != mail.Flagged || strings.Join(s.KeywordsOf(msg), "") != "Work") {
				t.Errorf("flags %v, keywords %v", msg.Flags, s.KeywordsOf(msg))
			}
		}
		if len(got) != 4 || got[0] != "1" {
			t.Errorf("the messages are %v", got)
		}
		c := newCourier(w, "a")
		agree(t, b, c)
		b.done()
	}
}

// Two keyword changes within one grain of the clock, and a look between them.
func TestKeywordsWithinOneGrain(t *testing.T) {
	w := registered(t, mailbox.RegisterLive, memfs.Options{Grain: time.Second})
	b, c := shared(t, w)
	uid := b.mustAppend(body(1), 0)
	c.scan(true)
	w.clock.advance(10 * time.Second)
	base := c.some(0)
	for _, word := range []string{"Work", "Later", "$Junk"} {
		c.setWords(base, word)
		s := b.refresh()
		msg, _ := s.Lookup(uid)
		if got := s.KeywordsOf(msg); strings.Join(got, ",") != word {
			t.Errorf("Courier set %s, we see %v", word, got)
		}
	}
	agree(t, b, c)
	b.done()
}

// A list that cannot be understood is left alone where we never wrote one, and put
// aside where we did; so is one of another UIDVALIDITY.
func TestListsThatMeanNothing(t *testing.T) {
	for name, text := range map[string]string{
		"damaged": "2 what is this\n", "empty": "", "another UIDVALIDITY": "1 77 9\n8 x\n",
	} {
		w := registered(t, mailbox.RegisterFollow, memfs.Options{})
		w.mustOpen("a", nil).done()
		c := newCourier(w, "a")
		c.write(w.dir("a"), "courierimapuiddb", text)
		b := w.mustOpen("a", nil)
		uid := b.mustAppend(body(1), 0)
		b.refresh()
		b.done()
		if got := listText(t, w); got != text {
			t.Errorf("%s: %q was made of it", name, got)
		}
		b = w.mustOpen("a", nil)
		if err := b.ExportRegister(t.Context()); err != nil {
			t.Fatal(err)
		}
		if aside, _ := c.read(w.dir("a"), "courierimapuiddb.forgotten"); aside != text {
			t.Errorf("%s: put aside is %q", name, aside)
		}
		if err := w.dir("a").Remove("courierimapuiddb"); err != nil {
			t.Fatal(err)
		}
		c.write(w.dir("a"), "courierimapuiddb", text)
		s := b.refresh()
		if _, ok := s.Lookup(uid); !ok || s.UIDValidity() != 1001 {
			t.Errorf("%s: UIDVALIDITY %d, the message is there: %v", name, s.UIDValidity(), ok)
		}
		agree(t, b, newCourier(w, "a"))
		b.done()
	}
}

// Exported, kept; forgotten, no longer.
func TestExportAndForgetRegister(t *testing.T) {
	for _, mode := range []mailbox.RegisterMode{mailbox.RegisterOff, mailbox.RegisterFollow, mailbox.RegisterLive} {
		w := registered(t, mode, memfs.Options{})
		b := w.mustOpen("a", nil)
		b.mustAppend(body(1), mail.Seen, "Work")
		if err := b.ExportRegister(t.Context()); err != nil {
			t.Fatal(err)
		}
		c := newCourier(w, "a")
		c.scan(false)
		if got, want := c.state(), b.seen(); got != want {
			t.Errorf("mode %d: Courier sees\n%s\nwe see\n%s", mode, got, want)
		}
		if err := b.ForgetRegister(t.Context()); err != nil {
			t.Fatal(err)
		}
		b.mustAppend(body(2), 0)
		b.done()
		if _, err := w.dir("a").Stat("courierimapuiddb"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("mode %d: forgotten, and there again: %v", mode, err)
		}
	}
}

// Without Courier's lock no UID is given, and mail that is there can be read.
func TestCourierHoldsItsLock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := registered(t, mailbox.RegisterLive, memfs.Options{})
		log := logged(w)
		b, c := shared(t, w)
		b.mustAppend(body(1), 0)
		w.clock.advance(time.Minute)
		c.write(w.dir("a/tmp"), "courier.lock", "1:elsewhere") // fresh, by the manual clock, for ever
		began := time.Now()
		if _, err := b.append(body(2), 0); !errors.Is(err, mailbox.ErrBusy) {
			t.Errorf("appended: %v", err)
		}
		if took := time.Since(began); took < 10*time.Second || took > time.Minute {
			t.Errorf("it took %v", took)
		}
		w.deliver("a", body(3))
		if s := b.refresh(); s.Len() != 1 {
			t.Errorf("%d messages", s.Len())
		}
		if n := strings.Count(log.String(), "waiting for the other server's lock"); n == 0 {
			t.Errorf("nothing says what we wait for: %s", log)
		}
		if err := w.dir("a/tmp").Remove("courier.lock"); err != nil {
			t.Fatal(err)
		}
		if s := b.refresh(); s.Len() != 2 {
			t.Errorf("%d messages", s.Len())
		}
		if _, err := b.append(body(2), 0); err != nil {
			t.Error(err)
		}
		agree(t, b, c)
		b.done()
	})
}

// Power is lost before each operation of two changes in live mode, with nothing, all or
// a part of what was not synced on the disk. Courier looks first, then we: they agree,
// and what a client was told stays.
func TestLiveRegisterSurvivesPowerLoss(t *testing.T) {
	w := registered(t, mailbox.RegisterLive, memfs.Options{})
	b, c := shared(t, w)
	first := b.mustAppend(body(1), 0, "Work")
	c.scan(true)
	w.clock.advance(10 * time.Second)
	b.refresh()
	told := map[mail.UID]string{} // with keywords
	tell := func() {
		for _, msg := range b.Snapshot().All(0) {
			told[msg.UID] = msg.Base + " " + strings.Join(b.Snapshot().KeywordsOf(msg), ",")
		}
	}
	tell()
	moments := 0
	look := func() {
		moments++
		for kept := range 4 {
			n := 0
			left := w.on(w.fs.CrashClone(func(string) bool { n++; return kept == 1 || kept > 1 && n%2 == kept%2 }))
			left.dir("a/tmp").Remove("courier.lock") // of a process that is dead
			left.clock.advance(10 * time.Second)
			cc := newCourier(left, "a")
			if kept%2 == 0 {
				cc.scan(true)
			}
			after := left.mustOpen("a", nil)
			s := after.refresh()
			for uid, what := range told {
				base, words, _ := strings.Cut(what, " ")
				msg, ok := s.Lookup(uid)
				got := strings.Join(s.KeywordsOf(msg), ",")
				lost := slices.ContainsFunc(strings.Split(words, ","), func(word string) bool { return !strings.Contains(got, word) })
				if !ok || msg.Base != base || lost {
					t.Errorf("moment %d, %d kept: UID %d was %s, is %s %s", moments, kept, uid, what, msg.Base, got)
				}
			}
			agree(t, after, cc)
			after.done()
		}
	}
	b.done()
	w.over = faultfs.Wrap(w.fs, func(op faultfs.Op) error {
		switch op.Kind {
		case "stat", "open", "list", "statself", "readat", "read", "opendir", "lock":
		default:
			look()
		}
		return nil
	})
	b = w.mustOpen("a", nil)
	b.setWords(first, "$Junk")
	tell()
	b.mustAppend(body(2), 0, "Later")
	tell()
	look()
	if moments < 30 {
		t.Errorf("only %d moments were looked at", moments)
	}
	if err := b.close(); err != nil {
		t.Fatal(err)
	}
}

// Each operation of a few changes in live mode fails once, for lack of space or for good.
// What was told stays, what was not told leaves nothing behind, and once all is well
// again both agree.
func TestLiveRegisterFails(t *testing.T) {
	for _, cause := range []error{syscall.ENOSPC, syscall.EIO} {
		for n := 1; ; n++ {
			w := registered(t, mailbox.RegisterLive, memfs.Options{})
			b, c := shared(t, w)
			first := b.mustAppend(body(1), 0, "Work")
			c.scan(true)
			w.clock.advance(10 * time.Second)
			b.refresh()
			b.done()
			armed, seen := false, 0
			w.over = faultfs.Wrap(w.fs, func(op faultfs.Op) error {
				if armed {
					if seen++; seen == n {
						return cause
					}
				}
				return nil
			})
			b = w.mustOpen("a", nil)
			told := map[mail.UID]string{first: body(1)}
			armed = true
			if uid, err := b.append(body(2), 0, "Later"); err == nil {
				told[uid] = body(2)
			}
			b.SetFlags(t.Context(), mail.UIDSet{{First: first, Last: first}}, words(mail.AddFlags, "$Junk"), 0)
			w.deliver("a", strings.ReplaceAll(body(3), "\r", ""))
			if s, err := b.Refresh(t.Context()); err == nil && b.Durable(t.Context(), s) == nil {
				for _, msg := range s.All(0) {
					told[msg.UID] = ""
				}
			}
			c.append(body(4), "S")
			b.Refresh(t.Context())
			past := seen < n
			armed = false
			w.clock.advance(5 * time.Minute)
			agree(t, b, c)
			bodies := map[string]int{}
			for _, msg := range b.Snapshot().All(0) {
				text, err := b.text(msg.UID)
				if err != nil {
					t.Fatal(err)
				}
				bodies[text]++
				delete(told, msg.UID)
			}
			for uid := range told {
				t.Errorf("%v at operation %d: UID %d is gone", cause, n, uid)
			}
			if bodies[body(1)] != 1 || bodies[body(2)] > 1 || bodies[body(3)] != 1 || bodies[body(4)] != 1 {
				t.Errorf("%v at operation %d: %v", cause, n, bodies)
			}
			b.done()
			if past {
				if n < 100 {
					t.Errorf("only %d operations", n)
				}
				break
			}
		}
	}
}
