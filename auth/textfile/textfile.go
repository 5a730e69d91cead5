// Package textfile keeps what was made of some small text files, and makes it anew
// when one of them is another file or has changed.
//
// It owns the value of this moment. It knows no format.
package textfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"syscall"
	"time"
)

// grain is the age from which a file's time stamps tell it from a later state:
// some file systems count seconds.
const grain = 2 * time.Second

// Files is some files and what was made of them. It is safe for concurrent use.
type Files[T any] struct {
	paths []string
	limit int64
	parse func(texts []string) (T, error)

	mu      sync.Mutex
	value   T
	read    bool
	stamps  []stamp
	settled bool // a later change cannot have the same time stamps
}

// stamp tells one state of a file from another.
type stamp struct {
	dev, ino     uint64
	size         int64
	mtime, ctime syscall.Timespec
}

// New returns the files at paths, none of them read yet. parse gets their texts in
// the order of the paths; one longer than limit bytes is an error.
func New[T any](limit int64, parse func(texts []string) (T, error), paths ...string) *Files[T] {
	return &Files[T]{paths: paths, limit: limit, parse: parse}
}

// Get returns what the files of this moment are. After an error nothing is kept, so
// that the next call tries again.
func (f *Files[T]) Get() (T, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.read && f.fresh() {
		return f.value, nil
	}
	f.read = false
	value, err := f.load()
	if err != nil {
		return value, err
	}
	f.value, f.read = value, true
	return value, nil
}

func (f *Files[T]) fresh() bool {
	if !f.settled && time.Since(f.newest()) >= grain {
		return false
	}
	for i, path := range f.paths {
		info, err := os.Stat(path)
		if err != nil || stampOf(info) != f.stamps[i] {
			return false
		}
	}
	return true
}

func (f *Files[T]) newest() (t time.Time) {
	for _, s := range f.stamps {
		if c := time.Unix(s.ctime.Sec, s.ctime.Nsec); c.After(t) {
			t = c
		}
	}
	return t
}

func (f *Files[T]) load() (value T, err error) {
	now := time.Now()
	f.stamps = f.stamps[:0]
	var texts []string
	for _, path := range f.paths {
		text, s, err := read(path, f.limit)
		if err != nil {
			return value, err
		}
		texts, f.stamps = append(texts, text), append(f.stamps, s)
	}
	f.settled = now.Sub(f.newest()) >= grain
	return f.parse(texts)
}

func read(path string, limit int64) (string, stamp, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return "", stamp{}, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return "", stamp{}, err
	}
	if info.Mode()&fs.ModeType != 0 {
		return "", stamp{}, fmt.Errorf("%s: not a file", path)
	}
	text, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err == nil && int64(len(text)) > limit {
		err = errors.New(path + " is too large")
	}
	return string(text), stampOf(info), err
}

func stampOf(info fs.FileInfo) stamp {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return stamp{size: info.Size()}
	}
	return stamp{dev: uint64(st.Dev), ino: st.Ino, size: st.Size, mtime: st.Mtim, ctime: st.Ctim}
}
