package maildir

import (
	"fmt"
	"testing"

	"postrider/vfs"
	"postrider/vfs/faultfs"
	"postrider/vfs/memfs"
)

// Power is lost before every operation of CREATE, RENAME and DELETE, with nothing, all
// or a part of what was not synced on the disk: each message that was there is there
// once, but for what is being deleted, each folder can be opened, and what a client was
// told OK for stays.
func TestTreeSurvivesPowerLoss(t *testing.T) {
	for _, tc := range []struct {
		name     string
		run      func(vfs.Dir) error
		after    string
		messages int // at least, at every moment
	}{
		{"create", func(d vfs.Dir) error { return MakeFolder(d, ".New", 0o700) }, "A A/B INBOX New", 2},
		{"rename", func(d vfs.Dir) error { return RenameFolders(d, []RenamePair{{".A.B", ".C.B"}, {".A", ".C"}}) }, "C C/B INBOX", 2},
		{"delete", func(d vfs.Dir) error { return RemoveFolder(d, ".A", NewUnique("h", 3, nil)) }, "A/B INBOX", 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			fsys := memfs.New(memfs.Options{})
			d := root(t, fsys, ".A", ".A.B")
			for _, name := range []string{".A", ".A.B"} {
				sub, err := d.OpenDir(name)
				if err != nil {
					t.Fatal(err)
				}
				f, err := OpenFolder(sub, Options{Unique: NewUnique("h", 1, nil)})
				if err != nil {
					t.Fatal(err)
				}
				appendText(t, f, "text\r\n")
				if err := f.Sync(true, true); err != nil {
					t.Fatal(err)
				}
				f.Close()
			}
			moments := 0
			look := func() {
				moments++
				for kept := range 4 {
					n := 0
					after := fsys.CrashClone(func(string) bool { n++; return kept == 1 || kept > 1 && n%2 == kept%2 })
					checkTree(t, after, fmt.Sprintf("operation %d, %d kept", moments, kept), tc.messages)
				}
			}
			watched, err := faultfs.Wrap(fsys, func(faultfs.Op) error { look(); return nil }).OpenDir("/m")
			if err != nil {
				t.Fatal(err)
			}
			if err := tc.run(watched); err != nil {
				t.Fatal(err)
			}
			look()
			if moments < 4 {
				t.Errorf("only %d moments were looked at", moments)
			}
			told, err := fsys.CrashClone(func(string) bool { return false }).OpenDir("/m")
			if err != nil {
				t.Fatal(err)
			}
			if got := folders(t, told, Naming{}); got != tc.after {
				t.Errorf("after OK and a power cut: %s, want %s", got, tc.after)
			}
		})
	}
}

// checkTree opens every folder and counts the messages.
func checkTree(t *testing.T, fsys vfs.FS, when string, atLeast int) {
	t.Helper()
	d, err := fsys.OpenDir("/m")
	if err != nil {
		t.Fatalf("%s: %v", when, err)
	}
	entries, err := ListFolders(d, Naming{})
	if err != nil {
		t.Fatalf("%s: %v", when, err)
	}
	n := 0
	for _, e := range entries {
		if e.Dir == "" {
			continue // the inbox
		}
		sub, err := d.OpenDir(e.Dir)
		if err != nil {
			t.Fatalf("%s: %s: %v", when, e.Dir, err)
		}
		f, err := OpenFolder(sub, Options{Unique: NewUnique("h", 2, nil)})
		if err != nil {
			t.Errorf("%s: %s cannot be opened: %v", when, e.Dir, err)
			continue
		}
		if cur, err := sub.OpenDir("cur"); err == nil {
			cur.List(func(string, vfs.Type) bool { n++; return true })
			cur.Close()
		}
		f.Close()
	}
	if n < atLeast || n > 2 {
		t.Errorf("%s: %d messages, at least %d are due", when, n, atLeast)
	}
}
