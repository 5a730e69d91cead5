package rcfile

import (
	"io"
	"log/slog"
	"os"
	"sync"
	"time"
)

const (
	// lookEvery is how often the file is looked at, at most.
	lookEvery = time.Second
	// grace is how long what is replaced may still be used by who took it before.
	grace = time.Minute
)

// Source is what was made of a settings file, made anew when the file changes. It may
// be used by any number of goroutines.
type Source[T io.Closer] struct {
	path string
	make func(Values) (T, error)
	log  *slog.Logger

	mu     sync.Mutex
	now    T
	stamp  stamp
	looked time.Time
}

// stamp tells whether a file is the same.
type stamp struct {
	size  int64
	mtime time.Time
}

// Open reads the file at path and makes of it what is to be kept current.
func Open[T io.Closer](path string, make func(Values) (T, error), log *slog.Logger) (*Source[T], error) {
	s := &Source[T]{path: path, make: make, log: log, stamp: stampOf(path), looked: time.Now()}
	v, err := Read(path)
	if err != nil {
		return nil, err
	}
	s.now, err = make(v)
	return s, err
}

func stampOf(path string) stamp {
	info, err := os.Stat(path)
	if err != nil {
		return stamp{}
	}
	return stamp{info.Size(), info.ModTime()}
}

// Get is what the file says now. It can be used for a minute at least.
func (s *Source[T]) Get() T {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.looked) < lookEvery {
		return s.now
	}
	s.looked = time.Now()
	if st := stampOf(s.path); st != s.stamp {
		s.stamp = st
		s.renew()
	}
	return s.now
}

func (s *Source[T]) renew() {
	v, err := Read(s.path)
	var next T
	if err == nil {
		next, err = s.make(v)
	}
	if err != nil {
		s.log.Error("the settings of accounts changed and cannot be read: the old ones stay", "path", s.path, "err", err)
		return
	}
	old := s.now
	s.now = next
	time.AfterFunc(grace, func() { old.Close() })
	s.log.Info("the settings of accounts were read anew", "path", s.path)
}
