package watch

import (
	"errors"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"postrider/vfs"
)

// dirMask is what inotify is asked for of a directory. Writing to a file and
// changing its attributes is not in it: a message file never changes.
const dirMask = unix.IN_CREATE | unix.IN_DELETE | unix.IN_MOVED_FROM | unix.IN_MOVED_TO |
	unix.IN_DELETE_SELF | unix.IN_MOVE_SELF | unix.IN_ONLYDIR

// fileMask is what it is asked for of a file.
const fileMask = unix.IN_MODIFY

// kernel is what a Watcher asks the system for; tests put limits in its way.
type kernel struct {
	instance func() (fd int, err error)
	add      func(fd int, path string, mask uint32) (wd int, err error)
	remote   func(fd int) bool // changes made elsewhere are not seen by inotify
	look     func(path string, remote bool) (look, error)
}

func realKernel() kernel {
	return kernel{
		instance: func() (int, error) { return unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK) },
		add:      unix.InotifyAddWatch,
		remote:   vfs.FdOnNetwork,
		look:     lookAt,
	}
}

// lookAt looks at what is at a path. On a network's file system it asks the server
// rather than the cache of attributes, which may be as old as a minute.
func lookAt(path string, remote bool) (look, error) {
	if !remote {
		var st unix.Stat_t
		err := unix.Stat(path, &st)
		return look{at: Dir{uint64(st.Dev), st.Ino}, mtime: time.Unix(st.Mtim.Unix()), size: st.Size}, err
	}
	var st unix.Statx_t
	err := unix.Statx(unix.AT_FDCWD, path, unix.AT_STATX_FORCE_SYNC, unix.STATX_INO|unix.STATX_MTIME|unix.STATX_SIZE, &st)
	at := Dir{unix.Mkdev(st.Dev_major, st.Dev_minor), st.Ino}
	return look{at: at, mtime: time.Unix(st.Mtime.Sec, int64(st.Mtime.Nsec)), size: int64(st.Size)}, err
}

// exhausted reports whether an error says that the system has no more instances
// or watches for us now.
func exhausted(err error) bool {
	return errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE) ||
		errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.ENOMEM)
}

// remedy is what an administrator can do about an error of which exhausted is true.
func remedy(err error) string {
	switch {
	case errors.Is(err, unix.ENOSPC):
		return "sysctl fs.inotify.max_user_watches"
	case errors.Is(err, unix.EMFILE):
		return "sysctl fs.inotify.max_user_instances, or the process's limit of open files"
	case errors.Is(err, unix.ENFILE):
		return "sysctl fs.file-max"
	}
	return "memory"
}

// openPath opens a directory, or a regular file, for nothing but its identity.
func openPath(path string, file bool) (fd int, d Dir, err error) {
	flags := unix.O_PATH | unix.O_CLOEXEC | unix.O_DIRECTORY
	if file {
		flags = unix.O_PATH | unix.O_CLOEXEC | unix.O_NOFOLLOW
	}
	for {
		fd, err = unix.Open(path, flags, 0)
		if err != unix.EINTR {
			break
		}
	}
	if err != nil {
		return -1, Dir{}, err
	}
	var st unix.Stat_t
	err = unix.Fstat(fd, &st)
	if err == nil && file && st.Mode&unix.S_IFMT != unix.S_IFREG {
		err = vfs.ErrNotRegular
	}
	if err != nil {
		unix.Close(fd)
		return -1, Dir{}, err
	}
	return fd, Dir{uint64(st.Dev), st.Ino}, nil
}

// procPath is a path that leads to the very directory or file that fd is open on.
func procPath(fd int) string { return "/proc/self/fd/" + strconv.Itoa(fd) }
