package imaplogin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"postrider/auth"
)

const (
	// stuck is how long a client may take nothing.
	stuck = time.Minute
	// parting is what the next program gets to say goodbye in when we are to end.
	parting = 5 * time.Second
)

// beside starts the next program as a child and carries octets between it and the
// client until it ends. Nothing of root is left here by then.
func (d *door) beside(ctx context.Context, n next, id *auth.Identity) error {
	child, near, err := n.start()
	if err != nil {
		return d.refuse(id, err)
	}
	if err := d.stepDown(); err != nil {
		near.Close()
		child.Process.Kill()
		return d.refuse(id, errors.Join(err, child.Wait()))
	}
	var first []byte
	if d.conn.Buffered() > 0 {
		if first, err = d.conn.Fill(); err != nil {
			return err
		}
	}
	stop := context.AfterFunc(ctx, func() {
		child.Process.Signal(syscall.SIGTERM) // where we may: a process group gets it anyway
		time.AfterFunc(parting, func() { near.CloseWrite() })
	})
	defer stop()
	carry(d.conn.NetConn(), near, first)
	return child.Wait()
}

// start starts the program with a socket for its standard input and output, of which
// it returns our end.
func (n *next) start() (*exec.Cmd, *net.UnixConn, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	far, file := os.NewFile(uintptr(fds[0]), "imapd"), os.NewFile(uintptr(fds[1]), "imaplogin")
	defer far.Close()
	defer file.Close()
	c, err := net.FileConn(file)
	if err != nil {
		return nil, nil, err
	}
	near, ok := c.(*net.UnixConn)
	if !ok {
		return nil, nil, errors.New("a socket pair that is none")
	}
	cmd := &exec.Cmd{
		Path: n.path, Args: n.args, Env: n.env, Dir: n.who.home, Stdin: far, Stdout: far, Stderr: os.Stderr,
		SysProcAttr: &syscall.SysProcAttr{Credential: n.who.credential()},
	}
	if err := cmd.Start(); err != nil {
		near.Close()
		return nil, nil, err
	}
	return cmd, near, nil
}

// nobody is who carries octets where RUN_AS names nobody else.
const nobody = 65534

// stepDown gives up root. What has the key of the certificate in its memory must not be
// the account's either: another of its processes could read it.
func (d *door) stepDown() error {
	if os.Geteuid() != 0 {
		return nil
	}
	p, err := carrier(d.Config.User)
	if err == nil {
		err = p.check()
	}
	if err != nil {
		return fmt.Errorf("RUN_AS: %w", err)
	}
	return p.become()
}

// carrier is whom RUN_AS names: a user, or a number that stands for uid and gid.
func carrier(name string) (person, error) {
	if name == "" {
		return person{uid: nobody, gid: nobody, groups: []int{nobody}}, nil
	}
	if n, err := strconv.ParseUint(name, 10, 31); err == nil {
		return person{uid: int(n), gid: int(n), groups: []int{int(n)}}, nil
	}
	p := person{gid: auth.Unknown}
	err := p.lookup(name)
	return p, err
}

// carry copies octets both ways, those of first before all others, until the program
// has ended its side.
func carry(client net.Conn, program *net.UnixConn, first []byte) {
	client.SetDeadline(time.Time{}) // the login had one
	go func() {
		if _, err := program.Write(first); err == nil {
			io.Copy(program, client)
		}
		program.CloseWrite() // the client has gone: the program sees the end of its input
	}()
	io.Copy(patient{client}, program)
	if c, ok := client.(interface{ CloseWrite() error }); ok {
		c.CloseWrite()
	}
	client.Close()
	program.Close()
}

// patient is a client that is written to as long as it takes something.
type patient struct{ net.Conn }

// Write implements io.Writer.
func (p patient) Write(b []byte) (int, error) {
	if err := p.SetWriteDeadline(time.Now().Add(stuck)); err != nil {
		return 0, err
	}
	return p.Conn.Write(b)
}
