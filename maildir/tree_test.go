package maildir

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"postrider/mail"
	"postrider/vfs"
	"postrider/vfs/memfs"
)

// The directories are those that Debian's maildirmake.courier -F made.
func TestDirNames(t *testing.T) {
	plain := Naming{Escapes: true}
	for name, dir := range map[mail.Name]string{
		"a.b": `.a\056b`, "a~b": `.a\176b`, "a:b": `.a\072b`, `a\b`: `.a\134b`, "a..b": `.a\056\056b`,
		"~": `.\176`, "Résumé": ".Résumé", "a&b": ".a&b", "x%y": ".x%y", "a/b": ".a.b", "INBOX": "",
	} {
		if got, err := plain.DirName(name); got != dir || err != nil {
			t.Errorf("%s lies in %s, want %s: %v", name, got, dir, err)
		}
		if got, ok := plain.NameOfDir(dir); dir != "" && (got != name || !ok) {
			t.Errorf("%s is %s, want %s", dir, got, name)
		}
	}
	old := Naming{Encoding: ModifiedUTF7}
	if got, _ := old.DirName("Résumé/a&b"); got != ".R&AOk-sum&AOk-.a&-b" {
		t.Error(got)
	}
	if got, _ := old.NameOfDir(".R&AOk-sum&AOk-"); got != "Résumé" {
		t.Error(got)
	}
	if _, err := old.DirName("a.b"); !errors.Is(err, mail.ErrBadName) {
		t.Error(err)
	}
	for _, dir := range []string{".", "..", ".a..b", ".a.", "x", ".inbox", ".a\xff", ".a\nb"} {
		if got, ok := plain.NameOfDir(dir); ok {
			t.Errorf("%q is folder %q", dir, got)
		}
	}
}

func FuzzDirName(f *testing.F) {
	f.Add("a.b/c~d", true, true)
	f.Add("Résumé & more/\U0001F600", false, false)
	f.Fuzz(func(t *testing.T, s string, escapes, old bool) {
		n := Naming{Escapes: escapes}
		if old {
			n.Encoding = ModifiedUTF7
		}
		n.NameOfDir("." + s)
		dir, err := n.DirName(mail.Name(s))
		if err != nil || mail.Name(s).IsInbox() || n.Encoding == UTF8 && strings.Contains(s, `\`) && !escapes {
			return
		}
		if got, ok := n.NameOfDir(dir); !ok || got != mail.Name(s) {
			t.Errorf("%q in %q came back as %q", s, dir, got)
		}
	})
}

func root(t *testing.T, f vfs.FS, dirs ...string) vfs.Dir {
	t.Helper()
	d := newFolder(t, f, "/m").Dir()
	for _, dir := range dirs {
		if err := MakeFolder(d, dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

func folders(t *testing.T, d vfs.Dir, n Naming) string {
	t.Helper()
	entries, err := ListFolders(d, n)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, string(e.Name))
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

func TestTree(t *testing.T) {
	d := root(t, memfs.New(memfs.Options{}), ".Sent", ".A", ".A.B")
	d.Mkdir(".nocur", 0o700)
	n := Naming{}
	if got := folders(t, d, n); got != "A A/B INBOX Sent" {
		t.Error(got)
	}
	if err := MakeFolder(d, ".Sent", 0o700); !errors.Is(err, fs.ErrExist) {
		t.Error(err)
	}
	if err := MakeFolder(d, ".nocur", 0o700); err != nil {
		t.Error(err)
	}
	if err := RenameFolders(d, []RenamePair{{".A.B", ".Sent"}}); !errors.Is(err, fs.ErrExist) {
		t.Error(err)
	}
	if err := RenameFolders(d, []RenamePair{{".A.B", ".C.B"}, {".A", ".C"}}); err != nil {
		t.Error(err)
	}
	if err := RemoveFolder(d, ".Sent", NewUnique("h", 1, nil)); err != nil {
		t.Error(err)
	}
	if got := folders(t, d, n); got != "C C/B INBOX nocur" {
		t.Error(got)
	}
}

func TestDeleteSurvivesPowerLoss(t *testing.T) {
	fsys := memfs.New(memfs.Options{})
	d := root(t, fsys, ".Sent")
	sent, _ := d.OpenDir(".Sent")
	f, err := OpenFolder(sent, Options{Unique: NewUnique("h", 1, nil)})
	if err != nil {
		t.Fatal(err)
	}
	appendText(t, f, "a\r\n")
	f.Sync(true, true)
	fsys.Log(func(op string) {})
	if err := RemoveFolder(d, ".Sent", NewUnique("h", 1, nil)); err != nil {
		t.Fatal(err)
	}
	after := fsys.CrashClone(func(string) bool { return false })
	r, err := after.OpenDir("/m")
	if err != nil {
		t.Fatal(err)
	}
	if got := folders(t, r, Naming{}); got != "INBOX" {
		t.Error(got)
	}
	if err := RemoveLeftovers(r); err != nil {
		t.Fatal(err)
	}
	r.List(func(name string, _ vfs.Type) bool {
		if strings.HasPrefix(name, gonePrefix) {
			t.Error(name, "stayed")
		}
		return true
	})
}

func TestDetectEncoding(t *testing.T) {
	for dirs, want := range map[string]Encoding{
		".Sent": UTF8, ".R&AOk-": ModifiedUTF7, ".R&AOk- .Sent": ModifiedUTF7, ".a&b": UTF8,
		".Résumé .R&AOk-": UTF8, ".a&-b": UTF8, ".R&AOk- .b&AOk": UTF8,
	} {
		d := root(t, memfs.New(memfs.Options{}), strings.Fields(dirs)...)
		if got, err := DetectEncoding(d); got != want || err != nil {
			t.Errorf("%s: %v %v", dirs, got, err)
		}
	}
}

func TestSubscribed(t *testing.T) {
	d := root(t, memfs.New(memfs.Options{}))
	u := NewUnique("h", 1, nil)
	for _, line := range []string{"INBOX.Sent", "#shared.bob.x"} {
		err := ChangeSubscribed(t.Context(), d, u, func(l []string) ([]string, bool) { return append(l, line), true })
		if err != nil {
			t.Fatal(err)
		}
	}
	got, err := ReadSubscribed(d)
	if !slices.Equal(got, []string{"INBOX.Sent", "#shared.bob.x"}) || err != nil {
		t.Error(got, err)
	}
}
