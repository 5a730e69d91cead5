package imaplogin

import (
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
)

// environment is NAME=value, each name once.
type environment []string

// get is the value of a name, "" where it is not set.
func (e environment) get(name string) string {
	for _, pair := range e {
		if v, ok := strings.CutPrefix(pair, name+"="); ok {
			return v
		}
	}
	return ""
}

// with is e with a name set.
func (e environment) with(name, value string) environment {
	return append(e.without(name), name+"="+value)
}

// withUnset is e with a name set where it has no value.
func (e environment) withUnset(name, value string) environment {
	if e.get(name) != "" {
		return e
	}
	return e.with(name, value)
}

// without is e without these names.
func (e environment) without(names ...string) environment {
	out := make(environment, 0, len(e)+1)
	for _, pair := range e {
		name, _, _ := strings.Cut(pair, "=")
		if !slices.Contains(names, name) {
			out = append(out, pair)
		}
	}
	return out
}

// withoutChain is e without what modules are handed alone.
func (e environment) withoutChain() environment {
	out := e.without("AUTHUSER", "AUTHARGC", "AUTHEXPIRE")
	return slices.DeleteFunc(out, func(pair string) bool { return strings.HasPrefix(pair, "AUTHARGV") })
}

// yes is a setting of which Courier looks at the first letter alone.
func (e environment) yes(name string) bool {
	v := e.get(name)
	return v != "" && strings.ContainsAny(v[:1], "yY")
}

// on is a setting that Courier takes for a number.
func (e environment) on(name string) bool {
	n, err := strconv.Atoi(strings.TrimSpace(e.get(name)))
	return err == nil && n != 0
}

// withClient is e with where the client is: what couriertcpd said, else what the
// socket says, else this machine, as Courier has it outside couriertcpd.
func (e environment) withClient(c net.Conn) environment {
	if e.get("TCPREMOTEIP") == "" {
		e = e.withEnd("TCPREMOTE", c.RemoteAddr())
	}
	if e.get("TCPLOCALIP") == "" {
		e = e.withEnd("TCPLOCAL", c.LocalAddr())
	}
	return e.withUnset("TCPREMOTEIP", "127.0.0.1").withUnset("TCPREMOTEPORT", "0").withUnset("TCPLOCALPORT", "143")
}

// withEnd sets address and port of one end of the connection.
func (e environment) withEnd(prefix string, at net.Addr) environment {
	tcp, ok := at.(*net.TCPAddr)
	if !ok {
		return e
	}
	ip := tcp.AddrPort().Addr().WithZone("")
	text := ip.String()
	if ip.Is4() {
		text = "::ffff:" + text // as couriertcpd has it
	}
	return e.with(prefix+"IP", text).with(prefix+"PORT", strconv.Itoa(tcp.Port))
}

// remote is the client's address, not valid where it has none.
func (e environment) remote() netip.AddrPort {
	ip, err := netip.ParseAddr(e.get("TCPREMOTEIP"))
	if err != nil {
		return netip.AddrPort{}
	}
	port, _ := strconv.ParseUint(e.get("TCPREMOTEPORT"), 10, 16) // N/A outside couriertcpd
	return netip.AddrPortFrom(ip.Unmap(), uint16(port))
}

// local is the address that the client came to, not valid where it is not known.
func (e environment) local() netip.Addr {
	ip, err := netip.ParseAddr(e.get("TCPLOCALIP"))
	if err != nil {
		return netip.Addr{}
	}
	return ip.Unmap()
}

// program is the path of a program's word on the command line.
func program(word string) (string, error) {
	if strings.Contains(word, "/") {
		return word, nil
	}
	return exec.LookPath(word)
}

// sameProgram reports whether a word of the command line is the program at self, by
// whatever name.
func sameProgram(word, self string) bool {
	path, err := program(word)
	if err != nil {
		return false
	}
	a, err := os.Stat(path)
	if err != nil {
		return false
	}
	b, err := os.Stat(self)
	return err == nil && os.SameFile(a, b)
}
