package watch

import (
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Options are what a Watcher is made with.
type Options struct {
	// PollInterval is how often that is looked at which inotify cannot watch, and
	// how often it is tried again. 0: 5 seconds.
	PollInterval time.Duration
	// PollOnly has everything polled, and asks the system for nothing.
	PollOnly bool
	Logger   *slog.Logger // nil: none
}

// Watcher watches directories. Its methods may be called by any goroutine.
type Watcher struct {
	log      *slog.Logger
	interval time.Duration
	kernel   kernel
	pollOnly bool
	stop     chan struct{} // closed by Close
	done     chan struct{} // closed when the goroutine has ended

	mu       sync.Mutex
	closed   bool
	file     *os.File // the inotify instance; nil: there is none
	fd       int      // of file; only used with mu held and closed false
	conn     syscall.RawConn
	byWD     map[int]*dir
	polled   map[Dir]*dir
	nextPoll time.Time
	scarce   bool            // it was logged that the system has no more watches
	looking  map[uint64]bool // file systems at which a goroutine of poll is looking
	pollers  sync.WaitGroup  // those goroutines

	// Positions in the stream of bytes that inotify gave.
	read uint64        // taken from the kernel
	told uint64        // all before it has been delivered
	step chan struct{} // closed when told grows; nil: nobody waits
	held []held        // moved out, partner not yet seen; in the order read

	whole time.Time // when the queue was last seen empty: nothing before was lost

	overflows int64        // of the queue
	events    atomic.Int64 // told
}

// dir is a watched directory or file, whatever the number of its watches.
type dir struct {
	at     Dir
	path   string
	file   bool
	pushed atomic.Bool
	remote bool // polled for ever

	// Guarded by Watcher.mu.
	wd   int      // watch descriptor, -1 while it is polled
	subs []*watch // never written in place

	seen look // polled: what was seen last, by Watch and then by one goroutine at a time
}

// watch implements Watch.
type watch struct {
	w  *Watcher
	d  *dir
	mu sync.Mutex // held while fn runs
	fn func(Event)
}

// New returns a Watcher. It is no error if the system has no inotify instance
// left: then everything is polled until there is one.
func New(o Options) (*Watcher, error) { return newWatcher(o, realKernel()) }

func newWatcher(o Options, k kernel) (*Watcher, error) {
	w := &Watcher{
		log: o.Logger, interval: o.PollInterval, kernel: k, pollOnly: o.PollOnly,
		stop: make(chan struct{}), done: make(chan struct{}),
		byWD: make(map[int]*dir), polled: make(map[Dir]*dir), looking: make(map[uint64]bool),
		whole: time.Now(),
	}
	if w.log == nil {
		w.log = slog.New(slog.DiscardHandler)
	}
	if w.interval <= 0 {
		w.interval = 5 * time.Second
	}
	w.nextPoll = time.Now().Add(w.interval)
	if !w.pollOnly {
		if err := w.openLocked(); err != nil && !exhausted(err) {
			return nil, fmt.Errorf("inotify: %w", err)
		} else if err != nil {
			w.scarceLocked(err)
		}
	}
	go w.run()
	return w, nil
}

// openLocked opens the inotify instance.
func (w *Watcher) openLocked() error {
	fd, err := w.kernel.instance()
	if err != nil {
		return err
	}
	file := os.NewFile(uintptr(fd), "inotify")
	conn, err := file.SyscallConn()
	if err != nil {
		file.Close()
		return err
	}
	w.file, w.fd, w.conn = file, fd, conn
	return nil
}

// scarceLocked logs, once until it is over, that directories are polled.
func (w *Watcher) scarceLocked(err error) {
	if w.scarce {
		return
	}
	w.scarce = true
	w.log.Warn("out of inotify watches: directories are polled",
		"raise", remedy(err), "err", err, "watched", len(w.byWD), "every", w.interval)
}

// Watch has fn called for each event in the directory at path, which may be of
// the form /proc/self/fd/N. A function is called by one goroutine at a time; it
// must be quick and must not call the Watcher or close a Watch. A directory is
// watched once, whatever the number of its watches.
func (w *Watcher) Watch(path string, fn func(Event)) (Watch, error) {
	return w.watch(path, false, fn)
}

// WatchFile is Watch for a regular file: fn is told Wrote when somebody wrote to it.
func (w *Watcher) WatchFile(path string, fn func(Event)) (Watch, error) {
	return w.watch(path, true, fn)
}

func (w *Watcher) watch(path string, file bool, fn func(Event)) (Watch, error) {
	fd, at, err := openPath(path, file)
	if err != nil {
		return nil, fmt.Errorf("watch %s: %w", path, err)
	}
	defer unix.Close(fd)
	fresh := &dir{at: at, path: path, file: file, wd: -1, remote: w.kernel.remote(fd)}
	if real, err := os.Readlink(procPath(fd)); err == nil {
		fresh.path = real
	}
	fresh.look(w.kernel, time.Now())

	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return nil, fmt.Errorf("watch %s: %w", path, os.ErrClosed)
	}
	d, err := w.enterLocked(fresh, fd)
	if err != nil {
		return nil, fmt.Errorf("watch %s: %w", path, err)
	}
	s := &watch{w: w, d: d, fn: fn}
	d.subs = append(slices.Clip(d.subs), s)
	return s, nil
}

// enterLocked returns the dir for the directory that fd is open on: fresh, or the
// one that is there.
func (w *Watcher) enterLocked(fresh *dir, fd int) (*dir, error) {
	if d := w.polled[fresh.at]; d != nil {
		return d, nil
	}
	if !fresh.remote && w.file != nil {
		wd, err := w.kernel.add(w.fd, procPath(fd), fresh.mask())
		if err == nil {
			if d := w.byWD[wd]; d != nil {
				return d, nil
			}
			fresh.wd = wd
			fresh.pushed.Store(true)
			w.byWD[wd] = fresh
			return fresh, nil
		}
		if !exhausted(err) {
			return nil, err
		}
		w.scarceLocked(err)
	}
	w.polled[fresh.at] = fresh
	if len(w.polled) == 1 {
		w.nextPoll = time.Now().Add(w.interval)
		w.armLocked()
	}
	return fresh, nil
}

func (d *dir) mask() uint32 {
	if d.file {
		return fileMask
	}
	return dirMask
}

// Dir implements Watch.
func (s *watch) Dir() Dir { return s.d.at }

// Pushed implements Watch.
func (s *watch) Pushed() bool { return s.d.pushed.Load() }

// Close implements Watch.
func (s *watch) Close() {
	s.w.leave(s)
	s.mu.Lock()
	s.fn = nil
	s.mu.Unlock()
}

// leave takes a watch out of its directory, and the directory out of the
// kernel's care with the last.
func (w *Watcher) leave(s *watch) {
	w.mu.Lock()
	defer w.mu.Unlock()
	d := s.d
	d.subs = slices.DeleteFunc(slices.Clone(d.subs), func(o *watch) bool { return o == s })
	switch {
	case len(d.subs) > 0:
	case w.polled[d.at] == d:
		delete(w.polled, d.at)
	case w.byWD[d.wd] == d:
		delete(w.byWD, d.wd)
		if !w.closed {
			// It can fail only if the directory is gone already.
			_, _ = unix.InotifyRmWatch(w.fd, uint32(d.wd))
		}
	}
}

// tell hands an event to a watch unless that was closed.
func (s *watch) tell(e Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fn != nil {
		s.w.events.Add(1)
		s.fn(e)
	}
}

// closeWait is how long Close waits for a look at a file system that hangs.
const closeWait = time.Second

// Close ends the Watcher and its goroutines, but for one that a file system does not
// answer. Watches get no more events; closing them is allowed and not needed.
func (w *Watcher) Close() error {
	w.mu.Lock()
	if w.closed {
		w.mu.Unlock()
		return nil
	}
	w.closed = true
	file := w.file
	close(w.stop)
	w.mu.Unlock()
	var err error
	if file != nil {
		err = file.Close()
	}
	<-w.done
	looked := make(chan struct{})
	go func() { w.pollers.Wait(); close(looked) }()
	select {
	case <-looked:
	case <-time.After(closeWait):
	}
	return err
}
