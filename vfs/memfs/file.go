package memfs

import (
	"io"
	"os"
	"slices"
	"syscall"
	"time"

	"postrider/vfs"
)

// file is an open file. FS.mu guards it.
type file struct {
	fs     *FS
	n      *node
	name   string
	flag   int
	pos    int64
	closed bool
}

// begin locks the file system and checks that the file is open, for writing if
// asked.
func (f *file) begin(op string, writing bool) error {
	f.fs.mu.Lock()
	switch {
	case f.closed:
		return fail(op, f.name, os.ErrClosed)
	case writing && f.flag&(os.O_WRONLY|os.O_RDWR) == 0, op == "read" && f.flag&os.O_WRONLY != 0:
		return fail(op, f.name, syscall.EBADF)
	}
	return nil
}

func (f *file) Read(p []byte) (int, error) {
	defer f.fs.mu.Unlock()
	if err := f.begin("read", false); err != nil {
		return 0, err
	}
	if len(p) == 0 {
		return 0, nil
	}
	if f.pos >= int64(len(f.n.data)) {
		return 0, io.EOF
	}
	n := copy(p, f.n.data[f.pos:])
	f.pos += int64(n)
	return n, nil
}

func (f *file) ReadAt(p []byte, off int64) (int, error) {
	defer f.fs.mu.Unlock()
	if err := f.begin("read", false); err != nil {
		return 0, err
	}
	if off < 0 {
		return 0, fail("read", f.name, syscall.EINVAL)
	}
	if off >= int64(len(f.n.data)) && len(p) > 0 {
		return 0, io.EOF
	}
	n := 0
	if off < int64(len(f.n.data)) {
		n = copy(p, f.n.data[off:])
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *file) Write(p []byte) (int, error) {
	defer f.fs.mu.Unlock()
	if err := f.begin("write", true); err != nil {
		return 0, err
	}
	if f.flag&os.O_APPEND != 0 {
		f.pos = int64(len(f.n.data))
	}
	n, err := f.write(p, f.pos)
	f.pos += int64(n)
	return n, err
}

func (f *file) WriteAt(p []byte, off int64) (int, error) {
	defer f.fs.mu.Unlock()
	if err := f.begin("write", true); err != nil {
		return 0, err
	}
	if off < 0 || f.flag&os.O_APPEND != 0 {
		return 0, fail("write", f.name, syscall.EINVAL)
	}
	return f.write(p, off)
}

// write writes what fits. It needs FS.mu.
func (f *file) write(p []byte, off int64) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	err := f.fs.pay(f.n, off+int64(len(p)))
	if err != nil {
		room := f.n.alloc
		if f.fs.opts.Quota > f.fs.used {
			room += f.fs.opts.Quota - f.fs.used
		}
		p = p[:min(int64(len(p)), max(0, room-off))]
		if len(p) == 0 {
			return 0, fail("write", f.name, err)
		}
		if f.fs.pay(f.n, off+int64(len(p))) != nil {
			return 0, fail("write", f.name, err)
		}
		err = fail("write", f.name, err)
	}
	f.fs.note("write %s %d", f.name, len(p))
	f.n.data = overwrite(f.n.data, off, p)
	f.n.writes = append(f.n.writes, write{off: off, data: slices.Clone(p)})
	f.touch()
	return len(p), err
}

func (f *file) touch() {
	f.n.mtime = f.fs.now()
	f.n.ctime = f.n.mtime
}

func (f *file) Seek(offset int64, whence int) (int64, error) {
	defer f.fs.mu.Unlock()
	if err := f.begin("seek", false); err != nil {
		return 0, err
	}
	switch whence {
	case io.SeekCurrent:
		offset += f.pos
	case io.SeekEnd:
		offset += int64(len(f.n.data))
	}
	if offset < 0 {
		return 0, fail("seek", f.name, syscall.EINVAL)
	}
	f.pos = offset
	return offset, nil
}

func (f *file) Stat() (vfs.Info, error) {
	defer f.fs.mu.Unlock()
	if err := f.begin("stat", false); err != nil {
		return vfs.Info{}, err
	}
	return f.n.info(""), nil
}

func (f *file) Sync() error {
	defer f.fs.mu.Unlock()
	if err := f.begin("sync", false); err != nil {
		return err
	}
	f.fs.note("sync %s", f.name)
	for _, w := range f.n.writes {
		f.n.surviving(f.n.ino, w, func(string) bool { return true })
	}
	f.n.writes = nil
	return nil
}

func (f *file) Truncate(size int64) error {
	defer f.fs.mu.Unlock()
	if err := f.begin("truncate", true); err != nil {
		return err
	}
	if size < 0 {
		return fail("truncate", f.name, syscall.EINVAL)
	}
	return f.truncate(size)
}

// truncate needs FS.mu. Space beyond the new length is given back.
func (f *file) truncate(size int64) error {
	if size > int64(len(f.n.data)) {
		if err := f.fs.pay(f.n, size); err != nil {
			return fail("truncate", f.name, err)
		}
	} else if size < f.n.alloc {
		f.fs.used -= f.n.alloc - size
		f.n.alloc = size
	}
	f.fs.note("truncate %s %d", f.name, size)
	f.n.data = resize(f.n.data, size)
	f.n.writes = append(f.n.writes, write{size: size})
	f.touch()
	return nil
}

func (f *file) Allocate(off, n int64) error {
	defer f.fs.mu.Unlock()
	if err := f.begin("allocate", true); err != nil {
		return err
	}
	if off < 0 || n <= 0 {
		return fail("allocate", f.name, syscall.EINVAL)
	}
	if err := f.fs.pay(f.n, off+n); err != nil {
		return fail("allocate", f.name, err)
	}
	f.fs.note("allocate %s %d+%d", f.name, off, n)
	return nil
}

func (f *file) SetTimes(mtime time.Time) error {
	defer f.fs.mu.Unlock()
	if err := f.begin("chtimes", false); err != nil {
		return err
	}
	f.n.mtime, f.n.ctime = mtime.Truncate(f.fs.opts.Grain), f.fs.now()
	return nil
}

// Fd implements vfs.File: there is none.
func (f *file) Fd() (uintptr, bool) { return 0, false }

func (f *file) Close() error {
	defer f.fs.mu.Unlock()
	if err := f.begin("close", false); err != nil {
		return err
	}
	f.closed = true
	f.n.opens--
	f.fs.free(f.n)
	return nil
}
