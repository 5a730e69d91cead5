package account

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"postrider/index"
	"postrider/mail"
	"postrider/mailbox"
	"postrider/maildir"
	"postrider/vfs"
	"postrider/vfs/faultfs"
)

// plant makes the files of a Maildir, the later ones younger, and returns its path.
func plant(t *testing.T, files ...[2]string) string {
	t.Helper()
	root := filepath.Join(t.TempDir(), "Maildir")
	at := time.Now().Add(-24 * time.Hour)
	for _, f := range files {
		path := filepath.Join(root, f[0])
		must(t, os.MkdirAll(filepath.Dir(path), 0o700))
		must(t, os.WriteFile(path, []byte(f[1]), 0o600))
		at = at.Add(time.Minute)
		must(t, os.Chtimes(path, at, at))
	}
	return root
}

// openPlanted opens an account with a ledger that stays.
func openPlanted(t *testing.T, c Config) *Account {
	t.Helper()
	h := NewHouse(HouseConfig{FS: vfs.OS(), Unique: maildir.NewUnique("h", 1, nil), Fsync: true, OpenLedger: func(root vfs.Dir) (Ledger, error) {
		must(t, os.MkdirAll(filepath.Join(root.Path(), "postrider"), 0o700))
		dir, err := root.OpenDir("postrider")
		must(t, err)
		t.Cleanup(func() { dir.Close() })
		return index.OpenLedger(dir, time.Now, func() (func(), error) { return dir.Lock(t.Context()) }), nil
	}})
	a, err := h.Open(t.Context(), c)
	must(t, err)
	t.Cleanup(func() { a.Close(); h.Close() })
	return a
}

func snapshotOf(t *testing.T, a *Account, n mail.Name) *mailbox.Snapshot {
	t.Helper()
	h, err := a.Mailbox(t.Context(), n)
	must(t, err)
	defer h.Release()
	must(t, h.Check(t.Context()))
	return h.Snapshot()
}

// The newer of two records counts if it can be used, and is used alone.
func TestNewerRecord(t *testing.T) {
	courier := [2]string{"courierimapuiddb", "1 100 9\n3 1.a\n"}
	dovecot := [2]string{"dovecot-uidlist", "3 V200 N9\n5 :1.a\n"}
	broken := [2]string{"dovecot-uidlist", "7 V200 N9\n5 :1.a\n"}
	absurd := [2]string{"courierimapuiddb", "1 4294967295 9\n3 1.a\n"}
	file := [2]string{"cur/1.a:2,b", "x\n"}
	others := [][2]string{{"dovecot-keywords", "1 B\n"}, {"courierimapkeywords/:list", "C\n\n1.a:0\n"}}
	for name, c := range map[string]struct {
		files    [][2]string
		validity mail.UIDValidity
		uid      mail.UID
		word     string
	}{
		"Courier":                  {[][2]string{courier}, 100, 3, "C"},
		"Dovecot":                  {[][2]string{dovecot}, 200, 5, "B"},
		"Courier last":             {[][2]string{dovecot, courier}, 100, 3, "C"},
		"Dovecot last":             {[][2]string{courier, dovecot}, 200, 5, "B"},
		"Dovecot last, but no use": {[][2]string{courier, broken}, 100, 3, "C"},
		"Courier last, but no use": {[][2]string{dovecot, absurd}, 200, 5, "B"},
		"neither of use":           {[][2]string{broken, absurd}, 0, 1, ""},
	} {
		t.Run(name, func(t *testing.T) {
			root := plant(t, slices.Concat([][2]string{file}, others, c.files)...)
			s := snapshotOf(t, openPlanted(t, Config{Root: root}), mail.Inbox)
			msg, ok := s.Lookup(c.uid)
			if !ok || c.validity != 0 && s.UIDValidity() != c.validity || s.UIDValidity() == 0 {
				t.Fatalf("UIDVALIDITY %d, UID %d", s.UIDValidity(), s.UID(0))
			}
			words := s.KeywordsOf(msg)
			if c.word == "" && len(words) > 0 || c.word != "" && !slices.Equal(words, []string{c.word}) {
				t.Errorf("keywords %q", words)
			}
		})
	}
}

// No later mailbox gets a UIDVALIDITY at or below one of another server.
func TestValidityGoesOn(t *testing.T) {
	root := plant(t, [2]string{"dovecot-uidlist", "3 V4000000000 N9\n"}, [2]string{"dovecot-uidvalidity", "ee6b2810"}, [2]string{"cur/.keep", ""})
	a := openPlanted(t, Config{Root: root})
	if v := snapshotOf(t, a, mail.Inbox).UIDValidity(); v != 4000000000 {
		t.Errorf("the inbox has %d", v)
	}
	must(t, a.Create(t.Context(), "Later", nil))
	if v := snapshotOf(t, a, "Later").UIDValidity(); v <= 0xee6b2810 {
		t.Errorf("a later mailbox has %d", v)
	}
}

// A record that cannot be read now keeps the mailbox shut: numbers of its own would be
// for good.
func TestRecordUnreadable(t *testing.T) {
	root := plant(t, [2]string{"courierimapuiddb", "1 100 9\n3 1.a\n"}, [2]string{"courierimapkeywords/:list", "C\n\n1.a:0\n"}, [2]string{"cur/1.a:2,", "x\n"})
	for _, name := range []string{"courierimapuiddb", ":list"} {
		broken := faultfs.Wrap(vfs.OS(), func(op faultfs.Op) error {
			if op.Kind == "open" && filepath.Base(op.Path) == name {
				return syscall.EIO
			}
			return nil
		})
		h := NewHouse(HouseConfig{FS: broken, Unique: maildir.NewUnique("h", 1, nil), Fsync: true})
		a, err := h.Open(t.Context(), Config{Root: root})
		must(t, err)
		if _, err := a.Mailbox(t.Context(), mail.Inbox); !errors.Is(err, syscall.EIO) {
			t.Errorf("%s: got %v", name, err)
		}
		must(t, a.Close())
	}
	if s := snapshotOf(t, openPlanted(t, Config{Root: root}), mail.Inbox); s.UIDValidity() != 100 || s.UID(0) != 3 || len(s.Keywords()) != 1 {
		t.Errorf("UIDVALIDITY %d, UID %d, keywords %q", s.UIDValidity(), s.UID(0), s.Keywords())
	}
}

// Keywords that will never be read do not cost the UIDs.
func TestKeywordsUnreadable(t *testing.T) {
	for _, files := range [][][2]string{
		{{"courierimapuiddb", "1 100 9\n3 1.a\n"}, {"courierimapkeywords/:list/x", ""}},
		{{"courierimapuiddb", "1 100 9\n3 1.a\n"}, {"courierimapkeywords", "no directory"}},
		{{"dovecot-uidlist", "3 V100 N9\n3 :1.a\n"}, {"dovecot-keywords/x", ""}},
	} {
		root := plant(t, append(files, [2]string{"cur/1.a:2,a", "x\n"})...)
		if s := snapshotOf(t, openPlanted(t, Config{Root: root}), mail.Inbox); s.UIDValidity() != 100 || s.UID(0) != 3 {
			t.Errorf("%q: UIDVALIDITY %d, UID %d", files[1][0], s.UIDValidity(), s.UID(0))
		}
	}
}

// Dovecot's files may lie elsewhere, the inbox's in a directory of its own there.
func TestControlDirectory(t *testing.T) {
	control := plant(t, [2]string{".INBOX/dovecot-uidlist", "3 V200 N9\n5 :1.a\n"}, [2]string{".Sent/dovecot-uidlist", "3 V201 N9\n6 :1.b\n"},
		[2]string{".Sent/dovecot-keywords", "0 K\n"}, [2]string{"subscriptions", "V\t2\n\nSent\n"})
	root := plant(t, [2]string{"cur/1.a:2,", "x\n"}, [2]string{".Sent/cur/1.b:2,a", "x\n"}, [2]string{".Own/cur/.keep", ""})
	a := openPlanted(t, Config{Root: root, DovecotControl: control})
	if s := snapshotOf(t, a, mail.Inbox); s.UIDValidity() != 200 || s.UID(0) != 5 {
		t.Errorf("UIDVALIDITY %d, UID %d", s.UIDValidity(), s.UID(0))
	}
	s := snapshotOf(t, a, "Sent")
	if s.UIDValidity() != 201 || s.UID(0) != 6 || !slices.Equal(s.KeywordsOf(s.Message(0)), []string{"K"}) {
		t.Errorf("UIDVALIDITY %d, UID %d", s.UIDValidity(), s.UID(0))
	}
	if s := snapshotOf(t, a, "Own"); s.UIDValidity() <= 201 {
		t.Errorf("UIDVALIDITY %d", s.UIDValidity())
	}
	tree, err := a.List(t.Context())
	must(t, err)
	if got := tree.Subscribed(); !slices.Equal(got, []mail.Name{"Sent"}) {
		t.Errorf("subscribed are %q", got)
	}
}

// Dovecot's subscriptions are taken over once, where there are none of ours.
func TestSubscriptionsTaken(t *testing.T) {
	folders := [][2]string{{"cur/.keep", ""}, {".Bj&APY-rn/cur/.keep", ""}, {".INBOX.real/cur/.keep", ""}}
	for name, c := range map[string]struct {
		files [][2]string
		want  []mail.Name
	}{
		"2.3":                   {[][2]string{{"subscriptions", "V\t2\n\nINBOX\nBj&APY-rn\nNot\tthere\n"}}, []mail.Name{"INBOX", "Björn", "Not/there"}},
		"prefix and dots":       {[][2]string{{"subscriptions", "INBOX.Bj&APY-rn\nINBOX.real\n"}}, []mail.Name{"Björn", "INBOX/real"}},
		"ours are there":        {[][2]string{{"subscriptions", "Not.this\n"}, {"courierimapsubscribed", "INBOX\n"}}, []mail.Name{"INBOX"}},
		"ours are there, empty": {[][2]string{{"subscriptions", "Not.this\n"}, {"courierimapsubscribed", ""}}, nil},
		"none":                  {nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			root := plant(t, slices.Concat(folders, c.files)...)
			a := openPlanted(t, Config{Root: root})
			tree, err := a.List(t.Context())
			must(t, err)
			if got := tree.Subscribed(); !slices.Equal(got, c.want) {
				t.Errorf("subscribed are %q", got)
			}
			for _, n := range c.want {
				must(t, a.Unsubscribe(t.Context(), n))
			}
			must(t, a.Close())
			tree, err = openPlanted(t, Config{Root: root}).List(t.Context())
			must(t, err)
			if got := tree.Subscribed(); len(got) > 0 {
				t.Errorf("they came back: %q", got)
			}
		})
	}
}
