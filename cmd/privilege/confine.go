package privilege

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Confine locks this process, started by root, into an empty directory, as a user that
// owns nothing. It must be called before anything that a stranger sent is read.
func Confine(root string, uid, gid int) error {
	if uid <= 0 || gid <= 0 {
		return errors.New("a process that strangers reach must not be root")
	}
	if err := syscall.Chroot(root); err != nil {
		return fmt.Errorf("chroot to %s: %w", root, err)
	}
	if err := os.Chdir("/"); err != nil {
		return err
	}
	if err := syscall.Setgroups(nil); err != nil {
		return fmt.Errorf("leaving all groups: %w", err)
	}
	if err := syscall.Setresgid(gid, gid, gid); err != nil {
		return fmt.Errorf("becoming gid %d: %w", gid, err)
	}
	if err := syscall.Setresuid(uid, uid, uid); err != nil {
		return fmt.Errorf("becoming uid %d: %w", uid, err)
	}
	if err := Seal(); err != nil {
		return err
	}
	return confined()
}

// Seal keeps others from looking into this process: no dump of its memory, no
// debugger of the same user.
func Seal() error {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("closing the process to others: %w", err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("no core dumps: %w", err)
	}
	return nil
}

// confined looks whether what was given up is gone.
func confined() error {
	root, err := os.Open("/")
	if err != nil {
		return err
	}
	defer root.Close()
	if names, err := root.Readdirnames(1); !errors.Is(err, io.EOF) {
		return fmt.Errorf("the directory for the front must be empty: it has %q, %w", names, err)
	}
	return Unprivileged()
}

// Unprivileged tells what this process could still become more by.
func Unprivileged() error {
	for _, get := range []func() (r, e, s int){unix.Getresuid, unix.Getresgid} {
		if r, e, s := get(); r == 0 || e == 0 || s == 0 {
			return errors.New("the process still is root")
		}
	}
	switch n, err := unix.PrctlRetInt(unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0); {
	case err != nil:
		return os.NewSyscallError("prctl", err)
	case n != 1:
		return errors.New("the process may become more by programs that it starts")
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return os.NewSyscallError("capget", err)
	}
	for _, d := range data {
		if d.Effective|d.Permitted != 0 {
			return errors.New("the process still has capabilities")
		}
	}
	return nil
}
