package couriertcpd

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// children are the programs that run. They are waited for by one goroutine, not by one
// for each, which would cost a thread.
type children struct {
	mu   sync.Mutex
	ends map[int]func() // by pid, what is to be done when it has ended
}

func newChildren() *children { return &children{ends: make(map[int]func())} }

// start runs a program, which SIGTERM to our process group does not reach if it has a
// group of its own. ended is called, once, when the program has ended; not if start
// fails. The lock is held meanwhile, so that no program ends before it is known.
func (c *children) start(path string, args, env []string, files [3]uintptr, ownGroup bool, ended func()) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	pid, err := syscall.ForkExec(path, args, &syscall.ProcAttr{Env: env, Files: files[:], Sys: &syscall.SysProcAttr{Setpgid: ownGroup}})
	if err != nil {
		return 0, fmt.Errorf("%s: %w", path, err)
	}
	c.ends[pid] = ended
	return pid, nil
}

// reap settles all that have ended by now.
func (c *children) reap() {
	for {
		var status unix.WaitStatus
		c.mu.Lock()
		pid, err := unix.Wait4(-1, &status, unix.WNOHANG, nil)
		ended := c.ends[pid]
		delete(c.ends, pid)
		c.mu.Unlock()
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil || pid <= 0:
			return
		case ended != nil:
			ended()
		}
	}
}

// stderr is where the programs, and we, complain.
type stderr struct {
	file   *os.File
	socket bool // the connection itself

	logger     string   // a program that reads a pipe
	loggerName string   // its argument
	pipe       *os.File // kept open, so that a logger that is started anew finds what was written
}

// openStderr opens it as the command line says.
func (o *Options) openStderr() (*stderr, error) {
	s := &stderr{file: os.Stderr}
	switch {
	case o.Logger != "":
		path, err := exec.LookPath(o.Logger)
		if err != nil {
			return nil, err
		}
		r, w, err := os.Pipe()
		if err != nil {
			return nil, err
		}
		s.logger, s.pipe, s.file, s.loggerName = path, r, w, o.LoggerName
		if s.loggerName == "" {
			s.loggerName = filepath.Base(o.Program[0])
		}
	case o.Stderr == "socket":
		s.socket = true
	case o.Stderr != "":
		f, err := os.OpenFile(o.Stderr, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o660)
		if err != nil {
			return nil, err
		}
		s.file = f
	}
	return s, nil
}

// startLogger starts the one logger, and another when it ends. It outlives us until it has
// read what the last program wrote.
func (s *stderr) startLogger(c *children) error {
	if s.logger == "" {
		return nil
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	_, err = c.start(s.logger, []string{s.logger, s.loggerName}, os.Environ(), [3]uintptr{s.pipe.Fd(), null.Fd(), null.Fd()}, true, func() {
		time.AfterFunc(time.Second, func() {
			if err := s.startLogger(c); err != nil {
				fmt.Fprintln(os.Stderr, "ERR:", err)
			}
		})
	})
	return err
}
