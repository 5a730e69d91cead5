package couriertcpd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"postrider/cmd/daemon"
)

// Main runs the command and returns its status. name is what it is called in messages.
func Main(name string, args []string) int {
	o, err := parseOptions(args)
	var wrong *daemon.OptionError
	switch {
	case errors.Is(err, errUsage):
		fmt.Fprintf(os.Stderr, "Usage: %s [options] port prog arg1 arg2...\n", name)
		return 1
	case errors.As(err, &wrong) && errors.Is(err, daemon.ErrUnknown):
		fmt.Fprintf(os.Stderr, "%s: Invalid option: %s\n", name, wrong.Word)
		return 1
	case err != nil:
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		return 1
	case o.Stop:
		err = daemon.Stop(o.Pid, 10*time.Second)
	case o.Restart:
		err = daemon.Signal(o.Pid, unix.SIGHUP)
	default:
		return o.daemon(name)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// daemon serves, in the background if there is a pid file.
func (o *Options) daemon(name string) int {
	complain := func(err error) int {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		return 1
	}
	ready := func() error { return nil }
	if o.Pid != "" {
		var status int
		var err error
		if ready, status, err = daemon.Background(); err != nil {
			return complain(err)
		}
		if ready == nil {
			return status
		}
		pid, held, err := daemon.Lock(o.Pid)
		if err != nil {
			return complain(err)
		}
		if held { // as Courier's: it runs, and that is what was asked for
			return 0
		}
		if err := pid.Write(); err != nil {
			return complain(err)
		}
	}
	s, err := o.open()
	if err != nil {
		return complain(err)
	}
	if err := ready(); err != nil {
		return complain(err)
	}
	s.serve()
	return 0
}

// server is a running couriertcpd.
type server struct {
	options   *Options
	program   string // the path of what is run
	environ   []string
	listeners []listener
	resolver  *net.Resolver
	rules     atomic.Pointer[rules] // nil: everybody may come
	count     *count
	children  *children
	stderr    *stderr
	places    chan struct{}
	refusing  chan struct{} // a place for each connection that is being refused
}

// open does what may fail: it binds, becomes the user, and reads the rules.
func (o *Options) open() (*server, error) {
	program, err := exec.LookPath(o.Program[0])
	if err != nil {
		return nil, err
	}
	who, err := daemon.Identify(o.User, o.Group)
	if err != nil {
		return nil, err
	}
	if err := daemon.OwnGroup(); err != nil {
		return nil, fmt.Errorf("setpgid: %w", err)
	}
	s := &server{options: o, program: program, environ: inherited(os.Environ()), resolver: newResolver(o.Resolver),
		children: newChildren(), places: make(chan struct{}, o.MaxProcs), refusing: make(chan struct{}, refusals)}
	s.count = newCount(o, s.log)
	if s.listeners, err = o.listenAll(context.Background()); err != nil {
		return nil, err
	}
	if err := who.Become(); err != nil {
		return nil, err
	}
	if s.stderr, err = o.openStderr(); err != nil {
		return nil, err
	}
	if err := s.stderr.startLogger(s.children); err != nil {
		return nil, err
	}
	if err := s.readRules(); err != nil {
		return nil, err
	}
	return s, nil
}

// readRules reads the access file. One that is not there lets everybody in, as Courier
// has it, and says so. One that is there and cannot be read is an error: its denials
// must not vanish without a word.
func (s *server) readRules() error {
	if s.options.Access == "" {
		return nil
	}
	r, read, notes, err := readAccess(s.options.Access)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		s.say(s.options.Access + ": No such file or directory")
		s.rules.Store(nil)
		return nil
	case err != nil:
		return err
	}
	if read != s.options.Access {
		s.log("INFO: " + read + " is read, the source of " + s.options.Access)
	}
	for _, n := range notes {
		s.say("WARN: " + n.Error() + "; this line is passed over")
	}
	s.rules.Store(r)
	return nil
}

// say tells the log, and whoever started us while there is somebody.
func (s *server) say(line string) {
	s.log(line)
	if s.stderr.file != os.Stderr {
		fmt.Fprintln(os.Stderr, line)
	}
}

// log writes one line in one step, in Courier's form, to everybody's standard error.
func (s *server) log(line string) {
	var to io.Writer = s.stderr.file
	fmt.Fprint(to, line+"\n")
}

// serve accepts until a signal ends the process.
func (s *server) serve() {
	signals := make(chan os.Signal, 16)
	signal.Reset(unix.SIGTERM, unix.SIGINT, unix.SIGHUP)
	signal.Notify(signals, unix.SIGTERM, unix.SIGINT, unix.SIGHUP)
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, unix.SIGCHLD)
	s.children.reap() // one may have ended before
	for _, l := range s.listeners {
		go s.accept(l)
	}
	for {
		select {
		case <-ended:
			s.children.reap()
		case got := <-signals:
			if got != unix.SIGHUP {
				for _, l := range s.listeners {
					l.Close()
				}
				unix.Kill(0, unix.SIGTERM) // every session of ours; we ourselves are past it
				return
			}
			if err := s.readRules(); err != nil {
				s.log("ERR: " + err.Error() + "; the rules stay as they were")
			}
		}
	}
}

// accept takes connections, each when there is a place for it: one beyond the limit waits
// here, the next ones in the kernel.
func (s *server) accept(l listener) {
	pause := time.Duration(0)
	for {
		conn, err := l.AcceptTCP()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			s.log(fmt.Sprintf("ERR: accept: %v; trying again in %v", err, pause))
			time.Sleep(pause)
			continue
		}
		pause = 0
		s.places <- struct{}{}
		go s.connection(context.Background(), l, conn, func() { <-s.places })
	}
}
