package couriertls

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"postrider/certificate"
	"postrider/cmd/certificates"
	"postrider/cmd/daemon"
	"postrider/config"
)

// options is what the command line says. Descriptors are -1 where there is none.
type options struct {
	server, tcpd                bool
	remote, local, status, x509 int
	user                        string
	program                     []string
}

// errClient is what we leave to other programs.
var errClient = errors.New("only -server is spoken here; to look at a server as a client, use openssl s_client")

func (o *options) set(name, value string) error {
	switch name {
	case "server":
		o.server = true
	case "tcpd":
		o.tcpd = true
	case "remotefd":
		return daemon.Number(value, 0, &o.remote)
	case "localfd":
		return daemon.Number(value, 0, &o.local)
	case "statusfd":
		return daemon.Number(value, 0, &o.status)
	case "printx509":
		return daemon.Number(value, 0, &o.x509)
	case "user":
		o.user = value
	case "host", "port", "verify", "protocol":
		return errClient
	default:
		return daemon.ErrUnknown
	}
	return nil
}

func parseOptions(args []string) (*options, error) {
	o := &options{remote: -1, local: -1, status: -1, x509: -1}
	rest, err := daemon.Parse(args, o.set)
	if err != nil {
		return nil, err
	}
	o.program = rest
	switch {
	case o.tcpd:
		o.remote = 0
	case o.remote < 0:
		//lint:ignore ST1005 Courier's words
		return nil, errors.New("specify remote location.")
	}
	if !o.server {
		return nil, errClient
	}
	return o, nil
}

// Main runs the command and returns its status; where it runs a program, it returns only
// if that fails.
func Main(name string, args []string) int {
	o, err := parseOptions(args)
	var wrong *daemon.OptionError
	if errors.As(err, &wrong) && errors.Is(err, daemon.ErrUnknown) {
		fmt.Fprintf(os.Stderr, "%s: Invalid option: %s\n", name, wrong.Word)
		return 1
	}
	if err == nil {
		err = o.run()
	}
	if err != nil && !errors.Is(err, errTold) {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
	}
	if err != nil {
		return 1
	}
	return 0
}

// engine is the process that speaks TLS.
type engine struct {
	*options
	store *certificate.Store
	local netip.Addr // where the client came to, if couriertcpd says so
}

// run prepares what needs the rights that we have, and then parts with them.
func (o *options) run() error {
	if o.tcpd { // what we say must not go to the client
		if err := unix.Dup3(2, 1, 0); err != nil {
			return err
		}
	}
	who, err := daemon.Identify(o.user, "")
	if err != nil {
		return err
	}
	if len(o.program) > 0 && !o.isEngine() {
		return o.runProgram()
	}
	loaded, err := config.Load(config.Options{Courier: true, Environment: os.Environ()})
	if err != nil {
		return err
	}
	if loaded.Config.CertFile == "" {
		return errors.New("TLS_CERTFILE is not set")
	}
	files, err := certificates.Files(&loaded.Config, slog.New(courierLines{}))
	if err != nil {
		return err
	}
	e := &engine{options: o}
	if e.store, err = certificate.Open(files); err != nil {
		return err
	}
	if a, err := netip.ParseAddr(os.Getenv("TCPLOCALIP")); err == nil {
		e.local = a
	}
	if err := who.Become(); err != nil {
		return err
	}
	return e.serve()
}

// peer is the client's address for the log, as Courier writes it.
func peer() string {
	return "ip=[" + strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' {
			return -1
		}
		return r
	}, os.Getenv("TCPREMOTEIP")) + "]"
}
