package maildir

import (
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"postrider/mail"
	"postrider/vfs"
)

// Options are what a folder needs to know of the process.
type Options struct {
	Unique   *Unique            // required: one for the whole process
	Now      func() time.Time   // nil: time.Now
	FileMode fs.FileMode        // of message files, less the umask; 0: 0666
	DirMode  fs.FileMode        // of directories, less the umask; 0: 0700
	NoSync   bool               // Courier's side files are written without fsync
	Alive    func(pid int) bool // whether a process runs here; nil: the kernel is asked

	// Reopen opens the folder's own directory again, for a folder that can rest. Nil: its
	// handles stay open.
	Reopen func() (vfs.Dir, error)
}

func (o Options) withDefaults() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.FileMode == 0 {
		o.FileMode = 0o666
	}
	if o.DirMode == 0 {
		o.DirMode = 0o700
	}
	if o.Alive == nil {
		o.Alive = alive
	}
	return o
}

// Folder is one Maildir: the INBOX or a ".Folder". It is safe for concurrent
// use; Close comes last.
type Folder struct {
	o                  Options
	dir, tmp, new, cur vfs.Dir
	rooms              sync.Pool              // *room
	woken              atomic.Pointer[func()] // see OnWake
}

// OpenFolder opens the Maildir in dir, which becomes the folder's to close, also
// if OpenFolder fails. A directory is a Maildir if it has a cur; a missing tmp
// or new is made.
func OpenFolder(dir vfs.Dir, o Options) (*Folder, error) {
	f := &Folder{o: o.withDefaults(), dir: dir}
	if o.Reopen != nil {
		f.dir = vfs.NewSleeper(dir, o.Reopen, f.wake)
	}
	var err error
	if f.cur, err = f.open("cur"); err == nil {
		if f.new, err = f.openOrMake("new"); err == nil {
			f.tmp, err = f.openOrMake("tmp")
		}
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("open Maildir %s: %w", dir.Path(), err)
	}
	return f, nil
}

func (f *Folder) openOrMake(name string) (vfs.Dir, error) {
	d, err := f.open(name)
	if !errors.Is(err, fs.ErrNotExist) {
		return d, err
	}
	if err := f.dir.Mkdir(name, f.o.DirMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return f.open(name)
}

// Close gives back the folder's handles.
func (f *Folder) Close() error {
	var errs []error
	for _, d := range []vfs.Dir{f.tmp, f.new, f.cur, f.dir} {
		if d != nil {
			errs = append(errs, d.Close())
		}
	}
	return errors.Join(errs...)
}

// Dir is the folder's own directory, open as long as the folder.
func (f *Folder) Dir() vfs.Dir { return f.dir }

// sub is new or cur.
func (f *Folder) sub(inNew bool) vfs.Dir {
	if inNew {
		return f.new
	}
	return f.cur
}

// Times returns the modification times of new and cur.
func (f *Folder) Times() (mail.FolderTimes, error) {
	n, err := f.new.StatSelf()
	if err != nil {
		return mail.FolderTimes{}, err
	}
	c, err := f.cur.StatSelf()
	return mail.FolderTimes{New: n.Mtime, Cur: c.Mtime}, err
}

// Parse takes a file name apart; false for a name that is no message's: one
// that begins with a dot.
func (f *Folder) Parse(name string, inNew bool) (mail.MessageFile, bool) {
	if name == "" || name[0] == '.' {
		return mail.MessageFile{}, false
	}
	return messageFile(name, inNew), true
}

func messageFile(name string, inNew bool) mail.MessageFile {
	n := ParseFileName(name)
	m := mail.MessageFile{Base: n.Base, Name: name, New: inNew, Flags: n.Flags}
	m.Size, m.CRLFSize = SizeHints(n.Base)
	return m
}

// Scan reads new, then cur, as far as asked for, until yield returns false.
// Directories and links are left out.
func (f *Folder) Scan(newToo, curToo bool, yield func(mail.MessageFile) bool) error {
	more := true
	for _, part := range []struct{ wanted, inNew bool }{{newToo, true}, {curToo, false}} {
		if !part.wanted || !more {
			continue
		}
		err := f.sub(part.inNew).List(func(name string, t vfs.Type) bool {
			m, ok := f.Parse(name, part.inNew)
			if ok && (t == vfs.Regular || t == vfs.Unknown) {
				more = yield(m)
			}
			return more
		})
		if err != nil {
			return fmt.Errorf("read Maildir %s: %w", f.dir.Path(), err)
		}
	}
	return nil
}

// likelyInfos are the ends of names under which most messages lie in cur.
var likelyInfos = [...]string{":2,", ":2,S", ":2,RS", ":2,FS", ":2,ST", ""}

// Find looks for the files with this base name: at the likely names first, then
// by reading both directories. None is not an error.
func (f *Folder) Find(base string) ([]mail.MessageFile, error) {
	var found []mail.MessageFile
	look := func(name string, inNew bool) {
		if vfs.CheckName("find", name) != nil {
			return
		}
		if m, ok := f.Parse(name, inNew); ok && m.Base == base {
			if st, err := f.sub(inNew).Stat(name); err == nil && st.Type == vfs.Regular {
				m.Ino = st.Ino
				found = append(found, m)
			}
		}
	}
	look(base, true)
	for _, info := range likelyInfos {
		look(base+info, false)
	}
	if len(found) > 0 {
		return found, nil
	}
	err := f.Scan(true, true, func(m mail.MessageFile) bool {
		if m.Base == base {
			found = append(found, m)
		}
		return true
	})
	return found, err
}

// Open opens exactly this name for reading.
func (f *Folder) Open(m mail.MessageFile) (vfs.File, error) { return f.sub(m.New).Open(m.Name) }

// Stat looks at exactly this name.
func (f *Folder) Stat(m mail.MessageFile) (vfs.Info, error) { return f.sub(m.New).Stat(m.Name) }

// Remove deletes the file. It is durable after Sync.
func (f *Folder) Remove(m mail.MessageFile) error { return f.sub(m.New).Remove(m.Name) }

// Rename gives the file these flags, moving it to cur if it lies in new, and
// returns what it is called then. Letters that are no flags stay. It does
// nothing if the name says so already; it never replaces a file. Durable after
// Sync.
func (f *Folder) Rename(m mail.MessageFile, flags mail.Flags) (mail.MessageFile, error) {
	n := ParseFileName(m.Name)
	if !m.New && n.Flags == flags {
		return m, nil
	}
	return f.rename(m, n.WithFlags(flags).String())
}

// Take moves the file from new to cur, adding ":2," if it has no info and the
// name has room for it.
func (f *Folder) Take(m mail.MessageFile) (mail.MessageFile, error) {
	if !m.New {
		return m, nil
	}
	return f.rename(m, takenName(m.Name))
}

func takenName(name string) string {
	if n := ParseFileName(name); !n.HasInfo && len(name)+len(":2,") <= maxFileName {
		return n.WithFlags(0).String()
	}
	return name
}

func (f *Folder) rename(m mail.MessageFile, name string) (mail.MessageFile, error) {
	if len(name) > maxFileName {
		return m, fmt.Errorf("rename %s: %w", m.Name, syscall.ENAMETOOLONG)
	}
	if err := f.sub(m.New).RenameNoReplace(m.Name, f.cur, name); err != nil {
		return m, err
	}
	to := messageFile(name, false)
	to.Ino = m.Ino
	return to, nil
}

// Move renames the file into cur of the Maildir in to, with its flags and other
// letters. The base name stays unless fresh is set. It never replaces a file;
// between two file systems it fails with syscall.EXDEV.
func (f *Folder) Move(m mail.MessageFile, to vfs.Dir, fresh bool) (mail.MessageFile, error) {
	cur, err := to.OpenDir("cur")
	if err != nil {
		return m, err
	}
	defer cur.Close()
	name := takenName(m.Name)
	ino := m.Ino
	if fresh {
		st, err := f.Stat(m)
		if err != nil {
			return m, err
		}
		ino = st.Ino
		n := ParseFileName(m.Name)
		stored, served := SizeHints(n.Base)
		n.Base = f.o.Unique.Base(st.Dev, st.Ino, stored, served, hasVerbatimField(n.Base))
		n.HasInfo = true
		name = n.String()
	}
	if err := f.sub(m.New).RenameNoReplace(m.Name, cur, name); err != nil {
		return m, err
	}
	moved := messageFile(name, false)
	moved.Ino = ino
	return moved, nil
}

// Sync makes what happened to the names in new and cur durable.
func (f *Folder) Sync(newToo, curToo bool) error {
	if newToo {
		if err := f.new.Sync(); err != nil {
			return err
		}
	}
	if curToo {
		return f.cur.Sync()
	}
	return nil
}

// TempAge is how old a file in tmp must be to count as left behind.
const TempAge = 36 * time.Hour

// CleanTemp removes the files from tmp whose inode changed longer ago than
// olderThan. Dot files stay.
func (f *Folder) CleanTemp(olderThan time.Duration) error {
	before := f.o.Now().Add(-olderThan)
	var old []string
	err := f.tmp.List(func(name string, t vfs.Type) bool {
		if name[0] == '.' || t == vfs.Directory {
			return true
		}
		if st, err := f.tmp.Stat(name); err == nil && st.Ctime.Before(before) {
			old = append(old, name)
		}
		return true
	})
	for _, name := range old {
		if e := f.tmp.Remove(name); e != nil && !errors.Is(e, fs.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}
	return err
}
