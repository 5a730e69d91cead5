package courierlogger

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"postrider/cmd/daemon"
)

// keeper starts the program, and again if that was asked for, and passes signals on.
type keeper struct {
	*options
	log     *syslog
	path    string
	signals chan os.Signal
	ending  bool // SIGTERM came
}

// keep is the life of the program. ready is called when it runs for the first time.
func (o *options) keep(log *syslog, who daemon.Who, ready func() error) (int, error) {
	k := &keeper{options: o, log: log, signals: make(chan os.Signal, 16)}
	signal.Reset(unix.SIGTERM, unix.SIGINT, unix.SIGHUP)
	signal.Notify(k.signals, unix.SIGTERM, unix.SIGINT, unix.SIGHUP)
	var err error
	if k.path, err = exec.LookPath(o.program[0]); err != nil {
		return 1, err
	}
	if o.dropRoot {
		if err := who.Become(); err != nil {
			return 1, err
		}
	}
	for first := true; ; first = false {
		c, err := k.start()
		if err != nil && first {
			return 1, err
		}
		if first {
			if err := k.settle(who, ready); err != nil {
				return 1, err
			}
		}
		status := 1
		if err != nil {
			log.send(failure, err.Error())
		} else {
			status = k.watch(c)
		}
		if k.ending || !o.respawn {
			return status, nil
		}
		if k.rest() {
			return 0, nil
		}
	}
}

// settle gives up root and the terminal, once the program has been started with them.
func (k *keeper) settle(who daemon.Who, ready func() error) error {
	if !k.dropRoot {
		if err := who.Become(); err != nil {
			return err
		}
	}
	return errors.Join(ready(), os.Chdir("/"))
}

// running is the program and what tells of its end.
type running struct {
	cmd    *exec.Cmd
	logged chan error // its standard error ended
	ended  chan error
}

// start starts the program in a process group of its own, which it may end.
func (k *keeper) start() (*running, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	c := &running{cmd: exec.Command(k.path), logged: make(chan error, 1), ended: make(chan error, 1)}
	c.cmd.Args = k.program
	c.cmd.Stderr = w
	if !k.options.start { // a daemon has no use for them
		c.cmd.Stdin, c.cmd.Stdout = os.Stdin, os.Stdout
	}
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	err = c.cmd.Start()
	w.Close()
	if err != nil {
		r.Close()
		return nil, err
	}
	go func() {
		defer r.Close()
		c.logged <- eachLine(r, func(line string) { k.log.send(classify(line)) })
	}()
	go func() { c.ended <- c.cmd.Wait() }()
	return c, nil
}

// watch passes signals on until the program has ended and its last line is logged, which
// may be one of a process that it left behind.
func (k *keeper) watch(c *running) (status int) {
	var kill <-chan time.Time
	for {
		select {
		case s := <-k.signals:
			if s != unix.SIGHUP {
				k.ending, s = true, unix.SIGTERM
				kill = time.After(patience)
			}
			c.cmd.Process.Signal(s)
		case <-kill:
			c.cmd.Process.Kill()
		case err := <-c.ended:
			var exit *exec.ExitError
			if errors.As(err, &exit) {
				status = max(exit.ExitCode(), 1)
			} else if err != nil {
				k.log.send(failure, fmt.Sprintf("%s: %v", k.path, err))
				status = 1
			}
			k.drain(c)
			return status
		}
	}
}

// drain waits for the last lines. Processes that the program left behind may keep its
// standard error open for ever; their lines are logged while we run.
func (k *keeper) drain(c *running) {
	if k.respawn && !k.ending {
		return
	}
	select {
	case <-c.logged:
	case <-time.After(patience):
	}
}

// rest waits before the next start, and reports whether a signal ends that.
func (k *keeper) rest() (ends bool) {
	for next := time.After(respawnPause); ; {
		select {
		case s := <-k.signals:
			if s != unix.SIGHUP {
				return true
			}
		case <-next:
			return false
		}
	}
}
