package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"

	"postrider/config"
	"postrider/serve"
)

// door is a listening socket, kept as a file so that one generation of the server
// after the other, and one program after the other, can listen on it.
type door struct {
	file  *os.File
	at    *net.TCPAddr
	tls   bool // from the first byte
	given bool // by a service manager, which says where is listened
}

// openDoors binds what the settings want, or takes it from what is open already. What
// was opened newly is closed where there is an error. Without a certificate there is no
// TLS listener.
func openDoors(c *config.Config, open []door) ([]door, error) {
	if slices.ContainsFunc(open, func(d door) bool { return d.given }) {
		return open, nil
	}
	var all, fresh []door
	for _, kind := range []struct {
		addresses []string
		tls       bool
	}{{c.Listen, false}, {c.ListenTLS, true}} {
		if kind.tls && c.CertFile == "" {
			continue
		}
		for _, address := range kind.addresses {
			d, isFresh, err := openDoor(address, kind.tls, open)
			if err != nil {
				closeDoors(fresh, nil)
				return nil, err
			}
			if all = append(all, d); isFresh {
				fresh = append(fresh, d)
			}
		}
	}
	if len(all) == 0 {
		return nil, errors.New("nothing to listen on: set PORT, or SSLPORT with TLS_CERTFILE")
	}
	return all, nil
}

// openDoor is the open door for an address, or a new one.
func openDoor(address string, tls bool, open []door) (d door, fresh bool, err error) {
	want, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		return door{}, false, err
	}
	for _, d := range open {
		if d.tls == tls && sameAddress(d.at, want) {
			return d, false, nil
		}
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return door{}, false, err
	}
	defer l.Close()
	d, err = newDoor(l.(*net.TCPListener))
	d.tls = tls
	return d, true, err
}

func newDoor(l *net.TCPListener) (door, error) {
	file, err := l.File()
	if err != nil {
		return door{}, fmt.Errorf("keeping a listener: %w", err)
	}
	return door{file: file, at: l.Addr().(*net.TCPAddr)}, nil
}

// sameAddress tells whether a socket is what is wanted: an address that is nothing or
// zero is everywhere.
func sameAddress(is, want *net.TCPAddr) bool {
	everywhere := func(ip net.IP) bool { return len(ip) == 0 || ip.IsUnspecified() }
	return is.Port == want.Port && (is.IP.Equal(want.IP) || everywhere(is.IP) && everywhere(want.IP))
}

// closeDoors closes those that are not among the ones to keep.
func closeDoors(doors, keep []door) {
	for _, d := range doors {
		if !slices.Contains(keep, d) {
			d.file.Close()
		}
	}
}

// takeDoor makes a door of a descriptor that somebody else opened.
func takeDoor(f *os.File) (door, error) {
	l, err := net.FileListener(f)
	if err != nil {
		return door{}, fmt.Errorf("a listener that was given: %w", err)
	}
	defer l.Close()
	tcp, ok := l.(*net.TCPListener)
	if !ok {
		return door{}, fmt.Errorf("%v was given to listen on, which is no TCP socket", l.Addr())
	}
	return newDoor(tcp)
}

// listeners opens what a server in this process accepts on. The doors stay open.
func listeners(doors []door) ([]serve.Listener, error) {
	var all []serve.Listener
	for _, d := range doors {
		l, err := net.FileListener(d.file)
		if err != nil {
			for _, open := range all {
				open.Close()
			}
			return nil, err
		}
		all = append(all, serve.Listener{Listener: l, ImplicitTLS: d.tls})
	}
	return all, nil
}
