package watch

import (
	"bytes"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start returns a Watcher that ends with the test.
func start(t *testing.T, k kernel, o Options) *Watcher {
	t.Helper()
	w, err := newWatcher(o, k)
	must(t, err)
	t.Cleanup(func() { must(t, w.Close()) })
	return w
}

// seen is a watch and what it was told.
type seen struct {
	Watch
	events chan Event
}

func see(t *testing.T, w *Watcher, path string) seen {
	t.Helper()
	events := make(chan Event, 1<<16)
	s, err := w.Watch(path, func(e Event) { events <- e })
	must(t, err)
	return seen{s, events}
}

func (s seen) next(t *testing.T) Event {
	t.Helper()
	select {
	case e := <-s.events:
		return e
	case <-time.After(20 * time.Second):
		t.Fatal("no event came")
		return Event{}
	}
}

func (s seen) want(t *testing.T, want ...Event) {
	t.Helper()
	for _, e := range want {
		if got := s.next(t); got != e {
			t.Fatalf("told %+v, want %+v", got, e)
		}
	}
}

// quiet checks that everything was told and nothing is left.
func (s seen) quiet(t *testing.T, w *Watcher) {
	t.Helper()
	drain(t, w)
	if len(s.events) > 0 {
		t.Fatalf("told %+v, too", <-s.events)
	}
}

func drain(t *testing.T, w *Watcher) {
	t.Helper()
	for begin := time.Now(); !w.Drained(); {
		if time.Since(begin) > 20*time.Second {
			t.Fatal("never drained")
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func touch(t *testing.T, dir, name string) {
	t.Helper()
	must(t, os.WriteFile(filepath.Join(dir, name), nil, 0o600))
}

func move(t *testing.T, dir, name, to, newName string) {
	t.Helper()
	must(t, os.Rename(filepath.Join(dir, name), filepath.Join(to, newName)))
}

// log is a logger's text.
type log struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

var _ io.Writer = (*log)(nil)

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *log) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

func (l *log) count(s string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.buf.String(), s)
}
