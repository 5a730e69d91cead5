package main

import (
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/coreos/go-systemd/v22/activation"
	"golang.org/x/sys/unix"

	"postrider/config"
	"postrider/packet"
)

// Sockets come from whoever started the program by the convention of systemd: their
// number in LISTEN_FDS, their names in LISTEN_FDNAMES. An older process of our own, that
// this one replaces, uses the same, names them as below, and says in readyVariable on
// which descriptor it waits for a sign that this one serves.
const (
	readyVariable = "POSTRIDER_READY_FD"

	namePlain, nameTLS = "imap", "imaps"
	nameFigures        = "metrics"
	nameChallenges     = "acme"
	boundPrefix        = "bound-" // of a socket that the older process had bound by its settings
)

// inheritance is what was given to this process.
type inheritance struct {
	doors      []door
	figures    net.Listener // of METRICS
	challenges net.Listener // of ACME
	ready      *os.File     // on which somebody waits for it
}

// inherit takes what was given. What is nil was not.
func inherit(c *config.Config) (in inheritance, err error) {
	if text := os.Getenv(readyVariable); text != "" {
		os.Unsetenv(readyVariable)
		fd, err := strconv.ParseUint(text, 10, 16)
		if err != nil {
			return in, fmt.Errorf("%s: %w", readyVariable, err)
		}
		unix.CloseOnExec(int(fd))
		in.ready = os.NewFile(uintptr(fd), "ready")
		// Whoever starts a program does not know which process id it will have.
		os.Setenv("LISTEN_PID", strconv.Itoa(os.Getpid()))
	}
	files := activation.Files(true)
	defer packet.CloseAll(files)
	for _, f := range files {
		if other := in.other(f.Name()); other != nil {
			if *other, err = net.FileListener(f); err != nil {
				return in, fmt.Errorf("the listener %s that was given: %w", f.Name(), err)
			}
			continue
		}
		d, err := takeDoor(f)
		if err == nil {
			err = d.name(f.Name(), c)
		}
		if err != nil {
			closeDoors(in.doors, nil)
			return in, err
		}
		in.doors = append(in.doors, d)
	}
	return in, nil
}

// other is the place of a listener that is no door, nil if a name is none of theirs.
func (in *inheritance) other(name string) *net.Listener {
	switch name {
	case nameFigures:
		return &in.figures
	case nameChallenges:
		return &in.challenges
	}
	return nil
}

// name says what a socket with this name is for; one with another name is known by its
// port.
func (d *door) name(name string, c *config.Config) error {
	name, bound := strings.CutPrefix(name, boundPrefix)
	d.given = !bound
	at := func(addresses []string) bool {
		return slices.ContainsFunc(addresses, func(address string) bool {
			want, err := net.ResolveTCPAddr("tcp", address)
			return err == nil && want.Port == d.at.Port
		})
	}
	switch {
	case name == nameTLS, name != namePlain && at(c.ListenTLS):
		if d.tls = true; c.CertFile == "" {
			return fmt.Errorf("a socket for TLS was given at %v, and no TLS_CERTFILE is set", d.at)
		}
	case name != namePlain && !at(c.Listen):
		return fmt.Errorf("what is the socket at %v that was given for? Name it imap or imaps (FileDescriptorName=)", d.at)
	}
	return nil
}

// givenName is the name under which a door goes to a process that replaces this one.
func (d door) givenName() string {
	name := namePlain
	if d.tls {
		name = nameTLS
	}
	if !d.given {
		name = boundPrefix + name
	}
	return name
}
