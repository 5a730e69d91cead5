package index

import (
	"fmt"
	"sync"

	"postrider/vfs"
)

// syncer groups the fsyncs of a journal: one runs, the others wait for it and share
// the next. A new journal file begins a new epoch; what was in the old one is then
// durable in the new.
type syncer struct {
	mu      sync.Mutex
	file    vfs.File
	epoch   int
	written int64
	durable int64
	running chan struct{} // closed when the fsync that runs has ended; nil: none
	failed  error
}

// reset begins an epoch with a file that is durable up to pos. The fsync that may
// run on the old file has ended when it returns.
func (s *syncer) reset(f vfs.File, pos int64) {
	s.settle()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.epoch++
	s.file, s.written, s.durable, s.failed = f, pos, pos, nil
}

// settle waits until no fsync runs. The caller lets no new one begin.
func (s *syncer) settle() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.running != nil {
		s.await()
	}
}

// await waits, with the lock given back meanwhile, for the fsync that runs.
func (s *syncer) await() {
	ended := s.running
	s.mu.Unlock()
	<-ended
	s.mu.Lock()
}

// rest lets go of the file, if nothing of it is left to sync; it says whether it did.
func (s *syncer) rest(fsync bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running != nil || s.failed != nil || fsync && s.durable < s.written {
		return false
	}
	s.file = nil
	return true
}

// woke has the file open again.
func (s *syncer) woke(f vfs.File) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.file = f
}

func (s *syncer) wrote(pos int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.written = pos
}

func (s *syncer) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed
}

// fail has the epoch take nothing more.
func (s *syncer) fail(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed = fmt.Errorf("%w: %w", ErrSyncFailed, err)
	return s.failed
}

func (s *syncer) position() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.durable
}

// wait returns once the file is durable up to a position. One beyond the end was
// given by an earlier file: it means all of this one.
func (s *syncer) wait(upTo int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	upTo = min(upTo, s.written)
	for epoch := s.epoch; s.epoch == epoch && s.durable < upTo; {
		if s.failed != nil {
			return s.failed
		}
		if s.running != nil {
			s.await()
			continue
		}
		s.lead()
	}
	return nil
}

// lead runs one fsync, with the lock given back meanwhile.
func (s *syncer) lead() {
	ended := make(chan struct{})
	s.running = ended
	target, file := s.written, s.file
	s.mu.Unlock()
	err := file.Sync()
	s.mu.Lock()
	s.running = nil
	close(ended)
	if err != nil {
		s.failed = fmt.Errorf("%w: %w", ErrSyncFailed, err)
		return
	}
	s.durable = max(s.durable, target)
}
