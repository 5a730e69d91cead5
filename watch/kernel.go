package watch

import (
	"errors"
	"strconv"

	"golang.org/x/sys/unix"
)

// mask is what inotify is asked for. Writing to a file and changing its
// attributes is not in it: a message file never changes.
const mask = unix.IN_CREATE | unix.IN_DELETE | unix.IN_MOVED_FROM | unix.IN_MOVED_TO |
	unix.IN_DELETE_SELF | unix.IN_MOVE_SELF | unix.IN_ONLYDIR

// kernel is what a Watcher asks the system for; tests put limits in its way.
type kernel struct {
	instance func() (fd int, err error)
	add      func(fd int, path string) (wd int, err error)
	remote   func(dir int) bool // changes made elsewhere are not seen by inotify
}

func realKernel() kernel {
	return kernel{
		instance: func() (int, error) { return unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK) },
		add:      func(fd int, path string) (int, error) { return unix.InotifyAddWatch(fd, path, mask) },
		remote:   remote,
	}
}

// exhausted reports whether an error says that the system has no more instances
// or watches for us now.
func exhausted(err error) bool {
	return errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE) ||
		errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.ENOMEM)
}

// The file systems that unix has no name for.
const (
	lustreMagic = 0x0BD00BD0
	gpfsMagic   = 0x47504653
	gfs2Magic   = 0x01161970
	vboxMagic   = 0x786F4256
)

func remote(dir int) bool {
	var st unix.Statfs_t
	if unix.Fstatfs(dir, &st) != nil {
		return false
	}
	switch uint32(st.Type) {
	case unix.NFS_SUPER_MAGIC, unix.SMB_SUPER_MAGIC, unix.SMB2_SUPER_MAGIC, unix.CIFS_SUPER_MAGIC,
		unix.FUSE_SUPER_MAGIC, unix.V9FS_MAGIC, unix.CEPH_SUPER_MAGIC, unix.AFS_SUPER_MAGIC, unix.AFS_FS_MAGIC,
		unix.CODA_SUPER_MAGIC, unix.NCP_SUPER_MAGIC, unix.OCFS2_SUPER_MAGIC,
		lustreMagic, gpfsMagic, gfs2Magic, vboxMagic:
		return true
	}
	return false
}

// openPath opens a directory for nothing but its identity.
func openPath(path string) (fd int, d Dir, err error) {
	for {
		fd, err = unix.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != unix.EINTR {
			break
		}
	}
	if err != nil {
		return -1, Dir{}, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		unix.Close(fd)
		return -1, Dir{}, err
	}
	return fd, Dir{uint64(st.Dev), st.Ino}, nil
}

// procPath is a path that leads to the very directory that fd is open on.
func procPath(fd int) string { return "/proc/self/fd/" + strconv.Itoa(fd) }
