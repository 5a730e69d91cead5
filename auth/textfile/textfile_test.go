package textfile

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestGet: a file that was written in place, replaced, removed, or made unreadable to
// the parser is seen by the next call; one that was not is not read again.
func TestGet(t *testing.T) {
	dir := t.TempDir()
	one, two := filepath.Join(dir, "one"), filepath.Join(dir, "two")
	write(t, one, "a")
	write(t, two, "b")
	errBad, reads := errors.New("bad"), 0
	files := New(10, func(texts []string) (string, error) {
		reads++
		if strings.Contains(texts[0], "bad") {
			return "", errBad
		}
		return strings.Join(texts, "+"), nil
	}, one, two)
	want := func(text string, err error) {
		t.Helper()
		if got, e := files.Get(); got != text || !errors.Is(e, err) {
			t.Errorf("got %q, %v", got, e)
		}
	}
	want("a+b", nil)
	want("a+b", nil)
	if reads != 1 {
		t.Errorf("read %d times", reads)
	}
	write(t, one, "aa")
	want("aa+b", nil)
	write(t, two+".new", "c")
	if err := os.Rename(two+".new", two); err != nil {
		t.Fatal(err)
	}
	want("aa+c", nil)
	write(t, one, "bad")
	want("", errBad)
	want("", errBad)
	write(t, one, strings.Repeat("x", 11))
	if _, err := files.Get(); err == nil {
		t.Error("a file beyond the limit")
	}
	if err := os.Remove(one); err != nil {
		t.Fatal(err)
	}
	want("", os.ErrNotExist)
	if err := syscall.Mkfifo(one, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := files.Get(); err == nil { // and it does not wait for a writer
		t.Error("a pipe")
	}
	if err := os.Remove(one); err != nil {
		t.Fatal(err)
	}
	write(t, one, "z")
	want("z+c", nil)
}

// TestYoungFile: time stamps that are younger than their grain prove nothing later.
func TestYoungFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "one")
	write(t, path, "a")
	reads := 0
	files := New(10, func([]string) (int, error) { reads++; return reads, nil }, path)
	if _, err := files.Get(); err != nil || files.settled {
		t.Fatal(files.settled, err)
	}
	old := time.Now().Add(-grain)
	files.stamps[0].ctime = syscall.NsecToTimespec(old.UnixNano()) // as if the time had gone by
	if n, err := files.Get(); n != 2 || err != nil {
		t.Error(n, err)
	}
}
