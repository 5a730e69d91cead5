package front

import (
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	carrySize = 16 << 10 // a TLS record

	// carryTimeout is how long a write may wait for a side that takes nothing.
	carryTimeout = time.Minute
)

// pool lends the buffers for copying. Who waits holds none.
type pool struct{ buffers sync.Pool }

func (p *pool) take() *[carrySize]byte {
	if b, ok := p.buffers.Get().(*[carrySize]byte); ok {
		return b
	}
	return new([carrySize]byte)
}

// up copies from the client to the worker until one of them is gone.
func (p *pool) up(worker, client net.Conn) {
	var few [64]byte
	for {
		// The first octets of what comes have a place on the stack.
		n, err := client.Read(few[:])
		if n > 0 && write(worker, few[:n]) != nil {
			return
		}
		if err != nil {
			return
		}
		if n == len(few) && p.more(worker, client) != nil {
			return
		}
	}
}

// more copies while there is much.
func (p *pool) more(worker, client net.Conn) error {
	buf := p.take()
	defer p.buffers.Put(buf)
	for {
		n, err := client.Read(buf[:])
		if n > 0 {
			if err := write(worker, buf[:n]); err != nil {
				return err
			}
		}
		if err != nil || n < len(buf)/2 {
			return err
		}
	}
}

// down copies from the worker to the client until the worker ends, and tells whether
// what it wrote last ended a line. The error is the client's.
func (p *pool) down(client net.Conn, worker *net.UnixConn) (whole bool, err error) {
	raw, err := worker.SyscallConn()
	if err != nil {
		return false, err
	}
	whole = true
	for {
		buf, n := p.read(raw)
		if n > 0 {
			whole = buf[n-1] == '\n'
			err = write(client, buf[:n])
		}
		if buf != nil {
			p.buffers.Put(buf)
		}
		if n <= 0 || err != nil {
			return whole, err
		}
	}
}

// read waits for something to read, and takes a buffer when it is there. Without one
// the stream has ended.
func (p *pool) read(raw interface {
	Read(func(fd uintptr) bool) error
}) (buf *[carrySize]byte, n int) {
	err := raw.Read(func(fd uintptr) bool {
		buf = p.take()
		var err error
		for {
			if n, err = unix.Read(int(fd), buf[:]); !errors.Is(err, unix.EINTR) {
				break
			}
		}
		if errors.Is(err, unix.EAGAIN) {
			p.buffers.Put(buf)
			buf = nil
			return false
		}
		return true
	})
	if err != nil || n < 0 {
		return buf, 0
	}
	return buf, n
}

// write writes all of b to a side that must take it in time.
func write(to net.Conn, b []byte) error {
	if err := to.SetWriteDeadline(time.Now().Add(carryTimeout)); err != nil {
		return err
	}
	n, err := to.Write(b)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	return err
}
