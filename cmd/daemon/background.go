package daemon

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// child marks, in the environment, a process that Background started; its value is the
// descriptor on which it says that it is ready.
const child = "POSTRIDER_DAEMON"

// Background has this program go on as a daemon: a process in a session of its own. What
// it complains of at its start still comes to whoever started it, and so does its status,
// for the first process waits until the second is ready or gone.
//
// In the daemon itself, ready is to be called once, when nothing can go wrong any more; it
// gives up the terminal. In the process that was started, ready is nil and status is
// what it is to end with.
func Background() (ready func() error, status int, err error) {
	if text := os.Getenv(child); text != "" {
		fd, err := strconv.Atoi(text)
		if err != nil || fd < 3 {
			return nil, 1, fmt.Errorf("%s=%s in the environment is not of this program", child, text)
		}
		os.Unsetenv(child)
		unix.CloseOnExec(fd)
		return func() error { return settle(os.NewFile(uintptr(fd), "ready")) }, 0, nil
	}
	self, err := os.Executable()
	if err != nil {
		return nil, 1, err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, 1, err
	}
	defer r.Close()
	c := exec.Cmd{Path: self, Args: os.Args, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Env: append(os.Environ(), child+"=3"), ExtraFiles: []*os.File{w}, SysProcAttr: &syscall.SysProcAttr{Setsid: true}}
	err = c.Start()
	w.Close()
	if err != nil {
		return nil, 1, err
	}
	if _, err := io.ReadFull(r, make([]byte, 1)); err == nil {
		return nil, 0, c.Process.Release()
	}
	var exit *exec.ExitError
	switch err := c.Wait(); {
	case errors.As(err, &exit):
		return nil, max(exit.ExitCode(), 1), nil
	case err != nil:
		return nil, 1, err
	}
	return nil, 0, nil
}

// settle lets go of the terminal and then of the process that waits.
func settle(waiting *os.File) error {
	defer waiting.Close()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	for fd := range 3 {
		if err := unix.Dup3(int(null.Fd()), fd, 0); err != nil {
			return err
		}
	}
	_, err = waiting.Write([]byte{0})
	return err
}

// OwnGroup makes the process the leader of a process group, if it is none: who ends its
// group must not end who started it.
func OwnGroup() error {
	if unix.Getpgrp() == os.Getpid() {
		return nil
	}
	return unix.Setpgid(0, 0)
}

// Environment is env without what was assigned before, with each of set on top.
func Environment(env []string, set map[string]string) []string {
	out := make([]string, 0, len(env)+len(set))
	for _, e := range env {
		name, _, _ := strings.Cut(e, "=")
		if _, replaced := set[name]; !replaced {
			out = append(out, e)
		}
	}
	for name, value := range set {
		out = append(out, name+"="+value)
	}
	return out
}
