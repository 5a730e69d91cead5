package daemon

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// PidFile is a daemon's own: as long as the process lives, it holds the lock. The kernel
// gives it back when the process ends, however that comes.
type PidFile struct {
	path string
	lock *os.File
}

func lockName(path string) string { return path + ".lock" }

func wholeFile(kind int16) *unix.Flock_t { return &unix.Flock_t{Type: kind} }

// Lock takes the lock of a pid file. held says that another process has it.
func Lock(path string) (p *PidFile, held bool, err error) {
	f, err := os.OpenFile(lockName(path), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, false, err
	}
	switch err := unix.FcntlFlock(f.Fd(), unix.F_SETLK, wholeFile(unix.F_WRLCK)); {
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EACCES):
		return nil, true, f.Close()
	case err != nil:
		return nil, false, errors.Join(fmt.Errorf("locking %s: %w", lockName(path), err), f.Close())
	}
	return &PidFile{path, f}, false, nil
}

// Write writes the pid of this process, in one step.
func (p *PidFile) Write() error {
	part := fmt.Sprintf("%s.%d", p.path, os.Getpid())
	if err := os.WriteFile(part, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o644); err != nil {
		return err
	}
	return os.Rename(part, p.path)
}

// Running is the pid of the daemon, 0 if none runs. The lock says so, for a pid in a
// file may be long dead, or another's by now; only where the kernel does not tell who has
// the lock, the file is asked.
func Running(path string) (int, error) {
	f, err := os.Open(lockName(path))
	switch {
	case errors.Is(err, os.ErrNotExist):
		return 0, nil
	case err != nil:
		return 0, err
	}
	defer f.Close()
	l := wholeFile(unix.F_WRLCK)
	if err := unix.FcntlFlock(f.Fd(), unix.F_GETLK, l); err != nil {
		return 0, fmt.Errorf("asking for the lock of %s: %w", lockName(path), err)
	}
	switch {
	case l.Type == unix.F_UNLCK:
		return 0, nil
	case l.Pid > 1:
		return int(l.Pid), nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || pid <= 1 {
		return 0, fmt.Errorf("%s: there is no pid in it", path)
	}
	return pid, nil
}

// Signal sends the daemon a signal; it does nothing if none runs.
func Signal(path string, s unix.Signal) error {
	pid, err := Running(path)
	if err != nil || pid == 0 {
		return err
	}
	if err := unix.Kill(pid, s); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("signal to process %d: %w", pid, err)
	}
	return nil
}

// Stop ends the daemon with SIGTERM, and with SIGKILL each time that patience has passed.
// It returns when the daemon's lock is free.
func Stop(path string, patience time.Duration) error {
	if pid, err := Running(path); err != nil || pid == 0 {
		return err
	}
	if err := Signal(path, unix.SIGTERM); err != nil {
		return err
	}
	f, err := os.OpenFile(lockName(path), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	free := make(chan error, 1)
	go func() { free <- unix.FcntlFlock(f.Fd(), unix.F_SETLKW, wholeFile(unix.F_WRLCK)) }()
	for {
		select {
		case err := <-free:
			return err
		case <-time.After(patience):
			if err := Signal(path, unix.SIGKILL); err != nil {
				return err
			}
		}
	}
}
