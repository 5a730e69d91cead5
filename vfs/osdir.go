package vfs

import (
	"context"
	"encoding/binary"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// osDir is a directory's descriptor.
type osDir struct {
	fd       int
	path     string
	dev, ino uint64
}

func newDir(fd int, path string, err error) (Dir, error) {
	if err != nil {
		return nil, err
	}
	var st unix.Stat_t
	if err := again(func() error { return unix.Fstat(fd, &st) }); err != nil {
		unix.Close(fd)
		return nil, pathError("stat", path, err)
	}
	return &osDir{fd: fd, path: path, dev: uint64(st.Dev), ino: st.Ino}, nil
}

func (d *osDir) Key() (dev, ino uint64) { return d.dev, d.ino }
func (d *osDir) Path() string           { return d.path }

// born is when the directory was made, 0 if the kernel or the file system does not say.
func (d *osDir) born() int64 {
	var st unix.Statx_t
	err := again(func() error { return unix.Statx(d.fd, "", unix.AT_EMPTY_PATH, unix.STATX_BTIME, &st) })
	if err != nil || st.Mask&unix.STATX_BTIME == 0 {
		return 0
	}
	return st.Btime.Sec*1e9 + int64(st.Btime.Nsec)
}

func (d *osDir) Close() error { return pathError("close", d.path, unix.Close(d.fd)) }

func (d *osDir) OpenDir(name string) (Dir, error) {
	if err := CheckName("open", name); err != nil {
		return nil, err
	}
	fd, err := openat(d.fd, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	return newDir(fd, filepath.Join(d.path, name), err)
}

func (d *osDir) Mkdir(name string, perm fs.FileMode) error {
	if err := CheckName("mkdir", name); err != nil {
		return err
	}
	return pathError("mkdir", name, again(func() error { return unix.Mkdirat(d.fd, name, uint32(perm.Perm())) }))
}

func (d *osDir) Rename(oldname string, to Dir, newname string) error {
	return d.move("rename", oldname, to, newname, func(tofd int) error {
		return unix.Renameat(d.fd, oldname, tofd, newname)
	})
}

func (d *osDir) RenameNoReplace(oldname string, to Dir, newname string) error {
	return d.move("rename", oldname, to, newname, func(tofd int) error {
		err := unix.Renameat2(d.fd, oldname, tofd, newname, unix.RENAME_NOREPLACE)
		if err == unix.EINVAL || err == unix.ENOSYS {
			return d.linkAndRemove(oldname, tofd, newname)
		}
		return err
	})
}

// linkAndRemove is RenameNoReplace without the kernel's help. A directory
// cannot be linked; there rename itself refuses to replace one that holds
// anything.
func (d *osDir) linkAndRemove(oldname string, tofd int, newname string) error {
	err := unix.Linkat(d.fd, oldname, tofd, newname, 0)
	if err == unix.EPERM {
		var st unix.Stat_t
		if unix.Fstatat(tofd, newname, &st, unix.AT_SYMLINK_NOFOLLOW) == nil {
			return unix.EEXIST
		}
		return unix.Renameat(d.fd, oldname, tofd, newname)
	}
	if err != nil {
		return err
	}
	return unix.Unlinkat(d.fd, oldname, 0)
}

func (d *osDir) Link(oldname string, to Dir, newname string) error {
	return d.move("link", oldname, to, newname, func(tofd int) error {
		return unix.Linkat(d.fd, oldname, tofd, newname, 0)
	})
}

// move checks the names of an operation between two directories and does it.
func (d *osDir) move(op, oldname string, to Dir, newname string, do func(tofd int) error) error {
	if err := CheckName(op, oldname); err != nil {
		return err
	}
	if err := CheckName(op, newname); err != nil {
		return err
	}
	to, release, err := Hold(to)
	if err != nil {
		return err
	}
	defer release()
	target, ok := to.(*osDir)
	if !ok {
		return linkError(op, oldname, newname, unix.EXDEV)
	}
	return linkError(op, oldname, newname, again(func() error { return do(target.fd) }))
}

func (d *osDir) Remove(name string) error    { return d.unlink(name, 0) }
func (d *osDir) RemoveDir(name string) error { return d.unlink(name, unix.AT_REMOVEDIR) }

func (d *osDir) unlink(name string, flags int) error {
	if err := CheckName("remove", name); err != nil {
		return err
	}
	return pathError("remove", name, again(func() error { return unix.Unlinkat(d.fd, name, flags) }))
}

func (d *osDir) Stat(name string) (Info, error) {
	if err := CheckName("stat", name); err != nil {
		return Info{}, err
	}
	var st unix.Stat_t
	err := again(func() error { return unix.Fstatat(d.fd, name, &st, unix.AT_SYMLINK_NOFOLLOW) })
	if err != nil {
		return Info{}, pathError("stat", name, err)
	}
	return infoOf(name, &st), nil
}

func (d *osDir) StatSelf() (Info, error) {
	var st unix.Stat_t
	if err := again(func() error { return unix.Fstat(d.fd, &st) }); err != nil {
		return Info{}, pathError("stat", d.path, err)
	}
	return infoOf("", &st), nil
}

func (d *osDir) SetTimes(name string, mtime time.Time) error {
	if err := CheckName("chtimes", name); err != nil {
		return err
	}
	ts := timesOf(mtime)
	return pathError("chtimes", name, again(func() error {
		return unix.UtimesNanoAt(d.fd, name, ts[:], unix.AT_SYMLINK_NOFOLLOW)
	}))
}

func (d *osDir) Sync() error {
	return pathError("sync", d.path, again(func() error { return unix.Fsync(d.fd) }))
}

// The waits between two tries for a lock. The kernel's own waiting cannot be
// cancelled, and would hold a thread.
const (
	firstLockWait = 200 * time.Microsecond
	lastLockWait  = 25 * time.Millisecond
)

// Lock uses a descriptor of its own: flock belongs to the open file, so two
// calls on one handle exclude each other too.
func (d *osDir) Lock(ctx context.Context) (func(), error) {
	fd, err := openat(d.fd, ".", unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	for wait := firstLockWait; ; wait = min(2*wait, lastLockWait) {
		err := again(func() error { return unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB) })
		if err == nil {
			return func() { unix.Close(fd) }, nil
		}
		if err != unix.EWOULDBLOCK {
			unix.Close(fd)
			return nil, pathError("lock", d.path, err)
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			unix.Close(fd)
			if pid := d.lockedBy(); pid != "" {
				return nil, pathError("lock", d.path, fmt.Errorf("%w; process %s holds it", ctx.Err(), pid))
			}
			return nil, pathError("lock", d.path, ctx.Err())
		}
	}
}

// lockedBy is the process that has the lock, as far as the kernel tells; "" if not.
func (d *osDir) lockedBy() string {
	dev, ino := d.Key()
	b, err := os.ReadFile("/proc/locks")
	if err != nil {
		return ""
	}
	where := fmt.Sprintf("%02x:%02x:%d", unix.Major(dev), unix.Minor(dev), ino)
	for line := range strings.Lines(string(b)) { // 1: FLOCK ADVISORY WRITE 4711 fe:00:1234 0 EOF
		f := strings.Fields(line)
		if len(f) > 5 && f[1] == "FLOCK" && f[5] == where {
			return f[4]
		}
	}
	return ""
}

// listBuffer is how many bytes of directory one system call reads.
const listBuffer = 32 << 10

// List opens the directory anew, so that several may read it at once.
func (d *osDir) List(yield func(name string, t Type) bool) error {
	fd, err := openat(d.fd, ".", unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	buf := make([]byte, listBuffer)
	for {
		var n int
		err := again(func() (err error) { n, err = unix.Getdents(fd, buf); return err })
		if err != nil {
			return pathError("readdir", d.path, err)
		}
		if n <= 0 || !yieldEntries(buf[:n], yield) {
			return nil
		}
	}
}

// yieldEntries walks the records of getdents64(2): inode and offset of 8 bytes
// each, record length of 2, type of 1, and the name up to a NUL.
func yieldEntries(b []byte, yield func(string, Type) bool) bool {
	const nameAt = 19
	for len(b) > nameAt {
		size := int(binary.NativeEndian.Uint16(b[16:]))
		if size <= nameAt || size > len(b) {
			return true
		}
		name := b[nameAt:size]
		for i, c := range name {
			if c == 0 {
				name = name[:i]
				break
			}
		}
		t := direntType(b[18])
		b = b[size:]
		if s := string(name); s != "." && s != ".." && !yield(s, t) {
			return false
		}
	}
	return true
}

func direntType(t byte) Type {
	switch t {
	case unix.DT_REG:
		return Regular
	case unix.DT_DIR:
		return Directory
	case unix.DT_LNK:
		return Symlink
	case unix.DT_UNKNOWN:
		return Unknown
	}
	return Other
}
