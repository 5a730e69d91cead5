package faultfs_test

import (
	"errors"
	"os"
	"syscall"
	"testing"

	"postrider/vfs"
	"postrider/vfs/faultfs"
	"postrider/vfs/memfs"
	"postrider/vfs/vfstest"
)

func TestPassThrough(t *testing.T) {
	vfstest.Run(t, func(t *testing.T) (vfs.FS, string) {
		return faultfs.Wrap(memfs.New(memfs.Options{}), nil), "/m"
	})
}

func TestNth(t *testing.T) {
	writes := func(op faultfs.Op) bool { return op.Kind == "write" }
	f := faultfs.Wrap(memfs.New(memfs.Options{}), faultfs.Nth(2, writes, syscall.EIO))
	d, err := f.OpenDir("/")
	if err != nil {
		t.Fatal(err)
	}
	x, err := d.OpenFile("x", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []error{nil, syscall.EIO, nil} {
		if _, err := x.Write([]byte("a")); !errors.Is(err, want) {
			t.Errorf("write %d: %v, want %v", i, err, want)
		}
	}
	if st, _ := x.Stat(); st.Size != 2 {
		t.Errorf("the failed write was done: size %d", st.Size)
	}
	if f.Count() != 6 {
		t.Errorf("counted %d operations", f.Count())
	}
}
