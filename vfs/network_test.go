package vfs

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestNetworkFileSystemsAreKnownByType(t *testing.T) {
	for magic, want := range map[uint32]bool{
		unix.NFS_SUPER_MAGIC: true, unix.CIFS_SUPER_MAGIC: true, unix.FUSE_SUPER_MAGIC: true, unix.CEPH_SUPER_MAGIC: true, vboxMagic: true,
		unix.EXT4_SUPER_MAGIC: false, unix.XFS_SUPER_MAGIC: false, unix.BTRFS_SUPER_MAGIC: false, unix.TMPFS_MAGIC: false, unix.OVERLAYFS_SUPER_MAGIC: false,
	} {
		if isNetwork(magic) != want {
			t.Errorf("%#x: %v", magic, !want)
		}
	}
}

func TestTemporaryDirectoryIsNotOnTheNetwork(t *testing.T) {
	d, err := OS().OpenDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if OnNetwork(d) {
		t.Error("a temporary directory is taken for one of the network")
	}
}
