package maildir

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"postrider/mail"
	"postrider/vfs"
	"postrider/vfs/memfs"
)

func newFolder(t testing.TB, f vfs.FS, path string) *Folder {
	t.Helper()
	if err := f.MkdirAll(path, 0o700); err != nil {
		t.Fatal(err)
	}
	d, err := f.OpenDir(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := MakeFolder(d, "", 0o700); err != nil {
		t.Fatal(err)
	}
	folder, err := OpenFolder(d, Options{Unique: NewUnique("host", 7, nil)})
	if err != nil {
		t.Fatal(err)
	}
	return folder
}

func deliver(t testing.TB, f *Folder, inNew bool, name, text string) mail.MessageFile {
	t.Helper()
	file, err := f.sub(inNew).OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	file.Write([]byte(text))
	file.Close()
	m, _ := f.Parse(name, inNew)
	return m
}

func served(t testing.TB, f *Folder, m mail.MessageFile) string {
	t.Helper()
	file, err := f.Open(m)
	if err != nil {
		t.Fatal(err)
	}
	s, err := f.Served(m, file)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var b bytes.Buffer
	if _, err := s.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Size(); n != int64(b.Len()) || err != nil {
		t.Fatalf("size %d, wrote %d: %v", n, b.Len(), err)
	}
	return b.String()
}

func appendText(t testing.TB, f *Folder, pieces ...string) mail.MessageFile {
	t.Helper()
	d, err := f.Create(-1)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pieces {
		if n, err := d.Write([]byte(p)); n != len(p) || err != nil {
			t.Fatal(n, err)
		}
	}
	if err := d.Sync(); err != nil {
		t.Fatal(err)
	}
	m, err := d.Publish(mail.Seen, time.Unix(1e9, 0))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestStoredForm(t *testing.T) {
	f := newFolder(t, memfs.New(memfs.Options{}), "/m")
	big := strings.Repeat("a line of text, as there are many\r\n", 20000)
	tests := []struct {
		in     string
		stored int // expected size on disk
		tag    bool
	}{
		{"a\r\nb\r\n", 4, false},
		{"", 0, false},
		{"abc", 3, false},
		{"a\rb\r\nc\r", 6, false},
		{"a\r\nb\n", 5, false},         // first line CRLF: served as it is
		{"a\nb\r\n", 5, true},          // first line LF, then CRLF
		{"a\n", 2, true},               //
		{"a\r\r\nb\r\n", 7, false},     // would look like CRLF if shortened
		{"a\r\nb\r\r\n", 5, false},     // CR CR LF later on is no trouble
		{"\r\n", 1, false},             //
		{"\n", 1, true},                //
		{big, len(big) - 20000, false}, // long: streamed
		{big + "x\n", len(big) + 2, false},
		{"x\n" + big, len(big) + 2, true},
		{strings.Repeat("x", firstLineLimit) + "\r\ny\n", firstLineLimit + 4, true},
	}
	for _, test := range tests {
		m := appendText(t, f, test.in)
		st, err := f.Stat(m)
		if err != nil {
			t.Fatal(err)
		}
		if int(st.Size) != test.stored || hasVerbatimField(m.Base) != test.tag {
			t.Errorf("%.20q: stored in %d bytes under %s", test.in, st.Size, m.Name)
		}
		if m.Size != st.Size || m.CRLFSize != int64(len(test.in)) {
			t.Errorf("%.20q: hints %d, %d", test.in, m.Size, m.CRLFSize)
		}
		if got := served(t, f, m); got != test.in {
			t.Errorf("%.20q: came back as %.20q (%d bytes of %d)", test.in, got, len(got), len(test.in))
		}
		if !st.Mtime.Equal(time.Unix(1e9, 0)) {
			t.Errorf("date %v", st.Mtime)
		}
	}
}

func FuzzStoredForm(f *testing.F) {
	for _, s := range []string{"a\r\nb\r\n", "a\n\r\n", "\r\r\n\r\n", "a\r\nb\n", "\r", "\n"} {
		f.Add([]byte(s), uint8(2))
	}
	folder := newFolder(f, memfs.New(memfs.Options{}), "/m")
	f.Fuzz(func(t *testing.T, text []byte, cut uint8) {
		i := min(int(cut), len(text))
		m := appendText(t, folder, string(text[:i]), string(text[i:]))
		if got := served(t, folder, m); got != string(text) {
			t.Errorf("%q came back as %q", text, got)
		}
		if err := folder.Remove(m); err != nil {
			t.Fatal(err)
		}
	})
}

func TestServedReadAt(t *testing.T) {
	f := newFolder(t, memfs.New(memfs.Options{}), "/m")
	text := strings.Repeat("0123456789\r\n\r\n", 60000)
	m := appendText(t, f, text)
	file, err := f.Open(m)
	if err != nil {
		t.Fatal(err)
	}
	s, err := f.Served(m, file)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for off := int64(0); off < int64(len(text)); off += 12347 {
		b := make([]byte, 100000)
		n, err := s.ReadAt(b, off)
		want := text[off:min(len(text), int(off)+len(b))]
		if string(b[:n]) != want || (err == io.EOF) != (n < len(b)) {
			t.Fatalf("at %d: %d bytes, %v", off, n, err)
		}
	}
	if n, err := s.ReadAt(make([]byte, 1), int64(len(text))); n != 0 || err != io.EOF {
		t.Error(n, err)
	}
}

func TestForeignFiles(t *testing.T) {
	f := newFolder(t, memfs.New(memfs.Options{}), "/m")
	for in, want := range map[string]string{
		"a\nb\n":     "a\r\nb\r\n",
		"a\r\nb\r\n": "a\r\nb\r\n",
		"a\r\nb\n":   "a\r\nb\n",
	} {
		m := deliver(t, f, true, "1.x.y", in)
		if got := served(t, f, m); got != want {
			t.Errorf("%q is served as %q", in, got)
		}
		f.Remove(m)
	}
}

func TestRenameKeepsWhatItDoesNotKnow(t *testing.T) {
	f := newFolder(t, memfs.New(memfs.Options{}), "/m")
	tests := []struct {
		inNew      bool
		name, want string
	}{
		{true, "1.a.h,S=3", "1.a.h,S=3:2,FS"},
		{false, "2.a.h:2,PSab", "2.a.h:2,FPSab"},
		{false, "3.a.h:1,xyz", "3.a.h:2,FS"},
		{false, "4.a.h:2,T,more", "4.a.h:2,FS,more"},
		{false, "5 a\r.h:2,", "5 a\r.h:2,FS"},
	}
	for _, test := range tests {
		m, err := f.Rename(deliver(t, f, test.inNew, test.name, "x"), mail.Flagged|mail.Seen)
		if err != nil || m.Name != test.want || m.New {
			t.Errorf("%q became %q: %v", test.name, m.Name, err)
		}
		if _, err := f.Stat(m); err != nil {
			t.Error(err)
		}
	}
	m := deliver(t, f, false, "9.a:2,S", "1")
	deliver(t, f, false, "9.a:2,", "2")
	if _, err := f.Rename(m, 0); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a file was replaced: %v", err)
	}
	long := deliver(t, f, true, strings.Repeat("x", 255), "")
	if _, err := f.Rename(long, mail.Seen); !errors.Is(err, syscall.ENAMETOOLONG) {
		t.Error(err)
	}
	if m, err := f.Take(long); err != nil || m.Name != long.Name || m.New {
		t.Error(m, err)
	}
}

func TestScanAndFind(t *testing.T) {
	f := newFolder(t, memfs.New(memfs.Options{}), "/m")
	deliver(t, f, true, "1.a", "")
	deliver(t, f, true, ".hidden", "")
	deliver(t, f, false, "2.a:2,DFRST", "")
	var got []string
	f.Scan(true, true, func(m mail.MessageFile) bool { got = append(got, m.Name); return true })
	if !slices.Equal(got, []string{"1.a", "2.a:2,DFRST"}) {
		t.Error(got)
	}
	for base, want := range map[string]int{"1.a": 1, "2.a": 1, "3.a": 0} {
		if found, err := f.Find(base); len(found) != want || err != nil {
			t.Errorf("%s: %v %v", base, found, err)
		}
	}
}

func TestCopyAndMove(t *testing.T) {
	fsys := memfs.New(memfs.Options{})
	a, b := newFolder(t, fsys, "/a"), newFolder(t, fsys, "/b")
	m := appendText(t, a, "x\ny\r\n") // served verbatim by its name
	d, err := b.StageCopy(a, m)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Sync(); err != nil {
		t.Fatal(err)
	}
	c, err := d.Publish(mail.Flagged, time.Time{})
	if err != nil || c.Base == m.Base || served(t, b, c) != "x\ny\r\n" {
		t.Fatalf("%+v %v", c, err)
	}
	moved, err := a.Move(m, b.Dir(), false)
	if err != nil || moved.Base != m.Base || moved.Flags != mail.Seen {
		t.Fatalf("%+v %v", moved, err)
	}
	again, err := b.Move(moved, b.Dir(), true)
	if err != nil || again.Base == m.Base || served(t, b, again) != "x\ny\r\n" {
		t.Fatalf("%+v %v", again, err)
	}
	// Another file system: the bytes are copied.
	far := newFolder(t, memfs.New(memfs.Options{}), "/")
	d, err = far.StageCopy(a, appendText(t, a, "far\r\n"))
	if err == nil {
		c, err = d.Publish(0, time.Time{})
	}
	if err != nil || served(t, far, c) != "far\r\n" {
		t.Fatal(err)
	}
}

func TestCleanTemp(t *testing.T) {
	now := time.Unix(1e9, 0)
	fsys := memfs.New(memfs.Options{Now: func() time.Time { return now }})
	f := newFolder(t, fsys, "/m")
	f.o.Now = func() time.Time { return now }
	make := func(name string) {
		file, err := f.tmp.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		file.Close()
	}
	make("old")
	make(".dot")
	now = now.Add(35 * time.Hour)
	make("young")
	now = now.Add(2 * time.Hour)
	if err := f.CleanTemp(TempAge); err != nil {
		t.Fatal(err)
	}
	var left []string
	f.tmp.List(func(n string, _ vfs.Type) bool { left = append(left, n); return true })
	if !slices.Equal(left, []string{".dot", "young"}) {
		t.Error(left)
	}
}

func TestPublishOperations(t *testing.T) {
	fsys := memfs.New(memfs.Options{})
	f := newFolder(t, fsys, "/m")
	var ops []string
	fsys.Log(func(op string) { ops = append(ops, strings.Fields(op)[0]) })
	appendText(t, f, "a\r\n")
	f.Sync(false, true)
	if want := []string{"create", "write", "sync", "rename", "syncdir"}; !slices.Equal(ops, want) {
		t.Error(ops)
	}
}

func TestUniqueNamesSort(t *testing.T) {
	at := time.Unix(1e9, 999_998_000)
	u := NewUnique("a/b:c,d", 5, func() time.Time { return at })
	last := ""
	for range 20 {
		name := u.Base(1, 2, 3, 4, false)
		if name <= last {
			t.Errorf("%s after %s", name, last)
		}
		last = name
	}
	if want := `.a\057b\072c\054d,S=3,W=4`; !strings.HasSuffix(last, want) {
		t.Error(last)
	}
}

func FuzzFileName(f *testing.F) {
	for _, s := range []string{"1.a.h:2,S", ":2,", "a:", "a:1,b", "a:b:2,Tz,x", "a,S=1,W=2,R:2,", "\r\n :2,\x00"} {
		f.Add(s, uint8(0))
	}
	f.Fuzz(func(t *testing.T, s string, flags uint8) {
		if s == "" { // no file is called so
			return
		}
		n := ParseFileName(s)
		if !strings.HasPrefix(s, n.Base) {
			t.Errorf("base %q of %q", n.Base, s)
		}
		if !n.HasInfo && n.String() != s {
			t.Errorf("%q printed as %q", s, n.String())
		}
		g := mail.Flags(flags) & mail.AllFlags
		m := ParseFileName(n.WithFlags(g).String())
		if m.Base != n.Base || m.Flags != g || m.Tail != n.Tail || len(m.Other) != len(n.Other) {
			t.Errorf("%q with %v: %+v, was %+v", s, g, m, n)
		}
		SizeHints(n.Base)
	})
}

// TestLentMemory: a message keeps its text while others are opened and closed, though
// the memory of those that were closed is used again.
func TestLentMemory(t *testing.T) {
	f := newFolder(t, memfs.New(memfs.Options{}), "/m")
	open := func(name, text string) (Served, string) {
		m := deliver(t, f, false, name, text)
		file, err := f.Open(m)
		if err != nil {
			t.Fatal(err)
		}
		s, err := f.Served(m, file)
		if err != nil {
			t.Fatal(err)
		}
		return s, strings.ReplaceAll(text, "\n", "\r\n")
	}
	is := func(s Served, want string) {
		t.Helper()
		var b bytes.Buffer
		if _, err := s.WriteTo(&b); err != nil || b.String() != want {
			t.Fatalf("got %q, want %q: %v", b.String(), want, err)
		}
	}
	kept, keptText := open("1.kept:2,", "Subject: kept\n\nfirst\n")
	defer kept.Close()
	for i := range 20 {
		s, text := open(fmt.Sprintf("2.%d:2,", i), strings.Repeat(fmt.Sprintf("line %d\n", i), 1+i*37%11))
		is(s, text)
		is(kept, keptText)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s.Close() // a second one gives nothing back twice
	}
	is(kept, keptText)
}
