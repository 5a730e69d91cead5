package couriertcpd

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// endpoint is where is listened; without a valid address on all.
type endpoint struct {
	address netip.Addr
	port    uint16
}

func (e endpoint) String() string {
	if !e.address.IsValid() {
		return "*." + strconv.Itoa(int(e.port))
	}
	return e.address.String() + "." + strconv.Itoa(int(e.port))
}

// parsePorts reads a list of ports, each a number or a service, perhaps with an address
// and a dot before it. address is for those that have none.
func parsePorts(list, address string) ([]endpoint, error) {
	var all []endpoint
	for word := range strings.SplitSeq(list, ",") {
		e, err := parsePort(word, address)
		if err != nil {
			return nil, err
		}
		all = append(all, e)
	}
	return all, nil
}

// parsePort splits at the last dot, so that addresses of both kinds can stand before it.
func parsePort(word, address string) (endpoint, error) {
	port := word
	if dot := strings.LastIndexByte(word, '.'); dot >= 0 {
		address, port = word[:dot], word[dot+1:]
	}
	var e endpoint
	if !isWildcard(address) {
		a, err := netip.ParseAddr(address)
		if err != nil {
			return e, fmt.Errorf("Invalid IP address: %.100s", address) //lint:ignore ST1005 Courier's words
		}
		e.address = a.Unmap()
	}
	n, err := portNumber(port)
	if err != nil {
		return e, fmt.Errorf("Invalid port: %.100s", port) //lint:ignore ST1005 Courier's words
	}
	e.port = n
	return e, nil
}

func portNumber(word string) (uint16, error) {
	if len(word) > 0 && '0' <= word[0] && word[0] <= '9' {
		n, err := strconv.ParseUint(word, 10, 16)
		if err == nil && n == 0 {
			err = strconv.ErrRange
		}
		return uint16(n), err
	}
	n, err := net.LookupPort("tcp", word)
	if err == nil && (n < 1 || n > 65535 || word == "") {
		err = strconv.ErrRange
	}
	return uint16(n), err
}

func isWildcard(address string) bool { return address == "" || address == "0" || address == "*" }

func checkAddress(address string) error {
	if isWildcard(address) {
		return nil
	}
	if _, err := netip.ParseAddr(address); err != nil {
		return fmt.Errorf("Invalid IP address: %.100s", address) //lint:ignore ST1005 Courier's words
	}
	return nil
}

// listener is a listening socket and whether a proxy stands before it.
type listener struct {
	*net.TCPListener
	proxied *proxied // nil: none
}

// listen binds a port. An address need not be there yet: it may come with an interface.
func (e endpoint) listen(ctx context.Context) (*net.TCPListener, error) {
	network, host := "tcp", ""
	if e.address.IsValid() {
		host = e.address.String()
	}
	c := net.ListenConfig{
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: -1, Interval: -1, Count: -1},
		Control: func(_, _ string, raw syscall.RawConn) error {
			if !e.address.IsValid() {
				return nil
			}
			var failed error
			err := raw.Control(func(fd uintptr) {
				failed = unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_FREEBIND, 1)
			})
			if err == nil {
				err = failed
			}
			return err
		},
	}
	l, err := c.Listen(ctx, network, net.JoinHostPort(host, strconv.Itoa(int(e.port))))
	if err != nil {
		return nil, err
	}
	return l.(*net.TCPListener), nil
}

// listenAll binds all ports or none.
func (o *Options) listenAll(ctx context.Context) ([]listener, error) {
	var all []listener
	for _, e := range o.Ports {
		l, err := e.listen(ctx)
		if err != nil {
			for _, open := range all {
				open.Close()
			}
			return nil, err
		}
		all = append(all, listener{l, e.behind(o.Proxied)})
	}
	return all, nil
}
