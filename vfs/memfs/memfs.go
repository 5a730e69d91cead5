package memfs

import (
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
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
	mu      sync.Mutex
	opts    Options
	root    *node
	ino     uint64
	used    int64
	log     func(op string)
	pending []*change // of names, in the order in which they were made
}

// node is a file, directory or symbolic link. FS.mu guards it.
type node struct {
	ino          uint64
	t            vfs.Type
	mode         fs.FileMode
	mtime, ctime time.Time
	nlink        uint32
	opens        int

	data   []byte
	alloc  int64  // bytes that are paid for
	disk   []byte // what a power loss leaves
	writes []write

	entries map[string]*node // of a directory
	onDisk  map[string]*node // what a power loss leaves of them
	lock    chan struct{}
}

// write is a change of a file's bytes that is not on disk; size is the length
// after it if data is nil.
type write struct {
	off  int64
	data []byte
	size int64
}

// change is a change of names that reaches the disk as a whole or not.
type change struct {
	what string
	sets []set
}

// set says what a name stands for then; nil for nothing.
type set struct {
	dir  *node
	name string
	to   *node
}

// New returns an empty file system with a root directory "/".
func New(o Options) *FS {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Grain <= 0 {
		o.Grain = 1
	}
	f := &FS{opts: o}
	f.root = f.newNode(vfs.Directory, 0o755)
	return f
}

func (f *FS) now() time.Time { return f.opts.Now().Truncate(f.opts.Grain) }

func (f *FS) newNode(t vfs.Type, mode fs.FileMode) *node {
	f.ino++
	n := &node{ino: f.ino, t: t, mode: mode, nlink: 1, mtime: f.now()}
	n.ctime = n.mtime
	if t == vfs.Directory {
		n.entries, n.onDisk = make(map[string]*node), make(map[string]*node)
		n.lock = make(chan struct{}, 1)
	}
	return n
}

// Log makes fn the receiver of a line for each operation that changes or syncs
// something, such as "create cur/x", "write journal 120", "sync journal",
// "rename tmp/a cur/b", "syncdir cur". Paths are as the handles were opened,
// without the leading slash. It is called with the file system locked, so it
// must not use it. nil turns it off.
func (f *FS) Log(fn func(op string)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.log = fn
}

func (f *FS) note(format string, args ...any) string {
	line := fmt.Sprintf(format, args...)
	if f.log != nil {
		f.log(line)
	}
	return line
}

// SetQuota changes Options.Quota.
func (f *FS) SetQuota(bytes int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.opts.Quota = bytes
}

// Used is how many bytes files occupy, preallocated space included.
func (f *FS) Used() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.used
}

// OpenDir implements vfs.FS. There is no working directory: every path begins
// at the root.
func (f *FS) OpenDir(p string) (vfs.Dir, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p = path.Clean("/" + p)
	n := f.root
	for c := range strings.SplitSeq(strings.Trim(p, "/"), "/") {
		if c == "" {
			continue
		}
		next := n.entries[c]
		if next == nil {
			return nil, fail("open", p, syscall.ENOENT)
		}
		if n = next; n.t != vfs.Directory {
			return nil, fail("open", p, syscall.ENOTDIR)
		}
	}
	return &dir{f, n, p}, nil
}

// MkdirAll implements vfs.FS.
func (f *FS) MkdirAll(p string, perm fs.FileMode) error {
	d, err := f.OpenDir("/")
	for c := range strings.SplitSeq(strings.Trim(path.Clean("/"+p), "/"), "/") {
		if err != nil || c == "" {
			return err
		}
		next, openErr := d.OpenDir(c)
		if openErr != nil {
			if err := d.Mkdir(c, perm); err != nil {
				return err
			}
			if err := d.Sync(); err != nil {
				return err
			}
			next, err = d.OpenDir(c)
		}
		d = next
	}
	return err
}

// Symlink makes a symbolic link, which nothing here follows. For tests of what
// an attacker may leave in a Maildir.
func (f *FS) Symlink(p string) error {
	d, err := f.OpenDir(path.Dir(path.Clean("/" + p)))
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	m := d.(*dir)
	return m.enter("symlink", path.Base(p), f.newNode(vfs.Symlink, 0o777))
}

// apply does a change of names and keeps it pending.
func (f *FS) apply(what string, sets ...set) {
	now := f.now()
	for _, s := range sets {
		if s.to == nil {
			delete(s.dir.entries, s.name)
		} else {
			s.dir.entries[s.name] = s.to
			s.to.ctime = now
		}
		s.dir.mtime, s.dir.ctime = now, now
	}
	f.pending = append(f.pending, &change{what, sets})
}

// settle puts every pending change of names in a directory on disk.
func (f *FS) settle(d *node) {
	f.pending = slices.DeleteFunc(f.pending, func(c *change) bool {
		here := slices.ContainsFunc(c.sets, func(s set) bool { return s.dir == d })
		if here {
			c.persist()
		}
		return here
	})
}

func (c *change) persist() {
	for _, s := range c.sets {
		if s.to == nil {
			delete(s.dir.onDisk, s.name)
		} else {
			s.dir.onDisk[s.name] = s.to
		}
	}
}

// unlink takes a name's count from n and frees it with the last one.
func (f *FS) unlink(n *node) {
	n.nlink--
	n.ctime = f.now()
	f.free(n)
}

func (f *FS) free(n *node) {
	if n.nlink == 0 && n.opens == 0 {
		f.used -= n.alloc
		n.alloc = 0
	}
}

// pay reserves space so that n may hold size bytes.
func (f *FS) pay(n *node, size int64) error {
	if size <= n.alloc {
		return nil
	}
	if f.opts.Quota > 0 && f.used+size-n.alloc > f.opts.Quota {
		return syscall.ENOSPC
	}
	f.used += size - n.alloc
	n.alloc = size
	return nil
}

// pieceSize is how much of a write survives or is lost as a whole.
const pieceSize = 512

// CrashClone returns the file system as it may be found after a power loss now.
// keep is asked for each change that is not on disk, in the order in which they
// were made, whether it survived: changes of names first, described as in the
// log, then pieces of at most 512 bytes of files, "write 17 512+512" (inode,
// offset, length). A rename survives as a whole or not at all. Handles of f
// stay with f.
func (f *FS) CrashClone(keep func(change string) bool) *FS {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := &FS{opts: f.opts, ino: f.ino}
	copies := make(map[*node]*node)
	c.root = f.cloneDisk(f.root, copies)
	for _, p := range f.pending {
		if !keep(p.what) {
			continue
		}
		lost := change{}
		for _, s := range p.sets {
			var to *node
			if s.to != nil {
				to = f.cloneDisk(s.to, copies)
			}
			lost.sets = append(lost.sets, set{f.cloneDisk(s.dir, copies), s.name, to})
		}
		lost.persist()
	}
	c.recover(f, copies, keep)
	return c
}

// cloneDisk copies a node and what its names on disk lead to.
func (f *FS) cloneDisk(n *node, copies map[*node]*node) *node {
	if m := copies[n]; m != nil {
		return m
	}
	m := &node{ino: n.ino, t: n.t, mode: n.mode, mtime: n.mtime, ctime: n.ctime}
	copies[n] = m
	if n.t == vfs.Directory {
		m.lock = make(chan struct{}, 1)
		m.onDisk = make(map[string]*node, len(n.onDisk))
		for name, child := range n.onDisk {
			m.onDisk[name] = f.cloneDisk(child, copies)
		}
	}
	return m
}

// recover makes the clone consistent: what can be reached from the root has the
// names and bytes on disk, as fsck would leave it.
func (f *FS) recover(old *FS, copies map[*node]*node, keep func(string) bool) {
	originals := make([]*node, 0, len(copies))
	for n := range copies {
		originals = append(originals, n)
	}
	slices.SortFunc(originals, func(a, b *node) int { return int(a.ino) - int(b.ino) })
	f.count(f.root)
	for _, n := range originals {
		m := copies[n]
		if m.nlink == 0 {
			continue
		}
		if m.t == vfs.Directory {
			m.entries = maps.Clone(m.onDisk)
			continue
		}
		m.disk = slices.Clone(n.disk)
		for _, w := range n.writes {
			m.surviving(n.ino, w, keep)
		}
		m.data = slices.Clone(m.disk)
		m.alloc = max(n.alloc, int64(len(m.data)))
		f.used += m.alloc
	}
}

// count sets the link counts of what can be reached.
func (f *FS) count(n *node) {
	n.nlink++
	if n.nlink > 1 {
		return
	}
	for _, child := range n.onDisk {
		f.count(child)
	}
}

// surviving applies the pieces of w that were kept.
func (n *node) surviving(ino uint64, w write, keep func(string) bool) {
	if w.data == nil {
		if keep(fmt.Sprintf("truncate %d %d", ino, w.size)) {
			n.disk = resize(n.disk, w.size)
		}
		return
	}
	for i := 0; i < len(w.data); i += pieceSize {
		piece := w.data[i:min(len(w.data), i+pieceSize)]
		if keep(fmt.Sprintf("write %d %d+%d", ino, w.off+int64(i), len(piece))) {
			n.disk = overwrite(n.disk, w.off+int64(i), piece)
		}
	}
}

func resize(b []byte, size int64) []byte {
	if size <= int64(len(b)) {
		return b[:size]
	}
	return append(b, make([]byte, size-int64(len(b)))...)
}

func overwrite(b []byte, off int64, p []byte) []byte {
	if end := off + int64(len(p)); end > int64(len(b)) {
		b = resize(b, end)
	}
	copy(b[off:], p)
	return b
}

func fail(op, name string, err error) error {
	return &fs.PathError{Op: op, Path: name, Err: err}
}
