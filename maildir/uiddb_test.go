package maildir

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"

	"postrider/mail"
	"postrider/vfs"
	"postrider/vfs/faultfs"
	"postrider/vfs/memfs"
)

func putFile(t testing.TB, d vfs.Dir, name, text string) {
	t.Helper()
	f, err := d.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
}

func fileText(t testing.TB, d vfs.Dir, name string) string {
	t.Helper()
	f, err := d.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func (db UIDDB) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d %d", db.Validity, db.Next)
	for uid, base := range db.All() {
		fmt.Fprintf(&b, "|%d %s", uid, base)
	}
	return b.String()
}

func TestReadUIDDB(t *testing.T) {
	long := strings.Repeat("x", maxFileName)
	for _, tc := range []struct{ in, want string }{
		{"1 795384139 4\n1 1795384139.M311493P20999V000000000000FE00I00000000009BE49A.vm,S=29\n3 1795384141.M000012P777.mx,S=1200\n",
			"795384139 4|1 1795384139.M311493P20999V000000000000FE00I00000000009BE49A.vm,S=29|3 1795384141.M000012P777.mx,S=1200"},
		{"1 7 1\n", "7 1"},
		{"1 7 0", "7 1"},
		{"1 7 5\n2 with blanks in it\n", "7 5|2 with blanks in it"},
		{"1 7 2\n9 a\n", "7 10|9 a"},                 // its UIDNEXT is below a UID
		{"1 7 9\n5 b\n2 a\n", "7 9|2 a|5 b"},         // out of order
		{"1 7 9\n2 a\n2 b\n3 a\n4 c", "7 9|2 a|4 c"}, // twice; no end of line
		{"1 7 9\nx a\n 3 b\n-1 c\n0 d\n4294967295 e\n4294967296 f\n4\n5 \n6 .g\n7 h/i\n8 j\n", "7 9|8 j"},
		{"1 7 9\n1 " + long + "\n2 " + long + "x\n3 " + strings.Repeat(long, 1000) + "\n4 z\n", "7 9|1 " + long + "|4 z"},
		{"1 4294967295 4294967295\n", "4294967295 4294967295"},
		{"2 795384139 4\n", ""},
		{"1 795384139\n", ""},
		{"", ""},
		{"\n1 7 9\n", ""},
		{"1 0 9\n", ""},
		{"1 7 4294967296\n", ""},
		{"1 x 9\n", ""},
		{strings.Repeat("1 7 9", 100_000), ""},
	} {
		f := newFolder(t, memfs.New(memfs.Options{}), "/m")
		putFile(t, f.Dir(), uiddbFile, tc.in)
		db, err := f.ReadUIDDB()
		switch {
		case tc.want == "" && !errors.Is(err, ErrUIDDB):
			t.Errorf("%.60q: %v, want ErrUIDDB", tc.in, err)
		case tc.want != "" && (err != nil || db.text() != tc.want):
			t.Errorf("%.60q:\n%s, %v, want\n%s", tc.in, db.text(), err, tc.want)
		}
	}
	if _, err := newFolder(t, memfs.New(memfs.Options{}), "/m").ReadUIDDB(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

func TestWriteUIDDB(t *testing.T) {
	f := newFolder(t, memfs.New(memfs.Options{}), "/m")
	if s, err := f.UIDDBStamp(); s != "" || err != nil {
		t.Errorf("a stamp of nothing: %q, %v", s, err)
	}
	for _, entries := range [][]UIDEntry{{{1, "1795384139.M311493P20999.vm,S=29"}, {3, "b c"}}, nil} {
		s, err := f.StageUIDDB(795384139, 4, UIDDB{Entries: entries}.All())
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Publish(); err != nil {
			t.Fatal(err)
		}
		if now, err := f.UIDDBStamp(); now != s.Stamp() || err != nil {
			t.Errorf("the stamp is %q, %v; it was to be %q", now, err, s.Stamp())
		}
	}
	if err := f.WriteUIDDB(UIDDB{795384139, 4, []UIDEntry{{1, "a.b,S=29"}, {3, "b c"}}}); err != nil {
		t.Fatal(err)
	}
	if got, want := fileText(t, f.Dir(), uiddbFile), "1 795384139 4\n1 a.b,S=29\n3 b c\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if err := f.ForgetUIDDB(); err != nil {
		t.Fatal(err)
	}
	if _, err := f.ReadUIDDB(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("forgotten, but: %v", err)
	}
	if err := f.ForgetUIDDB(); err != nil {
		t.Errorf("forgotten again: %v", err)
	}
	f.tmp.List(func(name string, _ vfs.Type) bool { t.Errorf("left in tmp: %s", name); return true })
}

// Power is lost before each operation: the file is the old one or the new one, and
// the new one once it was said to be written.
func TestWriteUIDDBSurvivesPowerLoss(t *testing.T) {
	before := UIDDB{7, 3, []UIDEntry{{1, "a"}, {2, "b"}}}
	after := UIDDB{7, 4, []UIDEntry{{2, "b"}, {3, "c"}}}
	fsys := memfs.New(memfs.Options{})
	if err := newFolder(t, fsys, "/m").WriteUIDDB(before); err != nil {
		t.Fatal(err)
	}
	moments, done := 0, false
	look := func() {
		moments++
		for kept := range 4 {
			n := 0
			left := fsys.CrashClone(func(string) bool { n++; return kept == 1 || kept > 1 && n%2 == kept%2 })
			db, err := openFolder(t, left).ReadUIDDB()
			if got := db.text(); err != nil || got != after.text() && (done || got != before.text()) {
				t.Errorf("operation %d, %d kept: %s, %v", moments, kept, got, err)
			}
		}
	}
	watched := faultfs.Wrap(fsys, func(faultfs.Op) error { look(); return nil })
	if err := openFolder(t, watched).WriteUIDDB(after); err != nil {
		t.Fatal(err)
	}
	done = true
	look()
	if moments < 5 {
		t.Errorf("only %d moments were looked at", moments)
	}
}

// Each operation fails once: the file is the old one or the new one, and nothing
// stays in tmp.
func TestWriteUIDDBFails(t *testing.T) {
	before, after := UIDDB{7, 2, []UIDEntry{{1, "a"}}}, UIDDB{7, 3, []UIDEntry{{2, "b"}}}
	for n := 1; ; n++ {
		fsys := memfs.New(memfs.Options{})
		if err := newFolder(t, fsys, "/m").WriteUIDDB(before); err != nil {
			t.Fatal(err)
		}
		armed, seen := false, 0
		f := openFolder(t, faultfs.Wrap(fsys, func(faultfs.Op) error {
			if armed {
				if seen++; seen == n {
					return io.ErrShortWrite
				}
			}
			return nil
		}))
		armed = true
		err := f.WriteUIDDB(after)
		armed = false
		if err == nil {
			if n < 5 {
				t.Errorf("only %d operations", n)
			}
			return
		}
		db, rerr := f.ReadUIDDB()
		if got := db.text(); rerr != nil || got != before.text() && got != after.text() {
			t.Errorf("operation %d failed (%v): %s, %v", n, err, got, rerr)
		}
		f.tmp.List(func(name string, _ vfs.Type) bool { t.Errorf("operation %d: left in tmp: %s", n, name); return true })
	}
}

func openFolder(t testing.TB, fsys vfs.FS) *Folder {
	t.Helper()
	d, err := fsys.OpenDir("/m")
	if err != nil {
		t.Fatal(err)
	}
	f, err := OpenFolder(d, Options{Unique: NewUnique("host", 8, nil)})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// What was read, written and read again is the same, in order, and within bounds.
func FuzzUIDDB(f *testing.F) {
	for _, s := range []string{"1 7 9\n1 a\n3 b c\n", "1 7 2\n9 a\n2 b\n9 c\n1 a", "2 7 9\n", "1 7 9\n4294967295 a\n1 \x00\n\n2 .x\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		db, err := parseUIDDB(strings.NewReader(text))
		if err != nil {
			if !errors.Is(err, ErrUIDDB) {
				t.Errorf("%q: %v", text, err)
			}
			return
		}
		bases := map[string]bool{}
		last := mail.UID(0)
		for uid, base := range db.All() {
			if uid <= last || uid >= db.Next || bases[base] || !validBase(base) {
				t.Errorf("%q: entry %d %q after %d, next %d", text, uid, base, last, db.Next)
			}
			last, bases[base] = uid, true
		}
		folder := newFolder(t, memfs.New(memfs.Options{}), "/m")
		if err := folder.WriteUIDDB(db); err != nil {
			t.Fatal(err)
		}
		again, err := folder.ReadUIDDB()
		if err != nil || again.Validity != db.Validity || again.Next != db.Next || !slices.Equal(again.Entries, db.Entries) {
			t.Errorf("%q came back as %q, %v", db.text(), again.text(), err)
		}
	})
}
