package vfs

import "golang.org/x/sys/unix"

// The file systems that package unix has no name for.
const (
	lustreMagic = 0x0BD00BD0
	gpfsMagic   = 0x47504653
	gfs2Magic   = 0x01161970
	vboxMagic   = 0x786F4256
)

// OnNetwork reports whether a directory lies on a file system that other machines,
// or a program in user space (FUSE), may change: inotify tells nothing of that, and
// flock may be this machine's alone. What cannot be found out counts as local.
func OnNetwork(d Dir) bool {
	d, release, err := Hold(d)
	if err != nil {
		return false
	}
	defer release()
	o, ok := d.(*osDir)
	return ok && FdOnNetwork(o.fd)
}

// FdOnNetwork is OnNetwork for an open descriptor, which may be of O_PATH.
func FdOnNetwork(fd int) bool {
	var st unix.Statfs_t
	err := again(func() error { return unix.Fstatfs(fd, &st) })
	return err == nil && isNetwork(uint32(st.Type))
}

// isNetwork judges the type of statfs(2).
func isNetwork(magic uint32) bool {
	switch magic {
	case unix.NFS_SUPER_MAGIC, unix.SMB_SUPER_MAGIC, unix.SMB2_SUPER_MAGIC, unix.CIFS_SUPER_MAGIC,
		unix.FUSE_SUPER_MAGIC, unix.V9FS_MAGIC, unix.CEPH_SUPER_MAGIC, unix.AFS_SUPER_MAGIC, unix.AFS_FS_MAGIC,
		unix.CODA_SUPER_MAGIC, unix.NCP_SUPER_MAGIC, unix.OCFS2_SUPER_MAGIC,
		lustreMagic, gpfsMagic, gfs2Magic, vboxMagic:
		return true
	}
	return false
}
