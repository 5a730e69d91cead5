package privilege

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// Spec says what to start.
type Spec struct {
	Program string
	Args    []string // with the name of the program
	Env     []string
	Dir     string // to work in; "" is /
	// Files become descriptors 3, 4, ... of the process. Standard input is /dev/null.
	Files []*os.File
	// Output is standard output and standard error.
	Output *os.File
	// As is whom the process belongs to from its first instruction on; nil: whom this
	// one belongs to.
	As *syscall.Credential
	// MayGain leaves it the chance to become more by running programs that can.
	MayGain bool
}

// Start starts a process in a process group of its own. The files stay the caller's.
func Start(s Spec) (*os.Process, error) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		return nil, err
	}
	defer null.Close()
	fds, release, err := descriptors(append([]*os.File{null, s.Output, s.Output}, s.Files...))
	if err != nil {
		return nil, err
	}
	defer release()
	attr := &syscall.ProcAttr{Dir: cmp.Or(s.Dir, "/"), Env: s.Env, Files: fds, Sys: &syscall.SysProcAttr{Setpgid: true, Credential: s.As}}
	type started struct {
		pid int
		err error
	}
	done := make(chan started)
	go func() {
		// What is set here holds for this thread and what it starts. The thread is
		// never used for anything else: it ends with the goroutine.
		runtime.LockOSThread()
		var r started
		if !s.MayGain {
			r.err = unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
		}
		if r.err == nil {
			r.pid, r.err = syscall.ForkExec(s.Program, s.Args, attr)
		}
		done <- r
	}()
	r := <-done
	if r.err != nil {
		return nil, fmt.Errorf("starting %s: %w", s.Program, r.err)
	}
	return os.FindProcess(r.pid)
}

// descriptors are those of files, as they are: asking a file for its descriptor by Fd
// would make it one that blocks, for whoever shares it.
func descriptors(files []*os.File) (fds []uintptr, release func(), err error) {
	release = func() {
		for _, fd := range fds {
			unix.Close(int(fd))
		}
	}
	for _, f := range files {
		raw, err := f.SyscallConn()
		if err != nil {
			release()
			return nil, nil, err
		}
		var dup int
		var failure error
		err = raw.Control(func(fd uintptr) { dup, failure = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 3) })
		if err := errors.Join(err, failure); err != nil {
			release()
			return nil, nil, err
		}
		fds = append(fds, uintptr(dup))
	}
	return fds, release, nil
}

// Inherited opens descriptor 3+i, which whoever started this process gave it.
func Inherited(i int) (*os.File, error) {
	fd := 3 + i
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil {
		return nil, fmt.Errorf("descriptor %d: this program is started by postrider serve: %w", fd, err)
	}
	unix.CloseOnExec(fd)
	return os.NewFile(uintptr(fd), "inherited"), nil
}

// CopyLines copies r to w line by line, so that lines of several processes do not mix.
// Lines are cut after max octets. It returns when r ends.
func CopyLines(w io.Writer, r io.Reader, max int) {
	buf := make([]byte, 0, max+1)
	in := make([]byte, 4096)
	for {
		n, err := r.Read(in)
		for _, b := range in[:n] {
			if b == '\n' || len(buf) == max {
				w.Write(append(buf, '\n')) // a log that cannot be written has nowhere to say so
				buf = buf[:0]
			}
			if b != '\n' {
				buf = append(buf, b)
			}
		}
		if err != nil {
			if len(buf) > 0 {
				w.Write(append(buf, '\n'))
			}
			return
		}
	}
}
