package wire_test

import (
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"postrider/wire"
)

// ends is a stream socket as descriptor of a process that was given it, and the client's
// side.
func ends(t *testing.T) (ours *os.File, client net.Conn) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	ours = os.NewFile(uintptr(fds[0]), "ours")
	far := os.NewFile(uintptr(fds[1]), "client")
	defer far.Close()
	if client, err = net.FileConn(far); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ours.Close(); client.Close() })
	return ours, client
}

// TestLines: a line is read to its end and not beyond, and the rest is there for whom
// gets the descriptor.
func TestLines(t *testing.T) {
	pipeIn, pipeOut, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	socket, client := ends(t)
	for name, c := range map[string]struct {
		in  *os.File
		out io.WriteCloser
	}{"socket": {socket, client}, "pipe": {pipeIn, pipeOut}} {
		t.Run(name, func(t *testing.T) {
			stream, restore, err := wire.Standard(c.in, c.in)
			if err != nil {
				t.Fatal(err)
			}
			conn := wire.NewConn(wire.NewLines(stream), new(wire.Buffers))
			long := strings.Repeat("x", 5000)
			io.WriteString(c.out, long+" {5}\r\nab\r\nc\r\nrest\x00 of it\n")
			var got string
			for strings.Count(got, "\n") < 3 {
				b, err := conn.Fill()
				if err != nil {
					t.Fatal(err)
				}
				got += string(b)
				conn.Skip(len(b))
			}
			if wanted := long + " {5}\r\nab\r\nc\r\n"; got != wanted {
				t.Errorf("read %d octets that end in %q", len(got), got[max(0, len(got)-20):])
			}
			if err := restore(); err != nil {
				t.Fatal(err)
			}
			if err := conn.Close(); err != nil {
				t.Fatal(err)
			}
			c.out.Close()
			rest, err := io.ReadAll(c.in)
			if err != nil || string(rest) != "rest\x00 of it\n" {
				t.Errorf("left is %q, %v", rest, err)
			}
		})
	}
}

// TestLinesWait: deadlines and the end of the stream are what they are without lines,
// and Off ends the care.
func TestLinesWait(t *testing.T) {
	socket, client := ends(t)
	stream, restore, err := wire.Standard(socket, socket)
	if err != nil {
		t.Fatal(err)
	}
	defer restore()
	lines := wire.NewLines(stream)
	var b [100]byte
	lines.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	if _, err := lines.Read(b[:]); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("after the deadline comes %v", err)
	}
	lines.SetReadDeadline(time.Time{})
	io.WriteString(client, "no end")
	if n, err := lines.Read(b[:]); string(b[:n]) != "no end" || err != nil {
		t.Errorf("read %q, %v", b[:n], err)
	}
	lines.Off()
	io.WriteString(client, "a\nb\n")
	if n, err := lines.Read(b[:]); string(b[:n]) != "a\nb\n" || err != nil {
		t.Errorf("read %q, %v", b[:n], err)
	}
	client.Close()
	if _, err := wire.NewLines(stream).Read(b[:]); err != io.EOF {
		t.Errorf("at the end comes %v", err)
	}
}

// TestStandard: one socket keeps deadlines of writes, too, and gets its mode back; two
// files are a pipe.
func TestStandard(t *testing.T) {
	socket, client := ends(t)
	blocking := func() bool {
		flags, err := unix.FcntlInt(socket.Fd(), unix.F_GETFL, 0)
		if err != nil {
			t.Fatal(err)
		}
		return flags&unix.O_NONBLOCK == 0
	}
	if err := unix.SetNonblock(int(socket.Fd()), false); err != nil {
		t.Fatal(err)
	}
	stream, restore, err := wire.Standard(socket, socket)
	if err != nil {
		t.Fatal(err)
	}
	stream.SetWriteDeadline(time.Now().Add(10 * time.Millisecond))
	if _, err := stream.Write(make([]byte, 8<<20)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("to a client that takes nothing: %v", err)
	}
	if err := errors.Join(restore(), stream.Close()); err != nil || !blocking() {
		t.Errorf("%v; blocking: %v", err, blocking())
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	stream, restore, err = wire.Standard(r, w)
	if err != nil || stream.RemoteAddr().Network() != "pipe" || restore() != nil {
		t.Errorf("of two files: %v, %v", stream.RemoteAddr(), err)
	}
	stream.Close()
	client.Close()
}
