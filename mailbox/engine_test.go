package mailbox_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"postrider/mail"
	"postrider/mailbox"
	"postrider/maildir"
	"postrider/vfs"
	"postrider/vfs/memfs"
)

// world is one mailbox on a file system in memory, and a clock.
type world struct {
	t        testing.TB
	fs       *memfs.FS
	clock    time.Time
	validity mail.UIDValidity
}

func newWorld(t testing.TB) *world {
	w := &world{t: t, clock: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), validity: 100}
	w.fs = memfs.New(memfs.Options{Now: w.now})
	for _, d := range []string{"cur", "new", "tmp"} {
		w.must(w.fs.MkdirAll("/box/"+d, 0o700))
	}
	return w
}

func (w *world) now() time.Time { w.clock = w.clock.Add(time.Millisecond); return w.clock }

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// open opens the mailbox, and checks and closes it at the end of the test.
func (w *world) open(fsys vfs.FS, name string) *mailbox.Mailbox {
	w.t.Helper()
	m, err := w.tryOpen(fsys, name)
	w.must(err)
	w.t.Cleanup(func() {
		if err := m.Check(context.Background()); err != nil && !errors.Is(err, mailbox.ErrClosed) {
			w.t.Errorf("check: %v", err)
		}
		w.must(m.Close())
	})
	return m
}

func (w *world) tryOpen(fsys vfs.FS, name string) (*mailbox.Mailbox, error) {
	dir, err := fsys.OpenDir(name)
	if err != nil {
		return nil, err
	}
	folder, err := maildir.OpenFolder(dir, maildir.Options{Unique: maildir.NewUnique("host", 7, w.now), Now: w.now})
	if err != nil {
		return nil, err
	}
	return mailbox.Open(w.t.Context(), mailbox.Config{
		Folder: folder, Fsync: true, Now: w.now,
		Validity: func() (mail.UIDValidity, error) { w.validity++; return w.validity, nil },
	})
}

func (w *world) deliver(name, text string) {
	w.t.Helper()
	d, err := w.fs.OpenDir("/box/new")
	w.must(err)
	f, err := d.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
	w.must(err)
	_, err = io.WriteString(f, text)
	w.must(err)
	w.must(f.Close())
	w.must(d.Close())
}

func (w *world) add(m *mailbox.Mailbox, text string, flags mail.Flags, keywords ...string) mail.UID {
	w.t.Helper()
	a, err := m.NewAppend(w.t.Context(), int64(len(text)))
	w.must(err)
	_, err = io.WriteString(a, text)
	w.must(err)
	uid, _, s, err := a.Commit(w.t.Context(), flags, keywords, time.Time{})
	w.must(err)
	w.must(m.Durable(w.t.Context(), s))
	return uid
}

func (w *world) refresh(m *mailbox.Mailbox) *mailbox.Snapshot {
	w.t.Helper()
	s, err := m.Refresh(w.t.Context())
	w.must(err)
	w.must(m.Durable(w.t.Context(), s))
	return s
}

// show is a snapshot in one line.
func show(s *mailbox.Snapshot) string {
	var b strings.Builder
	for i := range s.Len() {
		m := s.Message(i)
		fmt.Fprintf(&b, "%d(%s", m.UID, m.Flags)
		for _, k := range s.KeywordsOf(m) {
			b.WriteString(" " + k)
		}
		b.WriteString(") ")
	}
	return strings.TrimSpace(b.String())
}

func text(t testing.TB, m *mailbox.Mailbox, uid mail.UID) string {
	t.Helper()
	r, err := m.OpenMessage(t.Context(), uid)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var b strings.Builder
	if _, err := r.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestLife(t *testing.T) {
	w := newWorld(t)
	m := w.open(w.fs, "/box")
	ctx := t.Context()
	w.deliver("2.b", "Subject: b\n\nb\n")
	w.deliver("1.a", "Subject: a\n\na\n")
	if got := show(w.refresh(m)); got != "1() 2()" {
		t.Fatalf("after a delivery: %s", got)
	}
	if got := text(t, m, 1); got != "Subject: a\r\n\r\na\r\n" {
		t.Errorf("text %q", got)
	}
	lowest, s, err := m.ClaimRecent(ctx)
	w.must(err)
	if lowest != 1 || s.RecentFrom() != 3 || s.Message(0).New {
		t.Errorf("recent from %d, then %d, still new %v", lowest, s.RecentFrom(), s.Message(0).New)
	}
	if uid := w.add(m, "Subject: c\r\n\r\nc\r\n", mail.Seen, "Work"); uid != 3 {
		t.Errorf("UID %d", uid)
	}
	res, err := m.SetFlags(ctx, mail.SetOf[mail.UID](1, 2, 9), mail.FlagChange{Op: mail.AddFlags, Flags: mail.Deleted, Keywords: []string{"work", "x"}}, 0)
	w.must(err)
	if got := show(res.Snapshot); got != `1(\Deleted Work x) 2(\Deleted Work x) 3(\Seen Work)` || res.Missing.String() != "9" {
		t.Errorf("after a STORE: %s, missing %v", got, res.Missing)
	}
	cp, err := mailbox.Copy(ctx, m, mail.SetOf[mail.UID](2, 3), m)
	w.must(err)
	if got := show(cp.DestSnapshot); cp.Source.String() != "2:3" || cp.Dest.String() != "4:5" || got != `1(\Deleted Work x) 2(\Deleted Work x) 3(\Seen Work) 4(\Deleted Work x) 5(\Seen Work)` {
		t.Errorf("after a COPY: %v to %v: %s", cp.Source, cp.Dest, got)
	}
	s, gone, err := m.Expunge(ctx, nil, true)
	w.must(err)
	if got := show(s); gone.String() != "1:2,4" || got != `3(\Seen Work) 5(\Seen Work)` {
		t.Errorf("after an EXPUNGE of %v: %s", gone, got)
	}
	if got := text(t, m, 5); got != "Subject: c\r\n\r\nc\r\n" {
		t.Errorf("text %q", got)
	}
	w.must(m.Check(ctx))
	w.must(m.Durable(ctx, s))
	validity := s.UIDValidity()
	w.must(m.Close())
	again := w.open(w.fs, "/box")
	if s := again.Snapshot(); show(s) != `3(\Seen Work) 5(\Seen Work)` || s.UIDNext() != 6 || s.UIDValidity() != validity {
		t.Errorf("opened again: %s, next %d, validity %d", show(s), s.UIDNext(), s.UIDValidity())
	}
}

func TestMove(t *testing.T) {
	w := newWorld(t)
	for _, d := range []string{"cur", "new", "tmp"} {
		w.must(w.fs.MkdirAll("/other/"+d, 0o700))
	}
	a, b := w.open(w.fs, "/box"), w.open(w.fs, "/other")
	for i := range 3 {
		w.add(a, fmt.Sprintf("Subject: %d\r\n\r\n", i), mail.Flagged, "k")
	}
	w.add(b, "x\r\n", 0)
	res, err := mailbox.Move(t.Context(), a, mail.SetOf[mail.UID](1, 3, 7), b)
	w.must(err)
	if res.Source.String() != "1,3" || res.Dest.String() != "2:3" || show(res.SourceSnapshot) != `2(\Flagged k)` || show(res.DestSnapshot) != `1() 2(\Flagged k) 3(\Flagged k)` {
		t.Errorf("%v to %v: %s and %s", res.Source, res.Dest, show(res.SourceSnapshot), show(res.DestSnapshot))
	}
	if got := text(t, b, 3); got != "Subject: 2\r\n\r\n" {
		t.Errorf("text %q", got)
	}
}

// Other programs rename, remove and add files; UIDs stay with the messages.
func TestForeignChanges(t *testing.T) {
	w := newWorld(t)
	m := w.open(w.fs, "/box")
	for range 4 {
		w.add(m, "x\r\n", 0)
	}
	s := m.Snapshot()
	cur, err := w.fs.OpenDir("/box/cur")
	w.must(err)
	defer cur.Close()
	name := func(i int) string { x := s.Message(i); return x.Base + x.Info }
	w.must(cur.Rename(name(0), cur, s.Message(0).Base+":2,FSa"))
	w.must(cur.Remove(name(1)))
	w.deliver("9.late", "y\n")
	if got := show(w.refresh(m)); got != `1(\Flagged \Seen) 3() 4() 5()` {
		t.Errorf("got %s", got)
	}
	// the unknown letter stays when flags change
	_, err = m.SetFlags(t.Context(), mail.SetOf[mail.UID](1), mail.FlagChange{Op: mail.RemoveFlags, Flags: mail.Flagged}, 0)
	w.must(err)
	if x, _ := m.Snapshot().Lookup(1); !strings.Contains(x.Info, "a") || !x.Flags.Has(mail.Seen) {
		t.Errorf("info %q", x.Info)
	}
}

// Two processes on one mailbox take turns and see what the other did.
func TestTwoProcesses(t *testing.T) {
	w := newWorld(t)
	a, b := w.open(w.fs, "/box"), w.open(w.fs, "/box")
	w.add(a, "one\r\n", 0)
	if got := show(w.refresh(b)); got != "1()" {
		t.Fatalf("b sees %s", got)
	}
	w.add(b, "two\r\n", mail.Seen)
	_, err := a.SetFlags(t.Context(), mail.SetOf[mail.UID](1, 2), mail.FlagChange{Op: mail.AddFlags, Flags: mail.Flagged}, 0)
	w.must(err)
	if x, y := show(w.refresh(a)), show(w.refresh(b)); x != y || x != `1(\Flagged) 2(\Flagged \Seen)` {
		t.Errorf("a sees %s, b %s", x, y)
	}
}
