package couriertls

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"postrider/cmd/daemon"
)

// engineVariable marks the process that speaks TLS for a program; its value is the
// descriptors of the stream to the program and of the report.
const engineVariable = "POSTRIDER_TLS_ENGINE"

// report is what the engine tells once the handshake is done.
type report struct {
	Environment map[string]string
}

const (
	maxReport     = 256 << 10
	handshakeTime = 60 * time.Second
)

// isEngine takes the mark, and where the program and the report are, from the environment.
func (o *options) isEngine() bool {
	local, status, marked := strings.Cut(os.Getenv(engineVariable), ",")
	if !marked {
		return false
	}
	l, errL := strconv.Atoi(local)
	s, errS := strconv.Atoi(status)
	if errL != nil || errS != nil {
		return false
	}
	os.Unsetenv(engineVariable)
	o.local, o.status = l, s
	unix.CloseOnExec(l)
	unix.CloseOnExec(s)
	return true
}

// runProgram starts the engine, a process of its own that parts with our rights before it
// hears the client, waits for the handshake, and becomes the program: so that who started
// us watches the program, and the program keeps the rights it was given.
func (o *options) runProgram() error {
	if o.remote != 0 {
		return errors.New("a program can be started with -tcpd alone")
	}
	path, err := exec.LookPath(o.program[0])
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socketpair", err)
	}
	theirs := os.NewFile(uintptr(fds[1]), "engine")
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	c := exec.Cmd{Path: self, Args: os.Args, Stdin: os.Stdin, Stdout: os.Stderr, Stderr: os.Stderr,
		Env: append(os.Environ(), engineVariable+"=3,4"), ExtraFiles: []*os.File{theirs, w}}
	if err := c.Start(); err != nil {
		return err
	}
	theirs.Close()
	w.Close()
	told, err := readReport(r)
	if err != nil {
		_ = c.Wait()
		return errTold
	}
	r.Close()
	for fd := range 2 {
		if err := unix.Dup3(fds[0], fd, 0); err != nil {
			return err
		}
	}
	unix.Close(fds[0])
	env := daemon.Environment(withoutTLS(os.Environ()), told.Environment)
	return fmt.Errorf("%s: %w", path, syscall.Exec(path, o.program, env))
}

// readReport waits for the engine; an end without a report is a failure that it told.
func readReport(r io.Reader) (*report, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxReport))
	if err != nil {
		return nil, err
	}
	told := new(report)
	if err := json.Unmarshal(text, told); err != nil {
		return nil, err
	}
	for name := range told.Environment { // the engine is not trusted with more
		if !isOurs(name) {
			delete(told.Environment, name)
		}
	}
	return told, nil
}

// withoutTLS is the environment without what only we may say.
func withoutTLS(env []string) []string {
	var out []string
	for _, e := range env {
		if name, _, _ := strings.Cut(e, "="); !isOurs(name) {
			out = append(out, e)
		}
	}
	return out
}

func isOurs(name string) bool {
	return strings.HasPrefix(name, "TLS_SUBJECT_") || name == "TLS_CONNECTED_PROTOCOL"
}

// errTold is a failure that the engine logged.
var errTold = errors.New("told already")
