package courierlogger

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"postrider/cmd/daemon"
)

// options is what the command line says.
type options struct {
	name, facility, pid, user, group string
	start, stop, restart             bool
	respawn, dropRoot                bool
	socket                           string // of syslog
	program                          []string
}

// patience is how long a program may take to end.
const patience = 8 * time.Second

// respawnPause is between the end of a program and its next start.
const respawnPause = 5 * time.Second

func (o *options) set(name, value string) error {
	switch name {
	case "name":
		o.name = value
	case "facility":
		o.facility = value
	case "pid":
		o.pid = value
	case "user":
		o.user = value
	case "group":
		o.group = value
	case "start":
		o.start = true
	case "stop":
		o.stop = true
	case "restart":
		o.restart = true
	case "respawn":
		o.respawn = true
	case "droproot":
		o.dropRoot = true
	case "syslog":
		o.socket = value
	default:
		return daemon.ErrUnknown
	}
	return nil
}

func parseOptions(args []string) (*options, error) {
	o := &options{facility: "mail", socket: "/dev/log"}
	rest, err := daemon.Parse(args, o.set)
	if err != nil {
		return nil, err
	}
	o.program = rest
	if o.pid != "" && !o.stop && !o.restart {
		o.start = true
	}
	if _, known := facility(o.facility); !known {
		return nil, fmt.Errorf("Unknown facility name '%s'", o.facility) //lint:ignore ST1005 Courier's words
	}
	switch {
	case (o.start || o.stop || o.restart) && o.pid == "":
		return nil, errors.New("-pid argument required")
	case o.stop || o.restart:
		return o, nil
	case o.name == "" && len(o.program) == 0:
		return nil, errors.New("-name option required for standalone logger")
	}
	if o.name == "" {
		o.name = filepath.Base(o.program[0])
	}
	return o, nil
}

// Main runs the command and returns its status.
func Main(_ string, args []string) int {
	if len(args) == 0 {
		fmt.Fprint(os.Stderr, "Usage: courierlogger [-name=name] [-pid=pidfile] [-facility=type]\n       [-start|-stop|-restart] [cmd [args...]]\n")
		return 1
	}
	o, err := parseOptions(args)
	var wrong *daemon.OptionError
	switch {
	case errors.As(err, &wrong) && errors.Is(err, daemon.ErrUnknown):
		fmt.Fprintf(os.Stderr, "Unknown option '%s'\n", wrong.Word)
		return 1
	case err != nil:
	case o.stop:
		err = daemon.Stop(o.pid, patience+2*time.Second)
	case o.restart:
		err = daemon.Signal(o.pid, unix.SIGHUP)
	default:
		var status int
		if status, err = o.run(); err == nil {
			return status
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// run logs, in the background if that was asked for.
func (o *options) run() (status int, err error) {
	ready := func() error { return nil }
	if o.start {
		if ready, status, err = daemon.Background(); err != nil || ready == nil {
			return status, err
		}
		pid, held, err := daemon.Lock(o.pid)
		if err != nil || held { // as Courier's: it runs, and that is what was asked for
			return 0, err
		}
		if err := pid.Write(); err != nil {
			return 1, err
		}
	}
	who, err := daemon.Identify(o.user, o.group)
	if err != nil {
		return 1, err
	}
	number, _ := facility(o.facility) // it was looked up before
	log := &syslog{socket: o.socket, tag: o.name, facility: number, lost: os.Stderr}
	defer log.close()
	if len(o.program) == 0 {
		if err := errors.Join(who.Become(), os.Chdir("/")); err != nil {
			return 1, err
		}
		return 0, eachLine(os.Stdin, func(line string) { log.send(classify(line)) })
	}
	return o.keep(log, who, ready)
}
