package account

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"postrider/mail"
	"postrider/maildir"
	"postrider/vfs/memfs"
)

func TestStyles(t *testing.T) {
	tests := []struct {
		style Style
		wire  string
		name  mail.Name // "": refused
	}{
		{CourierStyle(), "inbox", "INBOX"},
		{CourierStyle(), "INBOX.Sent", "Sent"},
		{CourierStyle(), "Inbox.Sent.2024", "Sent/2024"},
		{CourierStyle(), "INBOX.INBOX.x", "INBOX/x"},
		{CourierStyle(), "Sent", ""},
		{CourierStyle(), "INBOX.", ""},
		{CourierStyle(), "INBOX.a..b", ""},
		{CourierStyle(), "INBOX.a/b", ""},
		{PlainStyle(), "InBoX", "INBOX"},
		{PlainStyle(), "Sent", "Sent"},
		{PlainStyle(), "Archive/2024.01", "Archive/2024.01"},
		{PlainStyle(), "inbox/x", "INBOX/x"},
		{PlainStyle(), "", ""},
		{PlainStyle(), "/a", ""},
		{PlainStyle(), "a\x01", ""},
	}
	for _, test := range tests {
		n, err := test.style.Parse(test.wire)
		if test.name == "" {
			if !errors.Is(err, mail.ErrBadName) {
				t.Errorf("%q is %q, %v", test.wire, n, err)
			}
			continue
		}
		if n != test.name || err != nil {
			t.Errorf("%q is %q, want %q: %v", test.wire, n, test.name, err)
		}
		if back, err := test.style.Parse(test.style.Wire(n)); back != n || err != nil {
			t.Errorf("%q came back as %q: %v", n, back, err)
		}
	}
}

func TestMatch(t *testing.T) {
	tests := []struct {
		pattern, name string
		want          bool
	}{
		{"*", "a/b", true}, {"%", "a", true}, {"%", "a/b", false}, {"%/%", "a/b", true},
		{"a%", "a", true}, {"a*c", "a/b/c", true}, {"a%c", "a/c", false}, {"inbox", "INBOX", true},
		{"in%", "INBOX", true}, {"sent", "Sent", false}, {"", "", true}, {"", "a", false},
		{"*b*", "abc", true}, {"%/b", "a/b", true}, {"a", "ab", false},
		{"inbox/%", "INBOX/x", true}, {"inbox/x", "INBOX/X", false}, {"inbox*", "INBOXES", false},
	}
	for _, test := range tests {
		if Match(test.pattern, test.name, '/') != test.want {
			t.Errorf("%q on %q: not %v", test.pattern, test.name, test.want)
		}
	}
	begin := time.Now()
	Match(strings.Repeat("*a", 500), strings.Repeat("a", 500)+"b", '/')
	if d := time.Since(begin); d > time.Second {
		t.Errorf("took %v", d)
	}
}

func newAccount(t *testing.T, fsys *memfs.FS) *Account {
	t.Helper()
	h := NewHouse(HouseConfig{FS: fsys, Unique: maildir.NewUnique("h", 1, nil)})
	a, err := h.Open(t.Context(), Config{Root: "/home/u/Maildir"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(a.Close(), h.Close()); err != nil {
			t.Error(err)
		}
		if s := h.Stats(); s.Accounts != 0 || s.Mailboxes != 0 {
			t.Errorf("left open: %+v", s)
		}
	})
	return a
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantErr(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%v, want %v", err, want)
	}
}

// show prints a tree: "-" before what only is a parent, "+" after what has
// children, "!" after a subscribed name, and the special uses.
func show(t *testing.T, a *Account) string {
	t.Helper()
	tree, err := a.List(t.Context())
	must(t, err)
	var all []string
	for _, n := range tree.Nodes() {
		s := string(n.Name)
		if !n.Exists {
			s = "-" + s
		}
		if n.HasChildren {
			s += "+"
		}
		if n.Subscribed {
			s += "!"
		}
		all = append(all, s+strings.Join(n.SpecialUse, ""))
	}
	return strings.Join(all, " ")
}

func TestTreeOfAccount(t *testing.T) {
	fsys := memfs.New(memfs.Options{})
	a := newAccount(t, fsys)
	ctx := t.Context()
	must(t, a.Create(ctx, "Archive/2024", nil))
	must(t, a.Create(ctx, "Sent", nil))
	must(t, a.Create(ctx, "Mine", []string{`\Trash`}))
	must(t, a.Create(ctx, "Trash", nil))
	must(t, a.Subscribe(ctx, "Sent"))
	must(t, a.Subscribe(ctx, "Not/there"))
	wantErr(t, a.Create(ctx, "Sent", nil), ErrExists)
	wantErr(t, a.Create(ctx, "INBOX", nil), ErrExists)
	if got, want := show(t, a), `INBOX -Archive+ Archive/2024 Mine\Trash Sent!\Sent Trash`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	wantErr(t, a.Delete(ctx, "Archive"), ErrHasChildren)
	wantErr(t, a.Delete(ctx, "None"), ErrNoMailbox)
	wantErr(t, a.Delete(ctx, "INBOX"), ErrIsInbox)
	must(t, a.Create(ctx, "Archive", nil))
	must(t, a.Rename(ctx, "Archive", "Old/Mail"))
	wantErr(t, a.Rename(ctx, "Old", "Sent"), ErrExists)
	wantErr(t, a.Rename(ctx, "Old/Mail", "Old/Mail/x"), mail.ErrBadName)
	must(t, a.Rename(ctx, "Mine", "Bin"))
	must(t, a.Unsubscribe(ctx, "Sent"))
	must(t, a.Delete(ctx, "Trash"))
	if got, want := show(t, a), `INBOX Bin\Trash -Old+ Old/Mail+ Old/Mail/2024 Sent\Sent`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	tree, _ := a.List(ctx)
	if !slices.Equal(tree.Subscribed(), []mail.Name{"Not/there"}) {
		t.Error(tree.Subscribed())
	}
}

func TestForeignFoldersAreSeen(t *testing.T) {
	for _, grain := range []time.Duration{1, 4 * time.Millisecond, time.Second} {
		now := time.Unix(1e9, 0)
		fsys := memfs.New(memfs.Options{Grain: grain, Now: func() time.Time { return now }})
		h := NewHouse(HouseConfig{FS: fsys, Unique: maildir.NewUnique("h", 1, nil), Now: func() time.Time { return now }})
		a, err := h.Open(t.Context(), Config{Root: "/m"})
		must(t, err)
		for i, wait := range []time.Duration{0, time.Nanosecond, time.Millisecond, 3 * time.Second} {
			now = now.Add(wait)
			show(t, a)
			name := "x" + strings.Repeat("y", i)
			must(t, fsys.MkdirAll("/m/."+name+"/cur", 0o700))
			if got := show(t, a); !strings.Contains(got+" ", name+" ") {
				t.Errorf("grain %v, after %v: %s is not in %s", grain, wait, name, got)
			}
		}
		now = now.Add(time.Minute)
		tree, _ := a.List(t.Context())
		if again, _ := a.List(t.Context()); again != tree {
			t.Error("an unchanged tree was read again")
		}
		must(t, a.Close())
	}
}
