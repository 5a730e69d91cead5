package userdb

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// The bounds of a source.
const (
	maxDepth = 16
	maxFile  = 1 << 30
)

// stamp tells one state of a file or directory from another.
type stamp struct {
	dev, ino     uint64
	size         int64
	mtime, ctime syscall.Timespec
}

func stampOf(info fs.FileInfo) stamp {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return stamp{size: info.Size()}
	}
	return stamp{dev: uint64(st.Dev), ino: st.Ino, size: st.Size, mtime: st.Mtim, ctime: st.Ctim}
}

// changed is the last time that the file was written or replaced.
func (s stamp) changed() time.Time { return time.Unix(s.ctime.Sec, s.ctime.Nsec) }

// source is what was read: every file and directory with its state before it
// was read.
type source struct {
	stamps map[string]stamp
	newest time.Time // change of any of them
}

// unchanged looks at every file again.
func (s *source) unchanged() bool {
	for path, old := range s.stamps {
		info, err := os.Lstat(path)
		if err != nil || stampOf(info) != old {
			return false
		}
	}
	return true
}

// readSource hands each file of a userdb to take, in the order of the names.
// The top must be closed to group and others, as makeuserdb(8) demands; what
// lies below is protected by it. Symbolic links are refused at the top and
// reported to bad below it.
func readSource(top string, take func(path, text string), bad func(path string, err error)) (*source, error) {
	s := &source{stamps: make(map[string]stamp)}
	info, err := os.Lstat(top)
	if err != nil {
		return nil, err
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		return nil, fmt.Errorf("%s: may not be a symbolic link", top)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s: may not have group or world permissions", top)
	}
	return s, s.read(top, maxDepth, take, bad)
}

func (s *source) read(path string, depth int, take func(path, text string), bad func(path string, err error)) error {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	s.note(path, stampOf(info))
	if info.Mode().IsRegular() {
		text, err := readText(f, info.Size())
		if err == nil {
			take(path, text)
		}
		return err
	}
	if !info.IsDir() || depth == 0 {
		return fmt.Errorf("%s: neither a file nor a directory that is shallow enough", path)
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), ".") {
			continue
		}
		below := filepath.Join(path, entry.Name())
		if err := s.read(below, depth-1, take, bad); errors.Is(err, fs.ErrNotExist) {
			continue // gone since; the directory's mtime tells the next look
		} else if err != nil {
			bad(below, err)
			s.noteFailed(below)
		}
	}
	return nil
}

func (s *source) note(path string, st stamp) {
	s.stamps[path] = st
	if st.changed().After(s.newest) {
		s.newest = st.changed()
	}
}

// noteFailed remembers what could not be read, so that its mending is seen.
func (s *source) noteFailed(path string) {
	if info, err := os.Lstat(path); err == nil {
		s.note(path, stampOf(info))
	}
}

func readText(f *os.File, size int64) (string, error) {
	if size > maxFile {
		return "", fmt.Errorf("%s: larger than %d bytes", f.Name(), maxFile)
	}
	var b strings.Builder
	b.Grow(int(size))
	_, err := io.Copy(&b, io.LimitReader(f, maxFile))
	return b.String(), err
}
