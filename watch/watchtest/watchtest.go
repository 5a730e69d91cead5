// Package watchtest has a watcher for tests, whose events the test gives by
// hand; it needs no inotify, so it works on vfs/memfs and with testing/synctest.
//
// It owns the watches it gave out, and knows nothing of what is in a directory.
package watchtest

import (
	"slices"
	"sync"
	"time"

	"postrider/watch"
)

// Watcher has the methods of *watch.Watcher. Events are delivered by the
// goroutine that gives them, before the giving method returns.
type Watcher struct {
	dirOf func(path string) (watch.Dir, error)

	mu      sync.Mutex
	watches []*fake
	pushed  bool
	drained bool
}

type fake struct {
	w    *Watcher
	path string
	at   watch.Dir
	mu   sync.Mutex // held while fn runs
	fn   func(watch.Event)
}

// New returns a Watcher that finds out with dirOf which directory or file a path means.
// At first every watch is pushed and everything drained.
func New(dirOf func(path string) (watch.Dir, error)) *Watcher {
	return &Watcher{dirOf: dirOf, pushed: true, drained: true}
}

// Watch is as that of *watch.Watcher.
func (w *Watcher) Watch(path string, fn func(watch.Event)) (watch.Watch, error) {
	at, err := w.dirOf(path)
	if err != nil {
		return nil, err
	}
	f := &fake{w: w, path: path, at: at, fn: fn}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.watches = append(w.watches, f)
	return f, nil
}

// WatchFile is as that of *watch.Watcher; dirOf is asked for the file, too.
func (w *Watcher) WatchFile(path string, fn func(watch.Event)) (watch.Watch, error) {
	return w.Watch(path, fn)
}

// Drained returns what SetDrained was given.
func (w *Watcher) Drained() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.drained
}

// SetDrained sets what Drained returns.
func (w *Watcher) SetDrained(drained bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.drained = drained
}

// SetPushed sets what Pushed of all watches returns. Whoever sets it to true
// gives an Overflow before, as the real one does.
func (w *Watcher) SetPushed(pushed bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pushed = pushed
}

// Watched returns the paths of the watches that are not closed, sorted.
func (w *Watcher) Watched() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var paths []string
	for _, f := range w.watches {
		paths = append(paths, f.path)
	}
	slices.Sort(paths)
	return paths
}

// Tell gives an event to the watches of a directory.
func (w *Watcher) Tell(at watch.Dir, e watch.Event) {
	w.mu.Lock()
	to := slices.Clone(w.watches)
	w.mu.Unlock()
	for _, f := range to {
		if f.at == at {
			f.tell(e)
		}
	}
}

// Came tells that a name appeared in a directory.
func (w *Watcher) Came(at watch.Dir, name string) {
	w.Tell(at, watch.Event{Kind: watch.Came, Name: name})
}

// Went tells that a name was unlinked.
func (w *Watcher) Went(at watch.Dir, name string) {
	w.Tell(at, watch.Event{Kind: watch.Went, Name: name})
}

// Renamed tells both directories of a rename what the real watcher tells them.
func (w *Watcher) Renamed(from watch.Dir, oldName string, to watch.Dir, name string) {
	w.Tell(to, watch.Event{Kind: watch.Renamed, Name: name, OldName: oldName, FromDir: from})
	if from != to {
		w.Tell(from, watch.Event{Kind: watch.Went, Name: oldName, ToDir: to})
	}
}

// Overflow tells every watch that events were lost, none before since.
func (w *Watcher) Overflow(since time.Time) {
	w.mu.Lock()
	to := slices.Clone(w.watches)
	w.mu.Unlock()
	for _, f := range to {
		f.tell(watch.Event{Kind: watch.Overflow, Since: since})
	}
}

func (f *fake) tell(e watch.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fn != nil {
		f.fn(e)
	}
}

// Dir implements watch.Watch.
func (f *fake) Dir() watch.Dir { return f.at }

// Pushed implements watch.Watch.
func (f *fake) Pushed() bool {
	f.w.mu.Lock()
	defer f.w.mu.Unlock()
	return f.w.pushed
}

// Close implements watch.Watch.
func (f *fake) Close() {
	f.w.mu.Lock()
	f.w.watches = slices.DeleteFunc(f.w.watches, func(o *fake) bool { return o == f })
	f.w.mu.Unlock()
	f.mu.Lock()
	f.fn = nil
	f.mu.Unlock()
}
