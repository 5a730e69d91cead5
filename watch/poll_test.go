package watch

import (
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// often makes a polled change show up soon.
const often = time.Millisecond

// poor is a kernel that can run out of instances and watches.
type poor struct{ instances, watches atomic.Bool }

func (p *poor) kernel() kernel {
	k := realKernel()
	instance, add := k.instance, k.add
	k.instance = func() (int, error) {
		if p.instances.Load() {
			return -1, unix.EMFILE
		}
		return instance()
	}
	k.add = func(fd int, path string) (int, error) {
		if p.watches.Load() {
			return -1, unix.ENOSPC
		}
		return add(fd, path)
	}
	return k
}

// until takes events, which must be Overflow, until ok returns true after one.
func (s seen) until(t *testing.T, ok func() bool) {
	t.Helper()
	for {
		if e := s.next(t); e != (Event{Kind: Overflow}) {
			t.Fatalf("told %+v", e)
		}
		if ok() {
			return
		}
	}
}

// age makes a directory look as if nothing happened there lately.
func age(t *testing.T, dir string) {
	t.Helper()
	old := time.Now().Add(-time.Hour)
	must(t, os.Chtimes(dir, old, old))
}

func TestPoorSystem(t *testing.T) {
	for name, lack := range map[string]func(*poor) *atomic.Bool{
		"instances": func(p *poor) *atomic.Bool { return &p.instances },
		"watches":   func(p *poor) *atomic.Bool { return &p.watches },
	} {
		t.Run(name, func(t *testing.T) {
			var p poor
			var l log
			lack(&p).Store(true)
			dir := t.TempDir()
			age(t, dir)
			w := start(t, p.kernel(), Options{PollInterval: often, Logger: l.logger()})
			s, twin := see(t, w, dir), see(t, w, dir)
			if s.Pushed() {
				t.Error("pushed")
			}
			touch(t, dir, "a")
			s.want(t, Event{Kind: Overflow})
			twin.want(t, Event{Kind: Overflow})
			twin.Close()
			if n := l.count("fs.inotify.max_user_watches"); n != 1 || l.count("fs.inotify.max_user_instances") != 1 {
				t.Errorf("logged %d times", n)
			}

			lack(&p).Store(false)
			age(t, dir)
			s.until(t, func() bool { return len(w.watched()) == 1 })
			s.pushedSoon(t, w)
			if l.count("again") != 1 {
				t.Error("not logged that it is over")
			}
			touch(t, dir, "b")
			s.want(t, Event{Kind: Came, Name: "b"})
			s.quiet(t, w)
			s.Close()
			if n := kernelWatches(t, w); n != 0 {
				t.Errorf("%d watches left", n)
			}
		})
	}
}

// watched are the directories that inotify watches.
func (w *Watcher) watched() []Dir {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []Dir
	for _, d := range w.byWD {
		all = append(all, d.at)
	}
	return all
}

// pushedSoon waits for a round of the goroutine: one more event goes through it.
func (s seen) pushedSoon(t *testing.T, w *Watcher) {
	t.Helper()
	dir := t.TempDir()
	other := see(t, w, dir)
	touch(t, dir, "x")
	other.next(t)
	other.Close()
	if !s.Pushed() {
		t.Error("not pushed after the system has watches again")
	}
}

func TestNetworkFileSystem(t *testing.T) {
	k := realKernel()
	k.remote = func(int) bool { return true }
	dir := filepath.Join(t.TempDir(), "new")
	must(t, os.Mkdir(dir, 0o700))
	age(t, dir)
	var l log
	w := start(t, k, Options{PollInterval: often, Logger: l.logger()})
	s := see(t, w, dir)
	touch(t, dir, "a")
	s.want(t, Event{Kind: Overflow})
	if s.Pushed() || len(w.watched()) > 0 {
		t.Error("a network's file system is watched by inotify")
	}
	if l.count("out of inotify") > 0 {
		t.Error("logged as lack of watches")
	}
	must(t, os.RemoveAll(dir))
	s.until(t, func() bool { return true })
}

func TestYoungTimesAreNotTrusted(t *testing.T) {
	d := &dir{path: t.TempDir()}
	now := time.Now()
	d.look(now)
	if !d.look(now) {
		t.Error("a time younger than the clock's grain was trusted")
	}
	d.look(now.Add(settled + time.Minute))
	if d.look(now.Add(settled + 2*time.Minute)) {
		t.Error("an old time was not trusted")
	}
}

func TestRemoteKnowsLocal(t *testing.T) {
	fd, _, err := openPath(t.TempDir())
	must(t, err)
	defer unix.Close(fd)
	if remote(fd) {
		t.Error("a temporary directory is taken for remote")
	}
}
