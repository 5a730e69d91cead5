package watch

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestNamesInOneDirectory(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	w := start(t, realKernel(), Options{})
	s := see(t, w, dir)
	if !s.Pushed() {
		t.Error("not pushed")
	}
	touch(t, dir, "a")
	s.want(t, Event{Kind: Came, Name: "a"})
	move(t, dir, "a", dir, "a:2,S")
	s.want(t, Event{Kind: Renamed, Name: "a:2,S", OldName: "a", FromDir: s.Dir()})
	move(t, dir, "a:2,S", other, "a")
	s.want(t, Event{Kind: Went, Name: "a:2,S"})
	move(t, other, "a", dir, "b")
	s.want(t, Event{Kind: Came, Name: "b"})
	must(t, os.Remove(filepath.Join(dir, "b")))
	s.want(t, Event{Kind: Went, Name: "b"})
	s.quiet(t, w)
}

func TestWritingIsNotTold(t *testing.T) {
	dir := t.TempDir()
	touch(t, dir, "a")
	w := start(t, realKernel(), Options{})
	s := see(t, w, dir)
	must(t, os.WriteFile(filepath.Join(dir, "a"), []byte("text"), 0o600))
	must(t, os.Chmod(filepath.Join(dir, "a"), 0o640))
	s.quiet(t, w)
}

func TestRenameBetweenDirectories(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	w := start(t, realKernel(), Options{})
	a, b := see(t, w, from), see(t, w, to)
	touch(t, from, "x")
	a.want(t, Event{Kind: Came, Name: "x"})
	move(t, from, "x", to, "x:2,")
	b.want(t, Event{Kind: Renamed, Name: "x:2,", OldName: "x", FromDir: a.Dir()})
	a.want(t, Event{Kind: Went, Name: "x", ToDir: b.Dir()})
	a.quiet(t, w)
	b.quiet(t, w)
}

// kernelWatches is how many inotify watches the kernel keeps for w.
func kernelWatches(t *testing.T, w *Watcher) int {
	t.Helper()
	b, err := os.ReadFile("/proc/self/fdinfo/" + strconv.Itoa(w.fd))
	must(t, err)
	return strings.Count(string(b), "inotify wd:")
}

func TestWatchesAreShared(t *testing.T) {
	dir := t.TempDir()
	w := start(t, realKernel(), Options{})
	a := see(t, w, dir)
	open, err := os.Open(dir)
	must(t, err)
	b := see(t, w, procPath(int(open.Fd())))
	must(t, open.Close())
	if a.Dir() != b.Dir() || kernelWatches(t, w) != 1 {
		t.Errorf("%v and %v, %d watches", a.Dir(), b.Dir(), kernelWatches(t, w))
	}
	touch(t, dir, "x")
	a.want(t, Event{Kind: Came, Name: "x"})
	b.want(t, Event{Kind: Came, Name: "x"})
	a.Close()
	a.Close()
	touch(t, dir, "y")
	b.want(t, Event{Kind: Came, Name: "y"})
	a.quiet(t, w)
	b.Close()
	if n := kernelWatches(t, w); n != 0 {
		t.Errorf("%d watches left", n)
	}
	c := see(t, w, dir)
	touch(t, dir, "z")
	c.want(t, Event{Kind: Came, Name: "z"})
	b.quiet(t, w)
}

func TestMoveToWhereNobodyLooksAnyMore(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	touch(t, from, "x")
	touch(t, from, "block")
	w := start(t, realKernel(), Options{})
	b := see(t, w, to)
	busy, goOn := make(chan bool), make(chan bool)
	blocker, err := w.Watch(from, func(e Event) {
		if e.Name == "block" {
			busy <- true
			<-goOn
		}
	})
	must(t, err)
	defer blocker.Close()
	a := see(t, w, from)
	must(t, os.Remove(filepath.Join(from, "block")))
	<-busy
	move(t, from, "x", to, "x")
	b.Close()
	goOn <- true
	a.want(t, Event{Kind: Went, Name: "block"}, Event{Kind: Went, Name: "x"})
	b.quiet(t, w)
}

func TestDirectoryRemoved(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	must(t, os.Mkdir(dir, 0o700))
	w := start(t, realKernel(), Options{})
	s := see(t, w, dir)
	must(t, os.Remove(dir))
	s.want(t, Event{Kind: Gone})
	s.quiet(t, w)
	if s.Pushed() {
		t.Error("still pushed")
	}
	s.Close()
	must(t, os.Mkdir(dir, 0o700))
	again := see(t, w, dir)
	touch(t, dir, "x")
	again.want(t, Event{Kind: Came, Name: "x"})
	s.quiet(t, w)
}

func TestDirectoryMoved(t *testing.T) {
	up := t.TempDir()
	dir, moved := filepath.Join(up, "a"), filepath.Join(up, "b")
	must(t, os.Mkdir(dir, 0o700))
	w := start(t, realKernel(), Options{})
	s := see(t, w, dir)
	must(t, os.Rename(dir, moved))
	s.want(t, Event{Kind: Overflow})
	touch(t, moved, "x")
	s.want(t, Event{Kind: Came, Name: "x"})
}

func TestQueueOverflow(t *testing.T) {
	b, err := os.ReadFile("/proc/sys/fs/inotify/max_queued_events")
	must(t, err)
	limit, err := strconv.Atoi(strings.TrimSpace(string(b)))
	must(t, err)
	begun := time.Now()
	dir, other := t.TempDir(), t.TempDir()
	w := start(t, realKernel(), Options{})
	busy, goOn := make(chan bool, 1), make(chan bool)
	blocker, err := w.Watch(dir, func(e Event) {
		if e.Name == "first" {
			busy <- true
			<-goOn
		}
	})
	must(t, err)
	defer blocker.Close()
	s, elsewhere := see(t, w, dir), see(t, w, other)
	touch(t, dir, "first")
	<-busy
	full := time.Now()
	touch(t, dir, "a")
	for range limit/4 + 1 {
		move(t, dir, "a", dir, "b")
		move(t, dir, "b", dir, "a")
	}
	if w.Drained() {
		t.Error("drained although nothing is read")
	}
	goOn <- true
	drain(t, w)
	lost := elsewhere.next(t)
	if lost.Kind != Overflow || lost.Since.Before(begun) || lost.Since.After(full) {
		t.Errorf("told %+v, want an overflow of what came after %v and before %v", lost, begun, full)
	}
	var last Event
	for len(s.events) > 0 {
		last = <-s.events
	}
	if last.Kind != Overflow {
		t.Errorf("the last was %+v", last)
	}
}

func TestErrorsOfWatch(t *testing.T) {
	dir := t.TempDir()
	touch(t, dir, "file")
	w, err := New(Options{})
	must(t, err)
	for _, path := range []string{dir, dir + "/none"} {
		if _, err := w.WatchFile(path, func(Event) {}); err == nil {
			t.Errorf("%s is watched as a file", path)
		}
	}
	for _, path := range []string{dir + "/none", dir + "/file"} {
		if _, err := w.Watch(path, func(Event) {}); err == nil {
			t.Errorf("%s is watched", path)
		}
	}
	if _, err := w.Watch(dir+"/none", nil); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	s := see(t, w, dir)
	must(t, w.Close())
	must(t, w.Close())
	if _, err := w.Watch(dir, func(Event) {}); !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
	if w.Drained() {
		t.Error("drained after Close")
	}
	s.Close()
}

func TestDrained(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	w := start(t, realKernel(), Options{})
	s := see(t, w, dir)
	for i := range 100 {
		for j := range i % 7 {
			touch(t, dir, fmt.Sprint(i, ".", j))
		}
		touch(t, dir, "out")
		move(t, dir, "out", other, "out")
		drain(t, w)
		if n := len(s.events); n != i%7+2 {
			t.Fatalf("drained after %d of %d events", n, i%7+2)
		}
		for range i%7 + 2 {
			<-s.events
		}
	}
}
