// Package faultfs wraps a file system so that chosen operations fail, for
// tests of what happens on a full disk or with a broken one. It counts every
// operation that passes through it.
package faultfs

import (
	"context"
	"io/fs"
	"path"
	"sync/atomic"
	"time"

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
	inner vfs.FS
	fail  func(Op) error
	n     atomic.Int64
}

// Wrap returns inner with every operation, Close, Key, Path and Fd excepted,
// shown to fail first. If that returns an error the operation is not done and
// returns the error inside a fs.PathError. fail is called from any goroutine;
// nil fails nothing.
func Wrap(inner vfs.FS, fail func(op Op) error) *FS { return &FS{inner: inner, fail: fail} }

// Count is how many operations have been counted.
func (f *FS) Count() int { return int(f.n.Load()) }

// Nth fails the n-th operation, from 1, that match accepts (nil: every one)
// with err.
func Nth(n int, match func(Op) bool, err error) func(Op) error {
	var seen atomic.Int64
	return func(op Op) error {
		if match != nil && !match(op) || seen.Add(1) != int64(n) {
			return nil
		}
		return err
	}
}

func (f *FS) check(kind, p string) error {
	op := Op{int(f.n.Add(1)), kind, p}
	if f.fail == nil {
		return nil
	}
	if err := f.fail(op); err != nil {
		return &fs.PathError{Op: kind, Path: p, Err: err}
	}
	return nil
}

// OpenDir implements vfs.FS.
func (f *FS) OpenDir(p string) (vfs.Dir, error) {
	if err := f.check("opendir", p); err != nil {
		return nil, err
	}
	return f.dir(f.inner.OpenDir(p))
}

// MkdirAll implements vfs.FS.
func (f *FS) MkdirAll(p string, perm fs.FileMode) error {
	if err := f.check("mkdirall", p); err != nil {
		return err
	}
	return f.inner.MkdirAll(p, perm)
}

func (f *FS) dir(d vfs.Dir, err error) (vfs.Dir, error) {
	if err != nil {
		return nil, err
	}
	return &dir{d, f}, nil
}

// dir passes Key, Path and Close through.
type dir struct {
	vfs.Dir
	fs *FS
}

func (d *dir) check(kind, name string) error { return d.fs.check(kind, path.Join(d.Path(), name)) }

// between runs an operation that has a second directory, with what is wrapped in it.
func between(to vfs.Dir, f func(to vfs.Dir) error) error {
	to, release, err := vfs.Hold(to)
	if err != nil {
		return err
	}
	defer release()
	if w, ok := to.(*dir); ok {
		to = w.Dir
	}
	return f(to)
}

func (d *dir) OpenDir(name string) (vfs.Dir, error) {
	if err := d.check("opendir", name); err != nil {
		return nil, err
	}
	return d.fs.dir(d.Dir.OpenDir(name))
}

func (d *dir) Mkdir(name string, perm fs.FileMode) error {
	if err := d.check("mkdir", name); err != nil {
		return err
	}
	return d.Dir.Mkdir(name, perm)
}

func (d *dir) Open(name string) (vfs.File, error) {
	if err := d.check("open", name); err != nil {
		return nil, err
	}
	return d.file(name)(d.Dir.Open(name))
}

func (d *dir) OpenFile(name string, flag int, perm fs.FileMode) (vfs.File, error) {
	if err := d.check("openfile", name); err != nil {
		return nil, err
	}
	return d.file(name)(d.Dir.OpenFile(name, flag, perm))
}

func (d *dir) file(name string) func(vfs.File, error) (vfs.File, error) {
	return func(f vfs.File, err error) (vfs.File, error) {
		if err != nil {
			return nil, err
		}
		return &file{f, d.fs, path.Join(d.Path(), name)}, nil
	}
}

func (d *dir) Rename(oldname string, to vfs.Dir, newname string) error {
	if err := d.check("rename", oldname); err != nil {
		return err
	}
	return between(to, func(to vfs.Dir) error { return d.Dir.Rename(oldname, to, newname) })
}

func (d *dir) RenameNoReplace(oldname string, to vfs.Dir, newname string) error {
	if err := d.check("renamenoreplace", oldname); err != nil {
		return err
	}
	return between(to, func(to vfs.Dir) error { return d.Dir.RenameNoReplace(oldname, to, newname) })
}

func (d *dir) Link(oldname string, to vfs.Dir, newname string) error {
	if err := d.check("link", oldname); err != nil {
		return err
	}
	return between(to, func(to vfs.Dir) error { return d.Dir.Link(oldname, to, newname) })
}

func (d *dir) Remove(name string) error {
	if err := d.check("remove", name); err != nil {
		return err
	}
	return d.Dir.Remove(name)
}

func (d *dir) RemoveDir(name string) error {
	if err := d.check("removedir", name); err != nil {
		return err
	}
	return d.Dir.RemoveDir(name)
}

func (d *dir) Stat(name string) (vfs.Info, error) {
	if err := d.check("stat", name); err != nil {
		return vfs.Info{}, err
	}
	return d.Dir.Stat(name)
}

func (d *dir) StatSelf() (vfs.Info, error) {
	if err := d.check("statself", ""); err != nil {
		return vfs.Info{}, err
	}
	return d.Dir.StatSelf()
}

func (d *dir) List(yield func(string, vfs.Type) bool) error {
	if err := d.check("list", ""); err != nil {
		return err
	}
	return d.Dir.List(yield)
}

func (d *dir) SetTimes(name string, mtime time.Time) error {
	if err := d.check("settimes", name); err != nil {
		return err
	}
	return d.Dir.SetTimes(name, mtime)
}

func (d *dir) Sync() error {
	if err := d.check("syncdir", ""); err != nil {
		return err
	}
	return d.Dir.Sync()
}

func (d *dir) Lock(ctx context.Context) (func(), error) {
	if err := d.check("lock", ""); err != nil {
		return nil, err
	}
	return d.Dir.Lock(ctx)
}

// file passes Seek, Fd and Close through.
type file struct {
	vfs.File
	fs   *FS
	path string
}

func (f *file) Read(p []byte) (int, error) {
	if err := f.fs.check("read", f.path); err != nil {
		return 0, err
	}
	return f.File.Read(p)
}

func (f *file) ReadAt(p []byte, off int64) (int, error) {
	if err := f.fs.check("readat", f.path); err != nil {
		return 0, err
	}
	return f.File.ReadAt(p, off)
}

func (f *file) Write(p []byte) (int, error) {
	if err := f.fs.check("write", f.path); err != nil {
		return 0, err
	}
	return f.File.Write(p)
}

func (f *file) WriteAt(p []byte, off int64) (int, error) {
	if err := f.fs.check("writeat", f.path); err != nil {
		return 0, err
	}
	return f.File.WriteAt(p, off)
}

func (f *file) Stat() (vfs.Info, error) {
	if err := f.fs.check("filestat", f.path); err != nil {
		return vfs.Info{}, err
	}
	return f.File.Stat()
}

func (f *file) Sync() error {
	if err := f.fs.check("sync", f.path); err != nil {
		return err
	}
	return f.File.Sync()
}

func (f *file) Truncate(size int64) error {
	if err := f.fs.check("truncate", f.path); err != nil {
		return err
	}
	return f.File.Truncate(size)
}

func (f *file) Allocate(off, n int64) error {
	if err := f.fs.check("allocate", f.path); err != nil {
		return err
	}
	return f.File.Allocate(off, n)
}

func (f *file) SetTimes(mtime time.Time) error {
	if err := f.fs.check("filesettimes", f.path); err != nil {
		return err
	}
	return f.File.SetTimes(mtime)
}
