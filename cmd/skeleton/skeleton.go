// Package skeleton makes the home of an account that has none yet, as a copy of a
// directory: Courier's AUTH_MKHOMEDIR_SKEL.
//
// It promises that a home is there whole or not at all, and that one that is there is
// left alone. It knows no account: whom the files belong to is the caller's affair.
package skeleton

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Copy makes home as a copy of the directory skel: directories, regular files and
// symbolic links, with their modes, of uid and gid where those are not negative. It does
// nothing if home is there or skel is not.
func Copy(skel, home string, uid, gid int) error {
	if _, err := os.Lstat(home); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if _, err := os.Stat(skel); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	draft, err := os.MkdirTemp(filepath.Dir(home), "."+filepath.Base(home)+".new-")
	if err != nil {
		return fmt.Errorf("making a home: %w", err)
	}
	defer os.RemoveAll(draft)
	c := copying{skel, draft, uid, gid}
	if err := filepath.WalkDir(skel, c.entry); err != nil {
		return fmt.Errorf("making a home: %w", err)
	}
	if err := os.Rename(draft, home); err != nil && !errors.Is(err, fs.ErrExist) { // another login was faster
		return fmt.Errorf("making a home: %w", err)
	}
	return nil
}

type copying struct {
	from, to string
	uid, gid int
}

// entry copies one entry of the tree.
func (c copying) entry(path string, d fs.DirEntry, err error) error {
	if err != nil {
		return err
	}
	info, err := d.Info()
	if err != nil {
		return err
	}
	rel, err := filepath.Rel(c.from, path)
	if err != nil {
		return err
	}
	to := filepath.Join(c.to, rel)
	switch mode := info.Mode(); {
	case rel == ".":
	case mode.IsDir():
		err = os.Mkdir(to, 0o700)
	case mode.IsRegular():
		err = copyFile(path, to)
	case mode&fs.ModeSymlink != 0:
		target, err := os.Readlink(path)
		if err != nil {
			return err
		}
		return errors.Join(os.Symlink(target, to), os.Lchown(to, c.uid, c.gid))
	default:
		return nil // no devices, pipes, sockets
	}
	if err != nil {
		return err
	}
	return errors.Join(os.Lchown(to, c.uid, c.gid), os.Chmod(to, info.Mode().Perm()))
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		out.Close()
		return err
	}
	return out.Close()
}
