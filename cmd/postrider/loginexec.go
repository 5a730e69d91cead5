package main

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
)

// loginExec runs the program loginexec of the Maildir that is the current directory, if
// it is there and ours, with the client on its standard input and output. One that ends
// well has done its work for good, and is removed.
func loginExec(ctx context.Context) error {
	const name = "loginexec"
	info, err := os.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.Mode().IsRegular() || info.Mode()&0o100 == 0 || int(st.Uid) != os.Geteuid() {
		return nil
	}
	c := exec.CommandContext(ctx, "./"+name)
	c.Args[0] = name
	c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := c.Run(); err != nil {
		return err
	}
	return os.Remove(name)
}

// openDebugFile opens the file of the Maildir that IMAPDEBUGFILE names, nil if it is
// not there: whoever wants it makes it.
func openDebugFile(name string) *os.File {
	if name == "" || name != filepath.Base(name) {
		return nil
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		f.Close()
		return nil
	}
	return f
}

// overheard is a connection of which everything is written down.
type overheard struct {
	net.Conn
	mu  sync.Mutex
	log *os.File
}

func (o *overheard) Read(p []byte) (int, error) {
	n, err := o.Conn.Read(p)
	o.note("READ: ", p[:n])
	return n, err
}

func (o *overheard) Write(p []byte) (int, error) {
	n, err := o.Conn.Write(p)
	o.note("WRITE: ", p[:n])
	return n, err
}

// note writes down one piece. A log that is full is no reason to end a session.
func (o *overheard) note(what string, p []byte) {
	if len(p) == 0 {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.log.WriteString(what)
	o.log.Write(p)
}
