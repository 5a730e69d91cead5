package memfs

import (
	"context"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"
	"time"

	"postrider/vfs"
)

const maxName = 255

// dir is a directory's handle.
type dir struct {
	fs   *FS
	n    *node
	path string
}

func (d *dir) Key() (dev, ino uint64) { return 1, d.n.ino }
func (d *dir) Path() string           { return d.path }
func (d *dir) Close() error           { return nil }

// rel is a name's path as the log shows it.
func (d *dir) rel(name string) string {
	p := strings.TrimPrefix(path.Join(d.path, name), "/")
	if p == "" {
		return "."
	}
	return p
}

// look returns what a name stands for. It needs FS.mu.
func (d *dir) look(op, name string) (*node, error) {
	if err := vfs.CheckName(op, name); err != nil {
		return nil, err
	}
	if len(name) > maxName {
		return nil, fail(op, name, syscall.ENAMETOOLONG)
	}
	if n := d.n.entries[name]; n != nil {
		return n, nil
	}
	return nil, fail(op, name, syscall.ENOENT)
}

// enter gives a node its first name. It needs FS.mu.
func (d *dir) enter(op, name string, n *node) error {
	if err := d.free(op, name); err != nil {
		return err
	}
	d.fs.apply(d.fs.note("%s %s", op, d.rel(name)), set{d.n, name, n})
	return nil
}

// free reports an error if a name cannot be made here.
func (d *dir) free(op, name string) error {
	if err := vfs.CheckName(op, name); err != nil {
		return err
	}
	switch {
	case len(name) > maxName:
		return fail(op, name, syscall.ENAMETOOLONG)
	case d.n.nlink == 0:
		return fail(op, name, syscall.ENOENT)
	case d.n.entries[name] != nil:
		return fail(op, name, syscall.EEXIST)
	}
	return nil
}

func (d *dir) OpenDir(name string) (vfs.Dir, error) {
	d.fs.mu.Lock()
	defer d.fs.mu.Unlock()
	n, err := d.look("open", name)
	if err != nil {
		return nil, err
	}
	if n.t != vfs.Directory {
		return nil, fail("open", name, syscall.ENOTDIR)
	}
	return &dir{d.fs, n, path.Join(d.path, name)}, nil
}

func (d *dir) Mkdir(name string, perm fs.FileMode) error {
	d.fs.mu.Lock()
	defer d.fs.mu.Unlock()
	return d.enter("mkdir", name, d.fs.newNode(vfs.Directory, perm.Perm()))
}

func (d *dir) Open(name string) (vfs.File, error) { return d.OpenFile(name, os.O_RDONLY, 0) }

func (d *dir) OpenFile(name string, flag int, perm fs.FileMode) (vfs.File, error) {
	d.fs.mu.Lock()
	defer d.fs.mu.Unlock()
	n, err := d.look("open", name)
	switch {
	case err == nil && flag&(os.O_CREATE|os.O_EXCL) == os.O_CREATE|os.O_EXCL:
		return nil, fail("open", name, syscall.EEXIST)
	case err != nil && flag&os.O_CREATE == 0:
		return nil, err
	case err != nil:
		n = d.fs.newNode(vfs.Regular, perm.Perm())
		if err := d.enter("create", name, n); err != nil {
			return nil, err
		}
	case n.t == vfs.Symlink:
		return nil, fail("open", name, syscall.ELOOP)
	case n.t == vfs.Directory && flag&(os.O_WRONLY|os.O_RDWR) != 0:
		return nil, fail("open", name, syscall.EISDIR)
	case n.t != vfs.Regular:
		return nil, fail("open", name, vfs.ErrNotRegular)
	}
	f := &file{fs: d.fs, n: n, name: d.rel(name), flag: flag}
	n.opens++
	if flag&os.O_TRUNC != 0 && len(n.data) > 0 {
		f.truncate(0)
	}
	return f, nil
}

func (d *dir) Rename(oldname string, to vfs.Dir, newname string) error {
	return d.rename(oldname, to, newname, true)
}

func (d *dir) RenameNoReplace(oldname string, to vfs.Dir, newname string) error {
	return d.rename(oldname, to, newname, false)
}

func (d *dir) rename(oldname string, to vfs.Dir, newname string, replace bool) error {
	to, release, err := vfs.Hold(to)
	if err != nil {
		return err
	}
	defer release()
	t, ok := to.(*dir)
	if !ok || t.fs != d.fs {
		return fail("rename", oldname, syscall.EXDEV)
	}
	d.fs.mu.Lock()
	defer d.fs.mu.Unlock()
	n, err := d.look("rename", oldname)
	if err != nil {
		return err
	}
	old, err := t.look("rename", newname)
	switch {
	case err == nil && !replace:
		return fail("rename", newname, syscall.EEXIST)
	case err == nil && old == n:
		return nil
	case err == nil:
		if err := replaceable(n, old); err != nil {
			return fail("rename", newname, err)
		}
	default:
		if err := t.free("rename", newname); err != nil {
			return err
		}
	}
	what := d.fs.note("rename %s %s", d.rel(oldname), t.rel(newname))
	d.fs.apply(what, set{d.n, oldname, nil}, set{t.n, newname, n})
	if old != nil {
		d.fs.unlink(old)
	}
	return nil
}

// replaceable says why rename may not put n in the place of old.
func replaceable(n, old *node) error {
	switch {
	case n.t == vfs.Directory && old.t != vfs.Directory:
		return syscall.ENOTDIR
	case n.t != vfs.Directory && old.t == vfs.Directory:
		return syscall.EISDIR
	case len(old.entries) > 0:
		return syscall.ENOTEMPTY
	}
	return nil
}

func (d *dir) Link(oldname string, to vfs.Dir, newname string) error {
	to, release, err := vfs.Hold(to)
	if err != nil {
		return err
	}
	defer release()
	t, ok := to.(*dir)
	if !ok || t.fs != d.fs {
		return fail("link", oldname, syscall.EXDEV)
	}
	d.fs.mu.Lock()
	defer d.fs.mu.Unlock()
	n, err := d.look("link", oldname)
	if err != nil {
		return err
	}
	if n.t == vfs.Directory {
		return fail("link", oldname, syscall.EPERM)
	}
	if err := t.free("link", newname); err != nil {
		return err
	}
	d.fs.apply(d.fs.note("link %s %s", d.rel(oldname), t.rel(newname)), set{t.n, newname, n})
	n.nlink++
	return nil
}

func (d *dir) Remove(name string) error { return d.remove(name, false) }

func (d *dir) RemoveDir(name string) error { return d.remove(name, true) }

func (d *dir) remove(name string, directory bool) error {
	d.fs.mu.Lock()
	defer d.fs.mu.Unlock()
	n, err := d.look("remove", name)
	switch {
	case err != nil:
		return err
	case directory && n.t != vfs.Directory:
		return fail("remove", name, syscall.ENOTDIR)
	case !directory && n.t == vfs.Directory:
		return fail("remove", name, syscall.EISDIR)
	case len(n.entries) > 0:
		return fail("remove", name, syscall.ENOTEMPTY)
	}
	d.fs.apply(d.fs.note("remove %s", d.rel(name)), set{d.n, name, nil})
	d.fs.unlink(n)
	return nil
}

func (d *dir) Stat(name string) (vfs.Info, error) {
	d.fs.mu.Lock()
	defer d.fs.mu.Unlock()
	n, err := d.look("stat", name)
	if err != nil {
		return vfs.Info{}, err
	}
	return n.info(name), nil
}

func (d *dir) StatSelf() (vfs.Info, error) {
	d.fs.mu.Lock()
	defer d.fs.mu.Unlock()
	return d.n.info(""), nil
}

func (n *node) info(name string) vfs.Info {
	return vfs.Info{Name: name, Size: int64(len(n.data)), Mtime: n.mtime, Ctime: n.ctime,
		Mode: n.mode, Type: n.t, Dev: 1, Ino: n.ino, Nlink: n.nlink}
}

// List yields the names that are there when it is called, sorted.
func (d *dir) List(yield func(name string, t vfs.Type) bool) error {
	type entry struct {
		name string
		t    vfs.Type
	}
	d.fs.mu.Lock()
	all := make([]entry, 0, len(d.n.entries))
	for name, n := range d.n.entries {
		all = append(all, entry{name, n.t})
	}
	d.fs.mu.Unlock()
	slices.SortFunc(all, func(a, b entry) int { return strings.Compare(a.name, b.name) })
	for _, e := range all {
		if !yield(e.name, e.t) {
			break
		}
	}
	return nil
}

func (d *dir) SetTimes(name string, mtime time.Time) error {
	d.fs.mu.Lock()
	defer d.fs.mu.Unlock()
	n, err := d.look("chtimes", name)
	if err == nil {
		n.mtime, n.ctime = mtime.Truncate(d.fs.opts.Grain), d.fs.now()
	}
	return err
}

func (d *dir) Sync() error {
	d.fs.mu.Lock()
	defer d.fs.mu.Unlock()
	d.fs.note("syncdir %s", d.rel(""))
	d.fs.settle(d.n)
	return nil
}

// Lock uses a channel, on which a goroutine in a synctest bubble is durably
// blocked if the file system was made in the bubble.
func (d *dir) Lock(ctx context.Context) (func(), error) {
	select {
	case d.n.lock <- struct{}{}:
		return func() { <-d.n.lock }, nil
	default:
	}
	select {
	case d.n.lock <- struct{}{}:
		return func() { <-d.n.lock }, nil
	case <-ctx.Done():
		return nil, fail("lock", d.path, ctx.Err())
	}
}
