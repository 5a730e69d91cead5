package wire

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// NewPipe returns a connection over two files, such as standard input and output.
// It never makes them non-blocking: whoever started the process may share them. A
// read deadline is kept by polling the descriptor together with a pipe of its own,
// through which a deadline that is moved wakes the reader; write deadlines are not
// kept. Closing it leaves the files open.
func NewPipe(in, out *os.File) (net.Conn, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	return &pipeConn{in: in, out: out, inFd: int(in.Fd()), wakeR: r, wakeW: w, wakeFd: int(r.Fd())}, nil
}

type pipeConn struct {
	in, out      *os.File
	inFd, wakeFd int
	wakeR, wakeW *os.File

	mu       sync.Mutex
	deadline time.Time
	closed   bool
}

func (p *pipeConn) Read(b []byte) (int, error) {
	for {
		p.mu.Lock()
		deadline, closed := p.deadline, p.closed
		p.mu.Unlock()
		if closed {
			return 0, net.ErrClosed
		}
		wait := -1
		if !deadline.IsZero() {
			wait = int(min(max(time.Until(deadline), 0), time.Hour).Milliseconds())
			if wait == 0 && !deadline.After(time.Now()) {
				return 0, os.ErrDeadlineExceeded
			}
			wait++ // the rest of a millisecond
		}
		fds := []unix.PollFd{{Fd: int32(p.inFd), Events: unix.POLLIN}, {Fd: int32(p.wakeFd), Events: unix.POLLIN}}
		if _, err := unix.Poll(fds, wait); err != nil && !errors.Is(err, unix.EINTR) {
			return 0, os.NewSyscallError("poll", err)
		}
		if fds[1].Revents != 0 {
			var drain [16]byte
			p.wakeR.Read(drain[:])
			continue
		}
		if fds[0].Revents != 0 {
			return p.readNow(b)
		}
	}
}

func (p *pipeConn) readNow(b []byte) (int, error) {
	n, err := unix.Read(p.inFd, b)
	switch {
	case errors.Is(err, unix.EINTR), errors.Is(err, unix.EAGAIN):
		return 0, nil
	case err != nil:
		return 0, os.NewSyscallError("read", err)
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}

func (p *pipeConn) Write(b []byte) (int, error) { return p.out.Write(b) }

func (p *pipeConn) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return net.ErrClosed
	}
	p.closed = true
	return errors.Join(p.wakeW.Close(), p.wakeR.Close())
}

func (p *pipeConn) SetReadDeadline(t time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return net.ErrClosed
	}
	earlier := !t.IsZero() && (p.deadline.IsZero() || t.Before(p.deadline))
	p.deadline = t
	if earlier {
		_, err := p.wakeW.Write([]byte{0})
		return err
	}
	return nil
}

func (p *pipeConn) SetDeadline(t time.Time) error    { return p.SetReadDeadline(t) }
func (p *pipeConn) SetWriteDeadline(time.Time) error { return nil }
func (p *pipeConn) LocalAddr() net.Addr              { return pipeAddr{} }
func (p *pipeConn) RemoteAddr() net.Addr             { return pipeAddr{} }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "pipe" }
