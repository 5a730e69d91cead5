package couriertcpd

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/pires/go-proxyproto"
)

// proxied is one item of -haproxy: connections to a port come from a proxy that says, in
// the first octets, whose they are.
type proxied struct {
	at   *endpoint // nil: every port
	time time.Duration
}

// parseProxied reads a list of [TIMEOUT][/port=[IP.]PORT].
func parseProxied(list string) ([]proxied, error) {
	var all []proxied
	for word := range strings.SplitSeq(list, ",") {
		p := proxied{time: proxyTime}
		seconds, port, limited := strings.Cut(word, "/")
		if seconds != "" {
			n, err := strconv.ParseUint(seconds, 10, 16)
			if err != nil || n == 0 {
				return nil, fmt.Errorf("%.100q is no number of seconds", seconds)
			}
			p.time = time.Duration(n) * time.Second
		}
		if limited {
			value, ok := strings.CutPrefix(port, "port=")
			if !ok {
				return nil, fmt.Errorf("%.100q is not port=[IP.]PORT", port)
			}
			e, err := parsePort(value, "")
			if err != nil {
				return nil, err
			}
			p.at = &e
		}
		all = append(all, p)
	}
	return all, nil
}

// behind is the first item that means this port.
func (e endpoint) behind(all []proxied) *proxied {
	for i := range all {
		p := &all[i]
		if p.at == nil || p.at.port == e.port && (!p.at.address.IsValid() || p.at.address == e.address) {
			return p
		}
	}
	return nil
}

// The bounds of a header: 107 octets are the longest of version 1 (255 is Courier's bound
// and ours), and version 2 carries certificates of some kilobytes.
const (
	maxProxyV1 = 255
	maxProxyV2 = 4096
)

// ends are the two ends of a connection, as the client's side sees them.
type ends struct {
	remote, local netip.AddrPort
	via           netip.AddrPort // our own end, if a proxy told of the others
}

// header reads what a proxy says, and not one octet more, for the next is the client's.
// A proxy that speaks for itself, to look whether we live, says LOCAL, and is served.
func (p *proxied) header(conn *net.TCPConn, direct ends) (ends, error) {
	if err := conn.SetReadDeadline(time.Now().Add(p.time)); err != nil {
		return direct, err
	}
	text, err := readHeader(conn)
	if err != nil {
		return direct, err
	}
	if err := conn.SetReadDeadline(time.Time{}); err != nil {
		return direct, err
	}
	return parseHeader(text, direct)
}

func parseHeader(text []byte, direct ends) (ends, error) {
	h, err := proxyproto.Read(bufio.NewReader(bytes.NewReader(text)))
	if err != nil {
		return direct, err
	}
	if h.Version == 2 && h.Command.IsLocal() {
		return direct, nil
	}
	from, to, ok := h.TCPAddrs()
	if !ok {
		return direct, errors.New("it tells of no TCP connection")
	}
	return ends{remote: from.AddrPort(), local: to.AddrPort(), via: direct.local}, nil
}

// readHeader reads a line, or a head of version 2 and as much as it announces.
func readHeader(r io.Reader) ([]byte, error) {
	text := make([]byte, len(proxyproto.SIGV2), maxProxyV1)
	if _, err := io.ReadFull(r, text); err != nil {
		return nil, err
	}
	if bytes.Equal(text, proxyproto.SIGV2) {
		text = text[:16]
		if _, err := io.ReadFull(r, text[12:]); err != nil {
			return nil, err
		}
		n := int(text[14])<<8 | int(text[15])
		if n > maxProxyV2 {
			return nil, fmt.Errorf("it announces %d octets; the bound is %d", n, maxProxyV2)
		}
		text = append(text, make([]byte, n)...)
		_, err := io.ReadFull(r, text[16:])
		return text, err
	}
	if !bytes.HasPrefix(text, []byte("PROXY ")) {
		return nil, errors.New("there is none")
	}
	for text[len(text)-1] != '\n' {
		if len(text) == maxProxyV1 {
			return nil, fmt.Errorf("its line has more than %d octets", maxProxyV1)
		}
		text = text[:len(text)+1]
		if _, err := io.ReadFull(r, text[len(text)-1:]); err != nil {
			return nil, err
		}
	}
	return text, nil
}
