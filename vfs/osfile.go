package vfs

import (
	"io/fs"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// osFile is an os.File with the operations that it lacks.
type osFile struct{ *os.File }

func (d *osDir) Open(name string) (File, error) { return d.OpenFile(name, os.O_RDONLY, 0) }

func (d *osDir) OpenFile(name string, flag int, perm fs.FileMode) (File, error) {
	if err := CheckName("open", name); err != nil {
		return nil, err
	}
	fd, err := openat(d.fd, name, flag|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOCTTY, uint32(perm.Perm()))
	if err != nil {
		return nil, err
	}
	var st unix.Stat_t
	if err := again(func() error { return unix.Fstat(fd, &st) }); err != nil {
		unix.Close(fd)
		return nil, pathError("stat", name, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		unix.Close(fd)
		return nil, pathError("open", name, ErrNotRegular)
	}
	return osFile{os.NewFile(uintptr(fd), name)}, nil
}

func (f osFile) Stat() (Info, error) {
	var st unix.Stat_t
	err := f.control("stat", func(fd int) error { return unix.Fstat(fd, &st) })
	return infoOf("", &st), err
}

func (f osFile) Sync() error {
	return f.control("sync", unix.Fdatasync)
}

func (f osFile) Allocate(off, n int64) error {
	return f.control("allocate", func(fd int) error {
		return unix.Fallocate(fd, unix.FALLOC_FL_KEEP_SIZE, off, n)
	})
}

func (f osFile) SetTimes(mtime time.Time) error {
	ts := timesOf(mtime)
	return f.control("chtimes", func(fd int) error {
		// futimens(3): utimensat with no path, which x/sys/unix does not offer.
		_, _, e := unix.Syscall6(unix.SYS_UTIMENSAT, uintptr(fd), 0, uintptr(unsafe.Pointer(&ts)), 0, 0, 0)
		if e != 0 {
			return e
		}
		return nil
	})
}

// Fd does not use os.File.Fd, which makes the descriptor blocking.
func (f osFile) Fd() (uintptr, bool) {
	var fd uintptr
	err := f.control("fd", func(n int) error { fd = uintptr(n); return nil })
	return fd, err == nil
}

// control runs a system call with the descriptor held open.
func (f osFile) control(op string, call func(fd int) error) error {
	raw, err := f.File.SyscallConn()
	if err != nil {
		return err
	}
	var callErr error
	err = raw.Control(func(fd uintptr) { callErr = again(func() error { return call(int(fd)) }) })
	if err != nil {
		return err
	}
	return pathError(op, f.Name(), callErr)
}

func infoOf(name string, st *unix.Stat_t) Info {
	return Info{
		Name: name, Size: st.Size,
		Mtime: time.Unix(st.Mtim.Unix()), Ctime: time.Unix(st.Ctim.Unix()),
		Mode: modeOf(st.Mode), Type: typeOf(st.Mode),
		Dev: uint64(st.Dev), Ino: st.Ino, Nlink: uint32(st.Nlink), UID: st.Uid, GID: st.Gid,
	}
}

func modeOf(m uint32) fs.FileMode {
	mode := fs.FileMode(m & 0o777)
	if m&unix.S_ISUID != 0 {
		mode |= fs.ModeSetuid
	}
	if m&unix.S_ISGID != 0 {
		mode |= fs.ModeSetgid
	}
	if m&unix.S_ISVTX != 0 {
		mode |= fs.ModeSticky
	}
	return mode
}

func typeOf(m uint32) Type {
	switch m & unix.S_IFMT {
	case unix.S_IFREG:
		return Regular
	case unix.S_IFDIR:
		return Directory
	case unix.S_IFLNK:
		return Symlink
	}
	return Other
}

// timesOf leaves the access time alone.
func timesOf(mtime time.Time) [2]unix.Timespec {
	return [2]unix.Timespec{{Nsec: unix.UTIME_OMIT}, unix.NsecToTimespec(mtime.UnixNano())}
}
