package maildir

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"postrider/mail"
	"postrider/vfs"
)

// Entry is a folder of an account: its name and the directory in the root.
type Entry struct {
	Name mail.Name
	Dir  string // "" for the INBOX
}

// ListFolders returns the INBOX and every ".Folder" of root with a cur, in no
// order. Where two directories decode to one name, the one that the name maps
// to has it, and the other is left out.
func ListFolders(root vfs.Dir, n Naming) ([]Entry, error) {
	return RelistFolders(root, n, nil)
}

// RelistFolders is ListFolders that does not look again into the directories which
// known holds.
func RelistFolders(root vfs.Dir, n Naming, known map[string]bool) ([]Entry, error) {
	byName := map[mail.Name]string{mail.Inbox: ""}
	var dirs []string
	err := root.List(func(name string, t vfs.Type) bool {
		if name[0] == '.' && (t == vfs.Directory || t == vfs.Unknown) {
			dirs = append(dirs, name)
		}
		return true
	})
	if err != nil {
		return nil, fmt.Errorf("list folders: %w", err)
	}
	for _, dir := range dirs {
		name, ok := n.NameOfDir(dir)
		if !ok || !known[dir] && !isFolder(root, dir) {
			continue
		}
		if _, twice := byName[name]; twice {
			if canonical, err := n.DirName(name); err != nil || canonical != dir {
				continue
			}
		}
		byName[name] = dir
	}
	out := make([]Entry, 0, len(byName))
	for name, dir := range byName {
		out = append(out, Entry{name, dir})
	}
	return out, nil
}

// isFolder reports whether dir is a folder. In doubt (too many open files, a
// failing disk) it is one: clients forget what is not listed.
func isFolder(root vfs.Dir, dir string) bool {
	d, err := root.OpenDir(dir)
	if err == nil {
		defer d.Close()
		var st vfs.Info
		if st, err = d.Stat("cur"); err == nil {
			return st.Type == vfs.Directory
		}
	}
	for _, no := range []error{fs.ErrNotExist, fs.ErrPermission, syscall.ENOTDIR, syscall.ELOOP} {
		if errors.Is(err, no) {
			return false
		}
	}
	return true
}

// MakeFolder makes the folder dir of root, or root itself into a Maildir if dir
// is "". cur comes last: what is left by a crash is no folder, and is completed
// by the next call. fs.ErrExist if the folder is there. Durable on return.
func MakeFolder(root vfs.Dir, dir string, mode fs.FileMode) error {
	d := root
	if dir != "" {
		err := root.Mkdir(dir, mode)
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("create folder: %w", err)
		}
		if d, err = root.OpenDir(dir); err != nil {
			return fmt.Errorf("create folder: %w", err)
		}
		defer d.Close()
		f, err := d.OpenFile("maildirfolder", os.O_WRONLY|os.O_CREATE, 0o600)
		if err != nil {
			return fmt.Errorf("create folder: %w", err)
		}
		f.Close()
	}
	for _, sub := range []string{"tmp", "new", "cur"} {
		if err := d.Mkdir(sub, mode); err != nil && (sub == "cur" || !errors.Is(err, fs.ErrExist)) {
			return fmt.Errorf("create folder: %w", err)
		}
	}
	return errors.Join(d.Sync(), root.Sync())
}

// gonePrefix begins the name of a directory that is being removed. It is no
// folder's: those begin with a dot.
const gonePrefix = "postrider-gone."

// RemoveFolder removes the folder dir with all that is in it. For observers it
// is gone at once, and durably before anything in it is removed.
func RemoveFolder(root vfs.Dir, dir string, u *Unique) error {
	remove, err := DetachFolder(root, dir, u)
	if err != nil {
		return err
	}
	return remove()
}

// DetachFolder is the first half of RemoveFolder, after which the folder is gone
// durably; remove is the other, which may take long. If it is not called or
// fails, RemoveLeftovers does it.
func DetachFolder(root vfs.Dir, dir string, u *Unique) (remove func() error, err error) {
	gone := gonePrefix + u.Temp()
	if err := root.RenameNoReplace(dir, root, gone); err != nil {
		return nil, fmt.Errorf("remove folder: %w", err)
	}
	if err := root.Sync(); err != nil {
		return nil, fmt.Errorf("remove folder: %w", err)
	}
	return func() error { return removeTree(root, gone) }, nil
}

// RemoveLeftovers goes on with removals that a crash interrupted.
func RemoveLeftovers(root vfs.Dir) error {
	var left []string
	err := root.List(func(name string, t vfs.Type) bool {
		if strings.HasPrefix(name, gonePrefix) {
			left = append(left, name)
		}
		return true
	})
	for _, name := range left {
		err = errors.Join(err, removeTree(root, name))
	}
	return err
}

// removeTree removes a directory of any depth. Somebody else may do so, too.
func removeTree(parent vfs.Dir, name string) error {
	d, err := parent.OpenDir(name)
	if err != nil {
		return ignoreMissing(err)
	}
	defer d.Close()
	for {
		var files, dirs []string
		err := d.List(func(n string, t vfs.Type) bool {
			if t == vfs.Unknown {
				if st, err := d.Stat(n); err == nil {
					t = st.Type
				}
			}
			if t == vfs.Directory {
				dirs = append(dirs, n)
			} else {
				files = append(files, n)
			}
			return true
		})
		for _, n := range files {
			err = errors.Join(err, ignoreMissing(d.Remove(n)))
		}
		for _, n := range dirs {
			err = errors.Join(err, removeTree(d, n))
		}
		if err != nil {
			return err
		}
		err = ignoreMissing(parent.RemoveDir(name))
		if !errors.Is(err, syscall.ENOTEMPTY) || len(files)+len(dirs) == 0 {
			return err
		}
	}
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// RenameFolders renames directories of root, each from Old to New, in the order
// given, and makes it durable. It checks first that no target is there. After a
// crash in the middle each folder has its old or its new name.
func RenameFolders(root vfs.Dir, pairs []RenamePair) error {
	for _, p := range pairs {
		if _, err := root.Stat(p.New); !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("rename folder to %s: %w", p.New, errors.Join(err, fs.ErrExist))
		}
	}
	for _, p := range pairs {
		if err := root.RenameNoReplace(p.Old, root, p.New); err != nil {
			return fmt.Errorf("rename folder: %w", err)
		}
	}
	return root.Sync()
}

// RenamePair is a directory's old and new name.
type RenamePair struct{ Old, New string }

const (
	subscribedFile = "courierimapsubscribed"
	maxSubscribed  = 16 << 20 // bytes of that file
)

// SubscribedLine is how courierimapsubscribed calls the mailbox in dir.
func SubscribedLine(dir string) string { return string(mail.Inbox) + dir }

// ReadSubscribed returns the lines of courierimapsubscribed; none if it is not
// there.
func ReadSubscribed(root vfs.Dir) ([]string, error) {
	f, err := root.Open(subscribedFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read subscriptions: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxSubscribed+1))
	if err == nil && len(b) > maxSubscribed {
		err = syscall.EFBIG
	}
	if err != nil {
		return nil, fmt.Errorf("read subscriptions: %w", err)
	}
	lines := strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
	if len(b) == 0 {
		lines = nil
	}
	return lines, nil
}

// ChangeSubscribed replaces the lines of courierimapsubscribed by what change
// makes of them, under the root's lock, through a file in tmp. It writes nothing
// if change returns false. Durable on return.
func ChangeSubscribed(ctx context.Context, root vfs.Dir, u *Unique, change func([]string) ([]string, bool)) error {
	unlock, err := root.Lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	lines, err := ReadSubscribed(root)
	if err != nil {
		return err
	}
	lines, changed := change(lines)
	if !changed {
		return nil
	}
	var text string
	if len(lines) > 0 {
		text = strings.Join(lines, "\n") + "\n"
	}
	if err := replaceFile(root, u.Temp(), subscribedFile, text); err != nil {
		return fmt.Errorf("write subscriptions: %w", err)
	}
	return nil
}

func replaceFile(root vfs.Dir, temp, name, text string) error {
	tmp, err := root.OpenDir("tmp")
	if err != nil {
		return err
	}
	defer tmp.Close()
	f, err := tmp.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	_, err = f.Write([]byte(text))
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = tmp.Rename(temp, root, name)
	}
	if err != nil {
		tmp.Remove(temp)
		return err
	}
	return root.Sync()
}
