// Package wiretest has what tests of a conversation need: a buffered connection in
// memory that keeps deadlines and works inside a testing/synctest bubble.
//
// It owns nothing that outlives a test and is linked into no program.
package wiretest

import (
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// Pair returns the two ends of a connection. Writes never wait: what was written
// is kept until it is read.
func Pair() (a, b net.Conn) {
	ab, ba := newStream(), newStream()
	return &end{r: ba, w: ab}, &end{r: ab, w: ba}
}

// stream is one direction.
type stream struct {
	mu       sync.Mutex
	cond     *sync.Cond
	buf      []byte
	closed   bool
	deadline time.Time
	timer    *time.Timer
}

func newStream() *stream {
	s := &stream{}
	s.cond = sync.NewCond(&s.mu)
	return s
}

func (s *stream) read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.buf) == 0 {
		if s.closed {
			return 0, io.EOF
		}
		if !s.deadline.IsZero() && !time.Now().Before(s.deadline) {
			return 0, os.ErrDeadlineExceeded
		}
		s.cond.Wait()
	}
	n := copy(p, s.buf)
	s.buf = s.buf[n:]
	return n, nil
}

func (s *stream) write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return 0, io.ErrClosedPipe
	}
	s.buf = append(s.buf, p...)
	s.cond.Broadcast()
	return len(p), nil
}

func (s *stream) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if s.timer != nil {
		s.timer.Stop()
	}
	s.cond.Broadcast()
}

func (s *stream) setDeadline(t time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deadline = t
	if s.timer != nil {
		s.timer.Stop()
		s.timer = nil
	}
	if !t.IsZero() && !s.closed {
		s.timer = time.AfterFunc(max(time.Until(t), 0), func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.cond.Broadcast()
		})
	}
	s.cond.Broadcast()
}

// end is one end of a pair.
type end struct{ r, w *stream }

func (e *end) Read(p []byte) (int, error)         { return e.r.read(p) }
func (e *end) Write(p []byte) (int, error)        { return e.w.write(p) }
func (e *end) SetDeadline(t time.Time) error      { e.r.setDeadline(t); return nil }
func (e *end) SetReadDeadline(t time.Time) error  { e.r.setDeadline(t); return nil }
func (e *end) SetWriteDeadline(t time.Time) error { return nil }
func (e *end) LocalAddr() net.Addr                { return addr{} }
func (e *end) RemoteAddr() net.Addr               { return addr{} }

func (e *end) Close() error {
	e.r.close()
	e.w.close()
	return nil
}

type addr struct{}

func (addr) Network() string { return "memory" }
func (addr) String() string  { return "memory" }
