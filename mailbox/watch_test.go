package mailbox_test

import (
	"context"
	"os"
	"testing"
	"time"

	"postrider/mail"
	"postrider/mailbox"
	"postrider/maildir"
	"postrider/vfs/memfs"
)

// folder counts the readings of a folder, and can make one miss names.
type folder struct {
	*maildir.Folder
	scans int
	miss  func(scan int, f mail.MessageFile) bool
	panic bool
}

func (f *folder) Scan(newToo, curToo bool, yield func(mail.MessageFile) bool) error {
	f.scans++
	n := f.scans
	return f.Folder.Scan(newToo, curToo, func(m mail.MessageFile) bool {
		return f.miss != nil && f.miss(n, m) || yield(m)
	})
}

func (f *folder) Rename(m mail.MessageFile, flags mail.Flags) (mail.MessageFile, error) {
	if f.panic {
		f.panic = false
		panic("a mistake")
	}
	return f.Folder.Rename(m, flags)
}

// openCounted opens mailbox a over a folder that counts.
func (w *site) openCounted(e *eyes) (*box, *folder) {
	w.t.Helper()
	d := w.dir("a")
	inner, err := maildir.OpenFolder(d, maildir.Options{Unique: w.unique, Now: w.clock.now})
	if err != nil {
		w.t.Fatal(err)
	}
	f := &folder{Folder: inner}
	c := mailbox.Config{Folder: f, Fsync: w.fsync, Now: w.clock.now, Validity: func() (mail.UIDValidity, error) { w.valid++; return w.valid, nil }}
	if e != nil {
		c.Watch = e
	}
	m, err := mailbox.Open(context.Background(), c)
	if err != nil {
		w.t.Fatal(err)
	}
	if e != nil {
		e.start(m.Hint)
	}
	return &box{m, w, "a", inner, e}, f
}

func (b *box) store(uid mail.UID, flags mail.Flags) *mailbox.Snapshot {
	b.w.t.Helper()
	res, err := b.SetFlags(context.Background(), mail.SetOf(uid), mail.FlagChange{Flags: flags}, 0)
	if err != nil {
		b.w.t.Fatal(err)
	}
	return res.Snapshot
}

// With a watch, neither our own changes nor those of others cause a reading.
func TestWatchedChangesNeedNoReading(t *testing.T) {
	w := newSite(t, memfs.Options{Grain: 4 * time.Millisecond})
	e := w.watch("a")[0]
	b, f := w.openCounted(e)
	defer b.done()
	var uids []mail.UID
	for i := range 4 {
		uids = append(uids, b.mustAppend(body(i), 0))
	}
	e.Drained()
	b.refresh()
	begin := f.scans
	cur := w.dir("a/cur")
	for i := range 10 {
		w.clock.advance(time.Millisecond)
		b.store(uids[0], mail.Flags(i+1))
		b.refresh()
		w.deliver("a", body(50+i))
		m, _ := b.Snapshot().Lookup(uids[1])
		to := m.Base + ":2," + []string{"S", "F"}[i%2]
		if err := cur.Rename(m.Base+m.Info, cur, to); err != nil {
			t.Fatal(err)
		}
		if s := b.refresh(); s.Len() != 5+i {
			t.Fatalf("%d messages after delivery %d", s.Len(), i)
		}
		if m, _ := b.Snapshot().Lookup(uids[1]); m.Base+m.Info != to {
			t.Fatalf("the name is %s, not %s", m.Base+m.Info, to)
		}
	}
	m, _ := b.Snapshot().Lookup(uids[2])
	if err := cur.Remove(m.Base + m.Info); err != nil {
		t.Fatal(err)
	}
	if _, ok := b.refresh().Lookup(uids[2]); ok {
		t.Error("the removed message is shown")
	}
	if f.scans != begin {
		t.Errorf("%d readings", f.scans-begin)
	}
}

// What the watch misses, the mtime tells.
func TestMissedEvent(t *testing.T) {
	w := newSite(t, memfs.Options{})
	e := w.watch("a")[0]
	b, _ := w.openCounted(e)
	defer b.done()
	b.mustAppend(body(1), 0)
	b.refresh()
	e.off = true
	w.clock.advance(time.Second)
	w.deliver("a", body(2))
	e.off = false
	if s := b.refresh(); s.Len() != 2 {
		t.Errorf("%d messages", s.Len())
	}
}

// An overflow of the watch costs a reading only if an mtime cannot prove that nothing
// happened.
func TestOverflow(t *testing.T) {
	w := newSite(t, memfs.Options{})
	b, f := w.openCounted(nil)
	defer b.done()
	w.clock.advance(time.Minute)
	b.refresh() // reads: the mtimes were young when it was opened
	begin := f.scans
	b.Hint(mailbox.Hint{Kind: mailbox.HintOverflow})
	b.refresh()
	if f.scans != begin {
		t.Errorf("%d readings though nothing changed", f.scans-begin)
	}
	w.deliver("a", body(1))
	b.Hint(mailbox.Hint{Kind: mailbox.HintOverflow})
	if s := b.refresh(); s.Len() != 1 {
		t.Errorf("%d messages", s.Len())
	}
}

// Without a watch our own changes cost one reading a minute at most, and a delivery is
// seen at once.
func TestUnwatched(t *testing.T) {
	w := newSite(t, memfs.Options{})
	b, f := w.openCounted(nil)
	defer b.done()
	uid := b.mustAppend(body(1), 0)
	w.clock.advance(2 * time.Minute)
	b.refresh()
	begin := f.scans
	for i := range 50 {
		w.clock.advance(time.Second)
		b.store(uid, mail.Flags(i%31+1))
		b.refresh()
	}
	if n := f.scans - begin; n > 1 {
		t.Errorf("%d readings in 50 seconds", n)
	}
	w.deliver("a", body(2))
	if s := b.refresh(); s.Len() != 2 {
		t.Errorf("%d messages", s.Len())
	}
}

// A mailbox that did not change since it was closed is opened without a reading; one
// that did is read.
func TestUnchangedSinceClosed(t *testing.T) {
	w := newSite(t, memfs.Options{Grain: time.Second})
	b, _ := w.openCounted(nil)
	for i := range 3 {
		b.mustAppend(body(i), 0)
	}
	w.clock.advance(2 * time.Minute)
	b.refresh()
	if err := b.close(); err != nil {
		t.Fatal(err)
	}
	b, f := w.openCounted(nil)
	if f.scans != 0 || b.Snapshot().Len() != 3 {
		t.Errorf("%d readings for %d messages", f.scans, b.Snapshot().Len())
	}
	if err := b.close(); err != nil {
		t.Fatal(err)
	}
	w.deliver("a", body(9))
	b, f = w.openCounted(nil)
	if f.scans == 0 || b.Snapshot().Len() != 4 {
		t.Errorf("%d readings for %d messages", f.scans, b.Snapshot().Len())
	}
	b.done()
}

// One reading that misses a file proves nothing; two do, unless a hint names the file
// in between.
func TestAbsenceNeedsTwoLooks(t *testing.T) {
	for _, c := range []struct {
		name   string
		misses int
		hinted bool
		stays  bool
	}{{"one", 1, false, true}, {"two", 2, false, false}, {"two with a hint", 2, true, true}} {
		t.Run(c.name, func(t *testing.T) {
			w := newSite(t, memfs.Options{})
			b, f := w.openCounted(nil)
			uid := b.mustAppend(body(1), 0)
			b.mustAppend(body(2), 0)
			w.clock.advance(2 * time.Minute)
			b.refresh()
			m, _ := b.Snapshot().Lookup(uid)
			begin := f.scans
			f.miss = func(n int, x mail.MessageFile) bool {
				if n == begin+1 && c.hinted {
					b.Hint(mailbox.Hint{Kind: mailbox.HintRenamed, OldName: m.Base + ":2,F", Name: m.Base + ":2,"})
				}
				return n <= begin+c.misses && x.Base == m.Base
			}
			w.clock.advance(time.Minute)
			w.put("a/cur", "9.x:2,", "x\n") // makes it read cur
			if _, ok := b.refresh().Lookup(uid); ok != c.stays {
				t.Errorf("is it there? %v", ok)
			}
			f.miss = nil
			b.done()
		})
	}
}

// A file that takes another's place under its name is a new message.
func TestReplacedFile(t *testing.T) {
	for _, watched := range []bool{true, false} {
		w := newSite(t, memfs.Options{})
		var e *eyes
		if watched {
			e = w.watch("a")[0]
		}
		b := w.mustOpen("a", e)
		uid := b.mustAppend(body(1), 0)
		m, _ := b.Snapshot().Lookup(uid)
		w.clock.advance(time.Minute)
		tmp, cur := w.dir("a/tmp"), w.dir("a/cur")
		file, err := tmp.OpenFile("x", os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		file.Write([]byte("another message\n"))
		file.Close()
		if err := tmp.Rename("x", cur, m.Base+m.Info); err != nil {
			t.Fatal(err)
		}
		if !watched { // nothing tells, until somebody reads it
			b.refresh()
			if text, err := b.text(uid); err == nil {
				t.Fatalf("UID %d reads %q", uid, text)
			}
		}
		s := b.refresh()
		if s.Len() != 1 || s.UID(0) == uid {
			t.Fatalf("watched %v: %d messages, the first has UID %d", watched, s.Len(), s.UID(0))
		}
		if text, err := b.text(s.UID(0)); err != nil || text != "another message\r\n" {
			t.Errorf("%q %v", text, err)
		}
		b.done()
	}
}
