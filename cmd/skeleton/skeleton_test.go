package skeleton_test

import (
	"os"
	"path/filepath"
	"testing"

	"postrider/cmd/skeleton"
)

func TestCopy(t *testing.T) {
	dir := t.TempDir()
	skel, home := filepath.Join(dir, "skel"), filepath.Join(dir, "home", "jane")
	for _, d := range []string{"skel", "skel/Maildir", "skel/Maildir/cur", "home"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o750); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(skel, "welcome"), []byte("hello\n"), 0o440); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("welcome", filepath.Join(skel, "link")); err != nil {
		t.Fatal(err)
	}
	copyHome := func() {
		t.Helper()
		if err := skeleton.Copy(skel, home, -1, -1); err != nil {
			t.Fatal(err)
		}
	}
	copyHome()
	if b, err := os.ReadFile(filepath.Join(home, "link")); err != nil || string(b) != "hello\n" {
		t.Errorf("%q, %v", b, err)
	}
	for name, mode := range map[string]os.FileMode{"Maildir/cur": 0o750, "welcome": 0o440, ".": 0o750} {
		if info, err := os.Stat(filepath.Join(home, name)); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	// One that is there stays as it is.
	if err := os.Remove(filepath.Join(home, "link")); err != nil {
		t.Fatal(err)
	}
	copyHome()
	if _, err := os.Lstat(filepath.Join(home, "link")); err == nil {
		t.Error("a home that was there was changed")
	}
	left, err := os.ReadDir(filepath.Join(dir, "home"))
	if err != nil || len(left) != 1 {
		t.Errorf("%v, %v", left, err)
	}
	if err := os.RemoveAll(home); err != nil {
		t.Fatal(err)
	}
	if err := skeleton.Copy(filepath.Join(dir, "nowhere"), home, -1, -1); err != nil {
		t.Errorf("without a skeleton: %v", err)
	}
	if _, err := os.Lstat(home); err == nil {
		t.Error("a home out of nothing")
	}
}
