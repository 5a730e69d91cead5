package wire

import (
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// Standard returns a connection over standard input and output, for a process that
// owns them, as one that couriertcpd started does. Where both are one socket, it has
// all that a socket has, and the socket does not block until restore is called; else
// it is what NewPipe returns. Closing it leaves the files open. Whoever hands the
// files to another program calls restore before.
func Standard(in, out *os.File) (c net.Conn, restore func() error, err error) {
	if !oneSocket(in, out) {
		c, err = NewPipe(in, out)
		return c, func() error { return nil }, err
	}
	fd := int(in.Fd())
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("fcntl", err)
	}
	c, err = net.FileConn(in)
	if err != nil {
		return nil, nil, err
	}
	return c, func() error { return unix.SetNonblock(fd, flags&unix.O_NONBLOCK != 0) }, nil
}

// oneSocket reports whether two files are the same stream socket.
func oneSocket(a, b *os.File) bool {
	var sa, sb unix.Stat_t
	if unix.Fstat(int(a.Fd()), &sa) != nil || unix.Fstat(int(b.Fd()), &sb) != nil {
		return false
	}
	if sa.Mode&unix.S_IFMT != unix.S_IFSOCK || sa.Dev != sb.Dev || sa.Ino != sb.Ino {
		return false
	}
	kind, err := unix.GetsockoptInt(int(a.Fd()), unix.SOL_SOCKET, unix.SO_TYPE)
	return err == nil && kind == unix.SOCK_STREAM
}
