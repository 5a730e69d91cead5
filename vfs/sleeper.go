package vfs

import (
	"context"
	"fmt"
	"io/fs"
	"sync"
	"time"
)

// Sleeper is a Dir that gives its descriptor back (Rest) and opens the directory again
// when it is used next. What it opens must be the directory that it was made with, by
// device, inode and, where the file system tells, the time of its making, since inode
// numbers come back; another one is as good as none: fs.ErrNotExist. That it cannot be
// opened now is the error of the operation that wanted it, and is tried again by the
// next.
//
// Rest may come at any time: an operation that runs keeps its descriptor until it ends.
type Sleeper struct {
	open func() (Dir, error)
	woke func()
	key  dirIdentity
	path string

	mu     sync.Mutex
	awake  *heldDir // nil: asleep
	closed bool
}

// heldDir is an open directory and how many operations use it. Sleeper.mu guards it.
type heldDir struct {
	Dir
	users int
}

// dirIdentity tells a directory from every other, those that had its inode before too.
type dirIdentity struct {
	dev, ino uint64
	born     int64 // nanoseconds; 0: not known
}

// NewSleeper takes over an open directory. open opens it again; woke, if not nil, is
// called after it did, by whoever uses the directory, with whatever locks that one holds.
func NewSleeper(d Dir, open func() (Dir, error), woke func()) *Sleeper {
	return &Sleeper{open: open, woke: woke, key: identityOf(d), path: d.Path(), awake: &heldDir{Dir: d}}
}

// SameDir reports whether two handles, of which one may sleep, are of one directory.
func SameDir(a, b Dir) bool { return identityOf(a).is(identityOf(b)) }

func identityOf(d Dir) dirIdentity {
	if s, ok := d.(*Sleeper); ok {
		return s.key
	}
	k := dirIdentity{}
	k.dev, k.ino = d.Key()
	if b, ok := d.(interface{ born() int64 }); ok {
		k.born = b.born()
	}
	return k
}

func (k dirIdentity) is(o dirIdentity) bool {
	return k.dev == o.dev && k.ino == o.ino && (k.born == o.born || k.born == 0 || o.born == 0)
}

// Rest gives the descriptor of a Sleeper back; another Dir stays as it is.
func Rest(d Dir) {
	if s, ok := d.(*Sleeper); ok {
		s.rest()
	}
}

// Hold returns a directory that stays open until release: of a Sleeper the one inside,
// else d itself.
func Hold(d Dir) (open Dir, release func(), err error) {
	s, ok := d.(*Sleeper)
	if !ok {
		return d, func() {}, nil
	}
	h, err := s.hold()
	if err != nil {
		return nil, nil, err
	}
	return h.Dir, func() { s.release(h) }, nil
}

func (s *Sleeper) rest() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.awake
	s.awake = nil
	if h == nil || h.users > 0 {
		return nil
	}
	return h.Close()
}

func (s *Sleeper) hold() (*heldDir, error) {
	h, opened, err := s.holdOrOpen()
	if opened && s.woke != nil {
		s.woke()
	}
	return h, err
}

func (s *Sleeper) holdOrOpen() (h *heldDir, opened bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, false, pathError("open", s.path, fs.ErrClosed)
	}
	if s.awake == nil {
		d, err := s.open()
		if err != nil {
			return nil, false, fmt.Errorf("opening a directory again: %w", err)
		}
		if !identityOf(d).is(s.key) {
			d.Close()
			return nil, false, fmt.Errorf("another directory is at %s now: %w", s.path, fs.ErrNotExist)
		}
		s.awake, opened = &heldDir{Dir: d}, true
	}
	s.awake.users++
	return s.awake, opened, nil
}

func (s *Sleeper) release(h *heldDir) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h.users--; h.users == 0 && h != s.awake {
		h.Close()
	}
}

// with runs an operation on the open directory.
func with[T any](s *Sleeper, f func(Dir) (T, error)) (T, error) {
	h, err := s.hold()
	if err != nil {
		var none T
		return none, err
	}
	defer s.release(h)
	return f(h.Dir)
}

// do is with for an operation that returns nothing else.
func (s *Sleeper) do(f func(Dir) error) error {
	_, err := with(s, func(d Dir) (struct{}, error) { return struct{}{}, f(d) })
	return err
}

// between is do for an operation with a second directory.
func (s *Sleeper) between(to Dir, f func(from, to Dir) error) error {
	return s.do(func(d Dir) error {
		if to == Dir(s) {
			return f(d, d)
		}
		t, release, err := Hold(to)
		if err != nil {
			return err
		}
		defer release()
		return f(d, t)
	})
}

// OpenDir implements Dir.
func (s *Sleeper) OpenDir(name string) (Dir, error) {
	return with(s, func(d Dir) (Dir, error) { return d.OpenDir(name) })
}

// Mkdir implements Dir.
func (s *Sleeper) Mkdir(name string, perm fs.FileMode) error {
	return s.do(func(d Dir) error { return d.Mkdir(name, perm) })
}

// Open implements Dir.
func (s *Sleeper) Open(name string) (File, error) {
	return with(s, func(d Dir) (File, error) { return d.Open(name) })
}

// OpenFile implements Dir.
func (s *Sleeper) OpenFile(name string, flag int, perm fs.FileMode) (File, error) {
	return with(s, func(d Dir) (File, error) { return d.OpenFile(name, flag, perm) })
}

// Rename implements Dir.
func (s *Sleeper) Rename(oldname string, to Dir, newname string) error {
	return s.between(to, func(d, t Dir) error { return d.Rename(oldname, t, newname) })
}

// RenameNoReplace implements Dir.
func (s *Sleeper) RenameNoReplace(oldname string, to Dir, newname string) error {
	return s.between(to, func(d, t Dir) error { return d.RenameNoReplace(oldname, t, newname) })
}

// Link implements Dir.
func (s *Sleeper) Link(oldname string, to Dir, newname string) error {
	return s.between(to, func(d, t Dir) error { return d.Link(oldname, t, newname) })
}

// Remove implements Dir.
func (s *Sleeper) Remove(name string) error {
	return s.do(func(d Dir) error { return d.Remove(name) })
}

// RemoveDir implements Dir.
func (s *Sleeper) RemoveDir(name string) error {
	return s.do(func(d Dir) error { return d.RemoveDir(name) })
}

// Stat implements Dir.
func (s *Sleeper) Stat(name string) (Info, error) {
	return with(s, func(d Dir) (Info, error) { return d.Stat(name) })
}

// StatSelf implements Dir.
func (s *Sleeper) StatSelf() (Info, error) { return with(s, Dir.StatSelf) }

// List implements Dir.
func (s *Sleeper) List(yield func(name string, t Type) bool) error {
	return s.do(func(d Dir) error { return d.List(yield) })
}

// SetTimes implements Dir.
func (s *Sleeper) SetTimes(name string, mtime time.Time) error {
	return s.do(func(d Dir) error { return d.SetTimes(name, mtime) })
}

// Sync implements Dir.
func (s *Sleeper) Sync() error { return s.do(Dir.Sync) }

// Lock implements Dir.
func (s *Sleeper) Lock(ctx context.Context) (unlock func(), err error) {
	return with(s, func(d Dir) (func(), error) { return d.Lock(ctx) })
}

// Key implements Dir. It is known while the directory sleeps, too.
func (s *Sleeper) Key() (dev, ino uint64) { return s.key.dev, s.key.ino }

// Path implements Dir.
func (s *Sleeper) Path() string { return s.path }

// Close implements Dir.
func (s *Sleeper) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	return s.rest()
}
