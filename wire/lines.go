package wire

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Lines is a connection of which no more is read than was asked for line by line: each
// Read ends with the line at the latest, and what comes after it stays with the
// kernel. Whoever gets the descriptor after a command finds everything that followed
// the command.
type Lines struct {
	net.Conn
	raw syscall.RawConn // nil: no socket, so octet by octet
	off bool
}

// NewLines returns c read by lines.
func NewLines(c net.Conn) *Lines {
	l := &Lines{Conn: c}
	if s, ok := c.(syscall.Conn); ok {
		if raw, err := s.SyscallConn(); err == nil {
			l.raw = raw
		}
	}
	return l
}

// Off ends the reading by lines, for what is read from now on is no text. It belongs
// to the goroutine that reads.
func (l *Lines) Off() { l.off = true }

// Read implements net.Conn.
func (l *Lines) Read(p []byte) (int, error) {
	switch {
	case l.off || len(p) == 0:
		return l.Conn.Read(p)
	case l.raw == nil:
		return l.Conn.Read(p[:1])
	}
	var n int
	var failure error
	err := l.raw.Read(func(fd uintptr) bool {
		n, failure = readLine(int(fd), p)
		return !errors.Is(failure, unix.EAGAIN)
	})
	switch {
	case err != nil:
		return 0, err
	case failure != nil:
		return 0, os.NewSyscallError("read", failure)
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}

// readLine reads from a socket up to the end of a line, or what is there.
func readLine(fd int, p []byte) (int, error) {
	n, err := retry(func() (int, error) {
		n, _, err := unix.Recvfrom(fd, p, unix.MSG_PEEK)
		return n, err
	})
	if n <= 0 || err != nil {
		return 0, err
	}
	if i := bytes.IndexByte(p[:n], '\n'); i >= 0 {
		n = i + 1
	}
	return retry(func() (int, error) { return unix.Read(fd, p[:n]) })
}

func retry(f func() (int, error)) (int, error) {
	for {
		n, err := f()
		if !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}
