package memfs

import (
	"io/fs"
	"syscall"
	"time"

	"postrider/vfs"
)

// Options say how the file system behaves. The zero value is useful.
type Options struct {
	Grain time.Duration    // times are cut to multiples of this; 0 means 1 ns
	Now   func() time.Time // the clock; nil means time.Now
	Quota int64            // bytes in all files before ENOSPC; 0 means no limit
}

// FS is a file system in memory. It is safe for several goroutines.
type FS struct {
	opts Options
}

// New returns an empty file system with a root directory "/".
func New(o Options) *FS { return &FS{opts: o} }

// OpenDir implements vfs.FS.
func (f *FS) OpenDir(path string) (vfs.Dir, error) { return nil, syscall.ENOSYS }

// MkdirAll implements vfs.FS.
func (f *FS) MkdirAll(path string, perm fs.FileMode) error { return syscall.ENOSYS }

// Log makes f the receiver of a line for each operation that changes or syncs
// something, such as "create cur/x", "write journal 120", "sync journal",
// "rename tmp/a cur/b", "syncdir cur". It is called with the file system
// locked, so it must not use it. nil turns it off.
func (f *FS) Log(fn func(op string)) {}

// SetQuota changes Options.Quota.
func (f *FS) SetQuota(bytes int64) {}

// Used is how many bytes files occupy, preallocated space included.
func (f *FS) Used() int64 { return 0 }

// CrashClone returns the file system as it would be found after a power loss
// now. Of every group of unsynced changes choose is asked how many survive:
// choose(pending) returns a number from 0 to pending. Handles of f stay with f.
func (f *FS) CrashClone(choose func(pending int) int) *FS { return f }
