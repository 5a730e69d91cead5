package couriertcpd

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"postrider/cmd/daemon"
)

// Options is what the command line says.
type Options struct {
	Access      string
	AccessLocal bool
	Address     string
	Lists       []dnsList
	DenyMessage string
	Drop        []string // variables, each of which drops the connection unless it is empty
	User, Group string
	Proxied     []proxied
	Listen      int

	MaxProcs, MaxPerIP, MaxPerNetwork, Warn int

	NoNames, NoIdent bool
	Resolver         string // host:port of a name server; "": the system's

	Pid           string
	Stop, Restart bool

	Stderr, Logger, LoggerName string

	Ports   []endpoint
	Program []string
}

// errUsage is a command line without port or program.
var errUsage = errors.New("usage")

// parseOptions reads a command line.
func parseOptions(args []string) (*Options, error) {
	o := &Options{MaxProcs: 40, MaxPerIP: 4, Listen: -1, Warn: -1, MaxPerNetwork: -1}
	rest, err := daemon.Parse(args, o.set)
	if err != nil {
		return nil, err
	}
	if o.MaxPerNetwork < 0 {
		o.MaxPerNetwork = o.MaxProcs
	}
	if o.Warn < 0 {
		o.Warn = max(o.MaxProcs-(o.MaxProcs/10+1), 0)
	}
	if o.Stop || o.Restart {
		if o.Pid == "" {
			return nil, errors.New("-pid argument is required.") //lint:ignore ST1005 Courier's words
		}
		return o, nil
	}
	if len(rest) < 2 {
		return nil, errUsage
	}
	if o.Ports, err = parsePorts(rest[0], o.Address); err != nil {
		return nil, err
	}
	o.Program = rest[1:]
	return o, nil
}

// set takes one option. It is one row for each; Courier's own set, with -resolver on top.
func (o *Options) set(name, value string) (err error) {
	switch name {
	case "access":
		o.Access = value
	case "accesslocal":
		o.AccessLocal = true
	case "address":
		o.Address, err = value, checkAddress(value)
	case "allow", "block":
		var l dnsList
		l, err = parseList(value, name == "block")
		o.Lists = append(o.Lists, l)
	case "denymsg":
		o.DenyMessage = value
	case "drop":
		o.Drop = parseDrop(value)
	case "group":
		o.Group = value
	case "user":
		o.User = value
	case "haproxy":
		o.Proxied, err = parseProxied(value)
	case "listen":
		err = daemon.Number(value, 1, &o.Listen) // the system's own bound is used
	case "maxperc":
		err = daemon.Number(value, 0, &o.MaxPerNetwork)
	case "maxperip":
		err = daemon.Number(value, 0, &o.MaxPerIP)
	case "maxprocs":
		err = daemon.Number(value, 1, &o.MaxProcs)
	case "warn":
		err = daemon.Number(value, 0, &o.Warn)
	case "nodnslookup":
		o.NoNames = true
	case "noidentlookup":
		o.NoIdent = true
	case "resolver":
		o.Resolver, err = parseResolver(value)
	case "pid":
		o.Pid = value
	case "stop":
		o.Stop = true
	case "restart":
		o.Restart = true
	case "stderr":
		o.Stderr = value
	case "stderrlogger":
		o.Logger = value
	case "stderrloggername":
		o.LoggerName = value
	case "proxy": // Courier takes it, too, and does nothing
	default:
		return daemon.ErrUnknown
	}
	return err
}

func parseDrop(value string) []string {
	if value == "" {
		return []string{blockVariable}
	}
	return strings.Split(value, ",")
}

func parseResolver(value string) (string, error) {
	if a, err := netip.ParseAddr(value); err == nil {
		return netip.AddrPortFrom(a, 53).String(), nil
	}
	ap, err := netip.ParseAddrPort(value)
	if err != nil {
		return "", fmt.Errorf("%q is no address of a name server", value)
	}
	return ap.String(), nil
}

// bounds on what others are asked.
const (
	namesTime = 10 * time.Second // for one name, forward and back
	identTime = 10 * time.Second
	listTime  = 5 * time.Second // for one DNS list
	proxyTime = 15 * time.Second
)
