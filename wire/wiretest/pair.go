// Package wiretest has what tests of a conversation need: a buffered connection in
// memory that keeps deadlines and works inside a testing/synctest bubble.
//
// It owns nothing that outlives a test and is linked into no program.
package wiretest

import (
	"io"
	"math"
	"net"
	"os"
	"sync"
	"time"
)

// Pair returns the two ends of a connection. Writes never wait: what was written
// is kept until it is read.
func Pair() (a, b net.Conn) { return Bounded(math.MaxInt) }

// Bounded is Pair, but a write waits while n octets are kept that nobody has read.
func Bounded(n int) (a, b net.Conn) {
	ab, ba := newStream(n), newStream(n)
	return &end{r: ba, w: ab}, &end{r: ab, w: ba}
}

// stream is one direction.
type stream struct {
	mu          sync.Mutex
	cond        *sync.Cond
	buf         []byte
	limit       int
	closed      bool
	read, write deadline
}

func newStream(limit int) *stream {
	s := &stream{limit: limit}
	s.cond = sync.NewCond(&s.mu)
	return s
}

// deadline has a timer that wakes who waits when it passes.
type deadline struct {
	at    time.Time
	timer *time.Timer
}

func (d *deadline) passed() bool { return !d.at.IsZero() && !time.Now().Before(d.at) }

func (d *deadline) stop() {
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
}

func (s *stream) get(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.buf) == 0 {
		if s.closed {
			return 0, io.EOF
		}
		if s.read.passed() {
			return 0, os.ErrDeadlineExceeded
		}
		s.cond.Wait()
	}
	n := copy(p, s.buf)
	s.buf = s.buf[n:]
	s.cond.Broadcast()
	return n, nil
}

func (s *stream) put(p []byte) (total int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		if s.closed {
			return total, io.ErrClosedPipe
		}
		if s.write.passed() {
			return total, os.ErrDeadlineExceeded
		}
		n := min(len(p), s.limit-len(s.buf))
		s.buf = append(s.buf, p[:n]...)
		p, total = p[n:], total+n
		s.cond.Broadcast()
		if len(p) == 0 {
			return total, nil
		}
		s.cond.Wait()
	}
}

func (s *stream) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.read.stop()
	s.write.stop()
	s.cond.Broadcast()
}

// set moves one of the stream's deadlines.
func (s *stream) set(d *deadline, t time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	d.stop()
	d.at = t
	if !t.IsZero() && !s.closed {
		d.timer = time.AfterFunc(max(time.Until(t), 0), func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.cond.Broadcast()
		})
	}
	s.cond.Broadcast()
}

// end is one end of a pair.
type end struct{ r, w *stream }

func (e *end) Read(p []byte) (int, error)         { return e.r.get(p) }
func (e *end) Write(p []byte) (int, error)        { return e.w.put(p) }
func (e *end) SetReadDeadline(t time.Time) error  { e.r.set(&e.r.read, t); return nil }
func (e *end) SetWriteDeadline(t time.Time) error { e.w.set(&e.w.write, t); return nil }
func (e *end) LocalAddr() net.Addr                { return addr{} }
func (e *end) RemoteAddr() net.Addr               { return addr{} }

func (e *end) SetDeadline(t time.Time) error {
	e.r.set(&e.r.read, t)
	e.w.set(&e.w.write, t)
	return nil
}

func (e *end) Close() error {
	e.r.close()
	e.w.close()
	return nil
}

type addr struct{}

func (addr) Network() string { return "memory" }
func (addr) String() string  { return "memory" }
