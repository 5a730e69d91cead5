package account

import (
	"slices"
	"testing"

	"postrider/mail"
	"postrider/mailbox"
	"postrider/maildir"
	"postrider/vfs"
	"postrider/vfs/memfs"
)

// state is what a client may cache of a mailbox.
type state struct {
	validity mail.UIDValidity
	uids     []mail.UID
}

func (s *stage) state(n mail.Name) state {
	s.t.Helper()
	h := s.mailbox(n)
	defer h.Release()
	snap, err := h.Refresh(s.t.Context())
	must(s.t, err)
	st := state{validity: snap.UIDValidity()}
	for i := range snap.Len() {
		st.uids = append(st.uids, snap.Message(i).UID)
	}
	return st
}

func (s state) equal(o state) bool { return s.validity == o.validity && slices.Equal(s.uids, o.uids) }

func TestRenameKeepsUIDs(t *testing.T) {
	s := newStage(t, nil)
	defer s.end()
	ctx := t.Context()
	for _, n := range []mail.Name{"A", "A/b", "A/b/c", "Ab"} {
		must(t, s.a.Create(ctx, n, nil))
	}
	s.put("/m/.A.b/new", "1.a.h")
	s.put("/m/.A.b/cur", "2.a.h:2,S")
	a, b := s.state("A"), s.state("A/b")
	if len(b.uids) != 2 {
		t.Fatalf("%+v", b)
	}
	open := s.mailbox("A/b")
	must(t, s.a.Rename(ctx, "A", "New/A"))
	if got, want := show(t, s.a), "INBOX Ab -New+ New/A+ New/A/b+ New/A/b/c"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := s.state("New/A"); !got.equal(a) {
		t.Errorf("%+v, was %+v", got, a)
	}
	if got := s.state("New/A/b"); !got.equal(b) {
		t.Errorf("%+v, was %+v", got, b)
	}
	if again := s.mailbox("New/A/b"); again.Mailbox != open.Mailbox {
		t.Error("the renamed mailbox was opened anew")
	} else {
		again.Release()
	}
	if open.Gone() {
		t.Error("a renamed mailbox is gone for those who use it")
	}
	open.Release()
}

func TestRenameIsRefused(t *testing.T) {
	s := newStage(t, nil)
	defer s.end()
	ctx := t.Context()
	for _, n := range []mail.Name{"A", "A/b", "B/b", "C"} {
		must(t, s.a.Create(ctx, n, nil))
	}
	before := show(t, s.a)
	wantErr(t, s.a.Rename(ctx, "None", "X"), ErrNoMailbox)
	wantErr(t, s.a.Rename(ctx, "A", "C"), ErrExists)
	wantErr(t, s.a.Rename(ctx, "A", "INBOX"), ErrExists)
	wantErr(t, s.a.Rename(ctx, "A", "B"), ErrExists) // B/b is in the way
	wantErr(t, s.a.Rename(ctx, "A", "A/b/c"), mail.ErrBadName)
	wantErr(t, s.a.Rename(ctx, "A", "x//y"), mail.ErrBadName)
	wantErr(t, s.a.Rename(ctx, "INBOX", "C"), ErrExists)
	wantErr(t, s.a.Rename(ctx, "INBOX", "x//y"), mail.ErrBadName)
	if got := show(t, s.a); got != before {
		t.Errorf("got  %s\nwant %s", got, before)
	}
}

func TestRenameInbox(t *testing.T) {
	s := newStage(t, nil)
	defer s.end()
	ctx := t.Context()
	must(t, s.a.Create(ctx, "INBOX/child", nil))
	s.put("/m/new", "1.a.h")
	s.put("/m/cur", "2.a.h:2,S")
	before := s.state("INBOX")
	must(t, s.a.Rename(ctx, "INBOX", "Old"))
	after, old := s.state("INBOX"), s.state("Old")
	if after.validity != before.validity || len(after.uids) != 0 || len(old.uids) != 2 {
		t.Errorf("inbox %+v, was %+v; old %+v", after, before, old)
	}
	if got, want := show(t, s.a), "INBOX+ INBOX/child Old"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestDeleteWhileOpen(t *testing.T) {
	s := newStage(t, nil)
	defer s.end()
	ctx := t.Context()
	must(t, s.a.Create(ctx, "A", nil))
	must(t, s.a.Create(ctx, "A/b", []string{`\Sent`}))
	s.put("/m/.A/new", "1.a.h")
	before := s.state("A")
	h := s.mailbox("A")
	var rang int
	stop := h.Notify(func() { rang++ })
	defer stop()
	must(t, s.a.Delete(ctx, "A"))
	if !h.Gone() || rang == 0 {
		t.Errorf("gone: %v, rang %d times", h.Gone(), rang)
	}
	_, err := h.Refresh(ctx)
	wantErr(t, err, mailbox.ErrGone)
	if got, want := show(t, s.a), `INBOX -A+ A/b\Sent`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	must(t, s.a.Create(ctx, "A", nil))
	again := s.mailbox("A")
	if again.Mailbox == h.Mailbox || again.Gone() {
		t.Error("the new mailbox is the old one")
	}
	if got := s.state("A"); got.validity <= before.validity || len(got.uids) != 0 {
		t.Errorf("%+v, was %+v", got, before)
	}
	again.Release()
	h.Release()
	err = s.dir("/m").List(func(name string, _ vfs.Type) bool {
		if name[0] != '.' && !slices.Contains([]string{"new", "cur", "tmp", "postrider"}, name) {
			t.Errorf("left in the root: %s", name)
		}
		return true
	})
	must(t, err)
}

func TestForeignSubscriptionsStay(t *testing.T) {
	s := newStage(t, nil)
	defer s.end()
	ctx := t.Context()
	root := s.dir("/m")
	lines := []string{"INBOX", "INBOX.Sent", "#shared.x.y", "", "INBOX.a\\056b"}
	write := func([]string) ([]string, bool) { return lines, true }
	must(t, maildir.ChangeSubscribed(ctx, root, maildir.NewUnique("h", 2, nil), write))
	must(t, s.a.Subscribe(ctx, "Drafts"))
	must(t, s.a.Subscribe(ctx, "Sent"))
	must(t, s.a.Unsubscribe(ctx, "INBOX"))
	must(t, s.a.Unsubscribe(ctx, "None"))
	tree, err := s.a.List(ctx)
	must(t, err)
	if got := tree.Subscribed(); !slices.Equal(got, []mail.Name{"Sent", "a.b", "Drafts"}) {
		t.Errorf("%q", got)
	}
	got, err := maildir.ReadSubscribed(root)
	must(t, err)
	if !slices.Equal(got, []string{"INBOX.Sent", "#shared.x.y", "", "INBOX.a\\056b", "INBOX.Drafts"}) {
		t.Errorf("%q", got)
	}
	wantErr(t, s.a.Subscribe(ctx, ""), mail.ErrBadName)
}

func TestDirectoriesOfStyles(t *testing.T) {
	for _, test := range []struct {
		style     Style
		wire, dir string
	}{
		{CourierStyle(), "INBOX.Sent", ".Sent"},
		{CourierStyle(), "INBOX.a.b", ".a.b"},
		{CourierStyle(), "INBOX.INBOX.x", ".INBOX.x"},
		{CourierStyle(), "INBOX.Entwürfe", ".Entwürfe"},
		{PlainStyle(), "Sent", ".Sent"},
		{PlainStyle(), "a/b", ".a.b"},
		{PlainStyle(), "a.b", `.a\056b`},
		{PlainStyle(), "INBOX/x", ".INBOX.x"},
	} {
		fsys := memfs.New(memfs.Options{})
		h := NewHouse(HouseConfig{FS: fsys, Unique: maildir.NewUnique("h", 1, nil)})
		utf8 := maildir.UTF8
		a, err := h.Open(t.Context(), Config{Root: "/m", Style: test.style, Encoding: &utf8})
		must(t, err)
		n, err := a.Style().Parse(test.wire)
		must(t, err)
		must(t, a.Create(t.Context(), n, nil))
		if _, err := fsys.OpenDir("/m/" + test.dir + "/cur"); err != nil {
			t.Errorf("%q: %v", test.wire, err)
		}
		tree, err := a.List(t.Context())
		must(t, err)
		if _, ok := tree.Find(n); !ok || a.Style().Wire(n) != test.wire {
			t.Errorf("%q is not in the tree; comes back as %q", test.wire, a.Style().Wire(n))
		}
		if ns := a.Namespaces(); len(ns.Personal) != 1 || ns.Personal[0] != test.style || ns.Others != nil || ns.Shared != nil {
			t.Errorf("%+v", ns)
		}
		must(t, a.Close())
	}
}
