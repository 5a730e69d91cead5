package memfs_test

import (
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"postrider/vfs"
	"postrider/vfs/memfs"
	"postrider/vfs/vfstest"
)

func TestConformance(t *testing.T) {
	for _, grain := range []time.Duration{1, time.Second} {
		vfstest.Run(t, func(t *testing.T) (vfs.FS, string) {
			return memfs.New(memfs.Options{Grain: grain}), "/m"
		})
	}
}

func open(t *testing.T, f vfs.FS) vfs.Dir {
	t.Helper()
	d, err := f.OpenDir("/")
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func names(t *testing.T, f vfs.FS) string {
	t.Helper()
	var all []string
	d := open(t, f)
	err := d.List(func(n string, _ vfs.Type) bool {
		file, err := d.Open(n)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(file)
		file.Close()
		all = append(all, n+"="+string(b))
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(all, " ")
}

func TestPowerLoss(t *testing.T) {
	f := memfs.New(memfs.Options{})
	d := open(t, f)
	all := func(string) bool { return true }
	none := func(string) bool { return false }
	want := func(keep func(string) bool, want string) {
		t.Helper()
		if got := names(t, f.CrashClone(keep)); got != want {
			t.Errorf("after the loss: %q, want %q", got, want)
		}
	}
	x, _ := d.OpenFile("x", os.O_CREATE|os.O_RDWR, 0o600)
	x.Write([]byte("12"))
	want(none, "")
	want(all, "x=12")
	x.Sync()
	want(none, "") // the file, but not its name
	d.Sync()
	want(none, "x=12")
	x.Write([]byte("34"))
	want(none, "x=12")
	d.Rename("x", d, "y")
	want(none, "x=12")
	want(func(c string) bool { return c == "rename x y" }, "y=12")
	want(all, "y=1234")
	d.Remove("y")
	want(none, "x=12")
	want(all, "")
	d.Sync()
	want(none, "")
}

func TestLog(t *testing.T) {
	f := memfs.New(memfs.Options{})
	f.MkdirAll("/tmp", 0o700)
	var ops []string
	f.Log(func(op string) { ops = append(ops, op) })
	d := open(t, f)
	tmp, _ := d.OpenDir("tmp")
	x, _ := tmp.OpenFile("a", os.O_CREATE|os.O_RDWR, 0o600)
	x.Write([]byte("12"))
	x.Sync()
	tmp.Rename("a", d, "b")
	d.Sync()
	want := []string{"create tmp/a", "write tmp/a 2", "sync tmp/a", "rename tmp/a b", "syncdir ."}
	if !slices.Equal(ops, want) {
		t.Errorf("%q", ops)
	}
}

func TestQuota(t *testing.T) {
	f := memfs.New(memfs.Options{Quota: 10})
	d := open(t, f)
	x, _ := d.OpenFile("x", os.O_CREATE|os.O_RDWR, 0o600)
	if err := x.Allocate(0, 6); err != nil {
		t.Fatal(err)
	}
	y, _ := d.OpenFile("y", os.O_CREATE|os.O_RDWR, 0o600)
	if n, err := y.Write([]byte("123456")); n != 4 || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("wrote %d, %v", n, err)
	}
	if _, err := x.Write([]byte("123456")); err != nil {
		t.Errorf("preallocated space: %v", err)
	}
	y.Close()
	d.Remove("y")
	if f.Used() != 6 {
		t.Errorf("%d bytes in use", f.Used())
	}
}

func TestGrain(t *testing.T) {
	at := time.Unix(100, 999_999_999)
	f := memfs.New(memfs.Options{Grain: 4 * time.Millisecond, Now: func() time.Time { return at }})
	d := open(t, f)
	d.Mkdir("x", 0o700)
	if st, _ := d.StatSelf(); !st.Mtime.Equal(time.Unix(100, 996_000_000)) {
		t.Error(st.Mtime)
	}
}

func TestLockInBubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t, memfs.New(memfs.Options{}))
		unlock, err := d.Lock(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got := false
		go func() {
			u, err := d.Lock(t.Context())
			got = err == nil
			u()
		}()
		synctest.Wait()
		if got {
			t.Error("two hold the lock")
		}
		unlock()
		synctest.Wait()
		if !got {
			t.Error("the lock was not passed on")
		}
	})
}
