package watch

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
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
	k.add = func(fd int, path string, mask uint32) (int, error) {
		if p.watches.Load() {
			return -1, unix.ENOSPC
		}
		return add(fd, path, mask)
	}
	return k
}

// until takes events that say no more than "look", until ok returns true after one.
func (s seen) until(t *testing.T, ok func() bool) {
	t.Helper()
	for {
		if e := s.next(t); e != (Event{Kind: Overflow}) && e != (Event{Kind: Changed}) {
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
			s.want(t, Event{Kind: Changed})
			twin.want(t, Event{Kind: Changed})
			twin.Close()
			if n := l.count("sysctl fs.inotify.max_user_" + name); n != 1 || l.count("level=WARN") != 1 {
				t.Errorf("logged %d times", n)
			}

			lack(&p).Store(false)
			age(t, dir)
			s.until(t, func() bool { return len(w.watched()) == 1 })
			eventually(t, "it is pushed", s.Pushed)
			eventually(t, "it is logged", func() bool { return l.count("again") == 1 })
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

// A file is told to be written to, whether that is pushed or polled.
func TestFileIsWatched(t *testing.T) {
	for name, remote := range map[string]bool{"pushed": false, "polled": true} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "journal")
			touch(t, dir, "journal")
			age(t, path)
			k := realKernel()
			k.remote = func(int) bool { return remote }
			w := start(t, k, Options{PollInterval: often})
			events := make(chan Event, 1<<16)
			f, err := w.WatchFile(path, func(e Event) { events <- e })
			must(t, err)
			defer f.Close()
			s := seen{f, events}
			touch(t, dir, "other")
			must(t, os.WriteFile(filepath.Join(dir, "other"), []byte("x"), 0o600))
			grow(t, path)
			want := Event{Kind: Wrote}
			if remote {
				want = Event{Kind: Changed}
			}
			s.want(t, want)
			if s.Pushed() == remote {
				t.Errorf("pushed is %v", s.Pushed())
			}
		})
	}
}

func grow(t *testing.T, path string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	must(t, err)
	_, err = f.Write([]byte("more"))
	must(t, errors.Join(err, f.Close()))
}

// What grows within one grain of the clock is seen by its length.
func TestLengthIsLookedAt(t *testing.T) {
	up := t.TempDir()
	path := filepath.Join(up, "journal")
	touch(t, up, "journal")
	age(t, path)
	d := &dir{path: path, file: true}
	now, k := time.Now(), realKernel()
	d.look(k, now)
	grow(t, path)
	age(t, path)
	if !d.look(k, now) {
		t.Error("a longer file of the same time was taken for unchanged")
	}
}

// A file system that does not answer delays no other, nor Close.
func TestHungFileSystem(t *testing.T) {
	hung, healthy := t.TempDir(), t.TempDir()
	age(t, healthy)
	k := realKernel()
	k.remote = func(int) bool { return true }
	goOn, asked := make(chan bool), make(chan bool, 1)
	t.Cleanup(func() { close(goOn) })
	first := atomic.Bool{}
	k.look = func(path string, remote bool) (look, error) {
		l, err := lookAt(path, remote)
		if path != hung {
			l.at.Dev++ // as if it were mounted elsewhere
			return l, err
		}
		if first.CompareAndSwap(false, true) {
			return l, err // Watch's own
		}
		asked <- true
		<-goOn
		return l, err
	}
	w, err := newWatcher(Options{PollInterval: often}, k)
	must(t, err)
	see(t, w, hung)
	s := see(t, w, healthy)
	w.mu.Lock()
	w.polled[s.Dir()].at.Dev++
	w.mu.Unlock()
	<-asked
	for i := range 3 {
		touch(t, healthy, "a"+string(rune('0'+i)))
		s.want(t, Event{Kind: Changed})
	}
	begin := time.Now()
	must(t, w.Close())
	if took := time.Since(begin); took > 10*time.Second {
		t.Errorf("Close waited %v for a file system that hangs", took)
	}
}

// PollOnly asks the system for no inotify instance.
func TestPollOnly(t *testing.T) {
	k := realKernel()
	k.instance = func() (int, error) { t.Error("an instance was asked for"); return -1, unix.EMFILE }
	dir := t.TempDir()
	age(t, dir)
	var l log
	w := start(t, k, Options{PollInterval: often, PollOnly: true, Logger: l.logger()})
	s := see(t, w, dir)
	touch(t, dir, "a")
	s.want(t, Event{Kind: Changed})
	if s.Pushed() || l.count("inotify") > 0 {
		t.Error("pushed, or logged as a lack")
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

// eventually waits for what a goroutine does right after what was waited for before.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for begin := time.Now(); !ok(); runtime.Gosched() {
		if time.Since(begin) > 20*time.Second {
			t.Fatal("never: ", what)
		}
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
	s.want(t, Event{Kind: Changed})
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
	now, k := time.Now(), realKernel()
	d.look(k, now)
	if !d.look(k, now) {
		t.Error("a time younger than the clock's grain was trusted")
	}
	d.look(k, now.Add(settled+time.Minute))
	if d.look(k, now.Add(settled+2*time.Minute)) {
		t.Error("an old time was not trusted")
	}
}
