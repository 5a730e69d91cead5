package vfs_test

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"postrider/vfs"
	"postrider/vfs/vfstest"
)

func TestOS(t *testing.T) {
	vfstest.Run(t, func(t *testing.T) (vfs.FS, string) { return vfs.OS(), t.TempDir() })
}

func TestLinksAndPipesAreRefused(t *testing.T) {
	root := t.TempDir()
	if err := os.Symlink("/etc", filepath.Join(root, "dir")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc/passwd", filepath.Join(root, "file")); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(root, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := vfs.OS().OpenDir(root)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if _, err := d.OpenDir("dir"); !errors.Is(err, syscall.ENOTDIR) && !errors.Is(err, syscall.ELOOP) {
		t.Errorf("a link to a directory: %v", err)
	}
	if _, err := d.Open("file"); !errors.Is(err, syscall.ELOOP) {
		t.Errorf("a link to a file: %v", err)
	}
	if _, err := d.Open("pipe"); !errors.Is(err, vfs.ErrNotRegular) {
		t.Errorf("a pipe: %v", err)
	}
	if st, err := d.Stat("file"); err != nil || st.Type != vfs.Symlink {
		t.Errorf("%+v %v", st, err)
	}
}
