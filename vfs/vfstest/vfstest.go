// Package vfstest holds the tests that every implementation of vfs.FS passes.
package vfstest

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"postrider/vfs"
)

// Run tests the file system that open returns, below the empty directory root.
func Run(t *testing.T, open func(t *testing.T) (f vfs.FS, root string)) {
	tests := map[string]func(*testing.T, vfs.Dir){
		"create and read": createAndRead,
		"bad names":       badNames,
		"rename":          rename,
		"no replace":      noReplace,
		"link":            link,
		"directories":     directories,
		"files":           files,
		"list":            list,
		"times":           times,
		"lock":            lock,
		"open deleted":    openDeleted,
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			f, root := open(t)
			must(t, f.MkdirAll(root+"/a/b", 0o700))
			must(t, f.MkdirAll(root+"/a/b", 0o700))
			_, err := f.OpenDir(root + "/none")
			wantErr(t, err, fs.ErrNotExist)
			d, err := f.OpenDir(root)
			must(t, err)
			defer d.Close()
			test(t, d)
		})
	}
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
		t.Fatalf("error %v, want %v", err, want)
	}
}

func put(t *testing.T, d vfs.Dir, name, text string) {
	t.Helper()
	f, err := d.OpenFile(name, os.O_CREATE|os.O_RDWR|os.O_TRUNC, 0o600)
	must(t, err)
	_, err = f.Write([]byte(text))
	must(t, err)
	must(t, f.Sync())
	must(t, f.Close())
}

func get(t *testing.T, d vfs.Dir, name string) string {
	t.Helper()
	f, err := d.Open(name)
	must(t, err)
	defer f.Close()
	b, err := io.ReadAll(f)
	must(t, err)
	return string(b)
}

func wantText(t *testing.T, d vfs.Dir, name, want string) {
	t.Helper()
	if got := get(t, d, name); got != want {
		t.Fatalf("%s holds %q, want %q", name, got, want)
	}
}

func createAndRead(t *testing.T, d vfs.Dir) {
	_, err := d.Open("x")
	wantErr(t, err, fs.ErrNotExist)
	put(t, d, "x", "hello")
	wantText(t, d, "x", "hello")
	_, err = d.OpenFile("x", os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	wantErr(t, err, fs.ErrExist)
	st, err := d.Stat("x")
	must(t, err)
	if st.Size != 5 || st.Type != vfs.Regular || st.Nlink != 1 || st.Mode != 0o600 {
		t.Fatalf("%+v", st)
	}
	_, err = d.Open("a")
	wantErr(t, err, vfs.ErrNotRegular)
	must(t, d.Sync())
	must(t, d.Remove("x"))
	wantErr(t, d.Remove("x"), fs.ErrNotExist)
}

func badNames(t *testing.T, d vfs.Dir) {
	for _, name := range []string{"", ".", "..", "a/b", "/", "x\x00y"} {
		_, err := d.Open(name)
		wantErr(t, err, syscall.EINVAL)
		_, err = d.Stat(name)
		wantErr(t, err, syscall.EINVAL)
		wantErr(t, d.Mkdir(name, 0o700), syscall.EINVAL)
		wantErr(t, d.Remove(name), syscall.EINVAL)
		wantErr(t, d.Rename("a", d, name), syscall.EINVAL)
	}
	_, err := d.OpenFile(strings.Repeat("x", 256), os.O_CREATE|os.O_RDWR, 0o600)
	wantErr(t, err, syscall.ENAMETOOLONG)
}

func rename(t *testing.T, d vfs.Dir) {
	put(t, d, "x", "1")
	put(t, d, "y", "2")
	must(t, d.Rename("x", d, "y"))
	wantText(t, d, "y", "1")
	a, err := d.OpenDir("a")
	must(t, err)
	defer a.Close()
	must(t, d.Rename("y", a, "z"))
	wantText(t, a, "z", "1")
	wantErr(t, d.Rename("y", a, "z"), fs.ErrNotExist)
	wantErr(t, a.Rename("z", a, "b"), syscall.EISDIR)
	wantErr(t, a.Rename("b", a, "z"), syscall.ENOTDIR)
}

func noReplace(t *testing.T, d vfs.Dir) {
	put(t, d, "x", "1")
	put(t, d, "y", "2")
	wantErr(t, d.RenameNoReplace("x", d, "y"), fs.ErrExist)
	wantText(t, d, "y", "2")
	must(t, d.RenameNoReplace("x", d, "z"))
	wantText(t, d, "z", "1")
	must(t, d.Mkdir("e", 0o700))
	wantErr(t, d.RenameNoReplace("a", d, "e"), fs.ErrExist)
	must(t, d.RenameNoReplace("a", d, "f"))
	// Two names of one file: rename would do nothing and say that it worked.
	must(t, d.Link("z", d, "z2"))
	wantErr(t, d.RenameNoReplace("z", d, "z2"), fs.ErrExist)
}

func link(t *testing.T, d vfs.Dir) {
	put(t, d, "x", "1")
	must(t, d.Link("x", d, "y"))
	wantErr(t, d.Link("x", d, "y"), fs.ErrExist)
	a, _ := d.Stat("x")
	b, _ := d.Stat("y")
	if a.Ino != b.Ino || a.Nlink != 2 {
		t.Fatalf("%+v %+v", a, b)
	}
	must(t, d.Remove("x"))
	wantText(t, d, "y", "1")
	wantErr(t, d.Link("a", d, "c"), syscall.EPERM)
}

func directories(t *testing.T, d vfs.Dir) {
	wantErr(t, d.Mkdir("a", 0o700), fs.ErrExist)
	wantErr(t, d.RemoveDir("a"), syscall.ENOTEMPTY)
	put(t, d, "x", "")
	_, err := d.OpenDir("x")
	wantErr(t, err, syscall.ENOTDIR)
	wantErr(t, d.RemoveDir("x"), syscall.ENOTDIR)
	a, err := d.OpenDir("a")
	must(t, err)
	defer a.Close()
	must(t, d.Rename("a", d, "c"))
	must(t, a.RemoveDir("b")) // a handle follows its directory
	put(t, a, "y", "2")
	c, err := d.OpenDir("c")
	must(t, err)
	defer c.Close()
	wantText(t, c, "y", "2")
	dev, ino := a.Key()
	if dev2, ino2 := c.Key(); dev != dev2 || ino != ino2 {
		t.Fatal("one directory has two keys")
	}
	must(t, a.Remove("y"))
	must(t, d.RemoveDir("c"))
	_, err = a.OpenFile("z", os.O_CREATE|os.O_RDWR, 0o600)
	wantErr(t, err, fs.ErrNotExist)
}

func files(t *testing.T, d vfs.Dir) {
	f, err := d.OpenFile("x", os.O_CREATE|os.O_RDWR, 0o600)
	must(t, err)
	_, err = f.WriteAt([]byte("abc"), 2)
	must(t, err)
	b := make([]byte, 10)
	n, err := f.ReadAt(b, 1)
	if string(b[:n]) != "\x00abc" || err != io.EOF {
		t.Fatalf("%q %v", b[:n], err)
	}
	must(t, f.Truncate(3))
	if end, err := f.Seek(0, io.SeekEnd); end != 3 || err != nil {
		t.Fatal(end, err)
	}
	if err := f.Allocate(0, 4096); err != nil {
		wantErr(t, err, errors.ErrUnsupported)
	}
	st, err := f.Stat()
	must(t, err)
	if st.Size != 3 {
		t.Fatalf("Allocate changed the size to %d", st.Size)
	}
	must(t, f.Close())
	r, err := d.Open("x")
	must(t, err)
	defer r.Close()
	_, err = r.Write([]byte("x"))
	wantErr(t, err, syscall.EBADF)
	ap, err := d.OpenFile("x", os.O_WRONLY|os.O_APPEND, 0)
	must(t, err)
	defer ap.Close()
	_, err = ap.Write([]byte("z"))
	must(t, err)
	wantText(t, d, "x", "\x00\x00az")
}

func list(t *testing.T, d vfs.Dir) {
	put(t, d, "x", "")
	for range 2 {
		var names []string
		must(t, d.List(func(name string, ty vfs.Type) bool {
			if name == "a" && ty != vfs.Directory || name == "x" && ty != vfs.Regular {
				t.Errorf("%s has type %d", name, ty)
			}
			names = append(names, name)
			return true
		}))
		slices.Sort(names)
		if !slices.Equal(names, []string{"a", "x"}) {
			t.Fatal(names)
		}
	}
	n := 0
	must(t, d.List(func(string, vfs.Type) bool { n++; return false }))
	if n != 1 {
		t.Fatalf("yielded %d times after false", n)
	}
}

func times(t *testing.T, d vfs.Dir) {
	put(t, d, "x", "1")
	at := time.Unix(1_000_000_000, 0)
	must(t, d.SetTimes("x", at))
	st, _ := d.Stat("x")
	if !st.Mtime.Equal(at) || st.Ctime.Equal(at) {
		t.Fatalf("%+v", st)
	}
	f, err := d.OpenFile("x", os.O_RDWR, 0)
	must(t, err)
	defer f.Close()
	must(t, f.SetTimes(at.Add(time.Hour)))
	st, _ = f.Stat()
	if !st.Mtime.Equal(at.Add(time.Hour)) {
		t.Fatalf("%+v", st)
	}
}

func lock(t *testing.T, d vfs.Dir) {
	unlock, err := d.Lock(t.Context())
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = d.Lock(ctx)
	wantErr(t, err, context.Canceled)
	got := make(chan error)
	go func() {
		second, err := d.Lock(t.Context())
		if err == nil {
			second()
		}
		got <- err
	}()
	select {
	case err := <-got:
		t.Fatal("two hold the lock", err)
	default:
	}
	unlock()
	must(t, <-got)
}

func openDeleted(t *testing.T, d vfs.Dir) {
	put(t, d, "x", "still here")
	f, err := d.Open("x")
	must(t, err)
	defer f.Close()
	must(t, d.Remove("x"))
	b, err := io.ReadAll(f)
	if string(b) != "still here" || err != nil {
		t.Fatalf("%q %v", b, err)
	}
}
