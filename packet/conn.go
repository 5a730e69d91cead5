package packet

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// MaxMessage bounds a message, in octets.
	MaxMessage = 64 << 10
	// MaxFiles bounds the descriptors beside one message.
	MaxFiles = 16
)

// ErrTooLarge says that a message or its descriptors are beyond the bounds.
var ErrTooLarge = errors.New("the message is too large")

// Conn is one end of a pair. Any number of goroutines may send; one receives.
type Conn struct {
	conn *net.UnixConn
	send sync.Mutex
}

// Pair returns the two ends of a new pair, for two processes: each is given to one and
// opened there by New.
func Pair() (a, b *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	return os.NewFile(uintptr(fds[0]), "packet"), os.NewFile(uintptr(fds[1]), "packet"), nil
}

// New returns a connection over an end of a pair. It takes the file: that is closed,
// whether there is an error or not.
func New(f *os.File) (*Conn, error) {
	defer f.Close()
	c, err := net.FileConn(f)
	if err != nil {
		return nil, fmt.Errorf("a socket for messages: %w", err)
	}
	u, ok := c.(*net.UnixConn)
	if !ok || u.LocalAddr().Network() != "unixpacket" {
		c.Close()
		return nil, errors.New("the descriptor is no socket for messages")
	}
	return &Conn{conn: u}, nil
}

// Send sends a message and descriptors, which stay the caller's. It waits while the
// other side takes none.
func (c *Conn) Send(m []byte, files ...*os.File) error {
	if len(m) == 0 || len(m) > MaxMessage || len(files) > MaxFiles {
		return ErrTooLarge
	}
	fds := make([]int, len(files))
	for i, f := range files {
		raw, err := f.SyscallConn()
		if err != nil {
			return err
		}
		if err := raw.Control(func(fd uintptr) { fds[i] = int(fd) }); err != nil {
			return err
		}
	}
	var beside []byte
	if len(fds) > 0 {
		beside = unix.UnixRights(fds...)
	}
	c.send.Lock()
	defer c.send.Unlock()
	_, _, err := c.conn.WriteMsgUnix(m, beside, nil)
	return err
}

// Receive waits for a message. It is in buf, which must have MaxMessage octets, and
// valid until the next call. The files are the caller's. The error is io.EOF when the
// other side is gone.
func (c *Conn) Receive(buf []byte) ([]byte, []*os.File, error) {
	beside := make([]byte, unix.CmsgSpace(MaxFiles*4))
	n, oobn, flags, _, err := c.conn.ReadMsgUnix(buf[:MaxMessage], beside)
	if err != nil {
		if errors.Is(err, unix.ECONNRESET) {
			err = io.EOF
		}
		return nil, nil, err
	}
	files, err := received(beside[:oobn])
	switch {
	case err == nil && n == 0 && len(files) == 0:
		return nil, nil, io.EOF
	case err == nil && flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0:
		err = ErrTooLarge
	}
	if err != nil {
		CloseAll(files)
		return nil, nil, err
	}
	return buf[:n], files, nil
}

// received opens the descriptors that came beside a message.
func received(beside []byte) (files []*os.File, err error) {
	if len(beside) == 0 {
		return nil, nil
	}
	parts, err := unix.ParseSocketControlMessage(beside)
	if err != nil {
		return nil, os.NewSyscallError("recvmsg", err)
	}
	for _, part := range parts {
		fds, err := unix.ParseUnixRights(&part)
		if err != nil {
			continue // no descriptors
		}
		for _, fd := range fds {
			files = append(files, os.NewFile(uintptr(fd), "received"))
		}
	}
	return files, nil
}

// CloseAll closes files that nobody wants.
func CloseAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}

// SetReadDeadline bounds how long Receive waits.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.conn.SetReadDeadline(t) }

// SetWriteDeadline bounds how long Send waits.
func (c *Conn) SetWriteDeadline(t time.Time) error { return c.conn.SetWriteDeadline(t) }

// Close closes the socket; who receives gets an error.
func (c *Conn) Close() error { return c.conn.Close() }
