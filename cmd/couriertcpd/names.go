package couriertcpd

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
)

// newResolver asks the system's name servers, or the one that is given.
func newResolver(server string) *net.Resolver {
	r := &net.Resolver{PreferGo: true}
	if server != "" {
		r.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, server)
		}
	}
	return r
}

// softError stands for a name where the name servers do not answer.
const softError = "softdnserr"

// nameOf is the name of an address, if the name has that address, too.
func nameOf(ctx context.Context, r *net.Resolver, a netip.Addr) string {
	ctx, cancel := context.WithTimeout(ctx, namesTime)
	defer cancel()
	names, err := r.LookupAddr(ctx, a.Unmap().WithZone("").String())
	if err != nil || len(names) == 0 {
		return unlessPassing(err)
	}
	name := strings.TrimSuffix(names[0], ".")
	if !isHostName(name) {
		return ""
	}
	back, err := r.LookupNetIP(ctx, "ip", name+".")
	if err != nil {
		return unlessPassing(err)
	}
	if !slices.ContainsFunc(back, func(b netip.Addr) bool { return b.Unmap() == a.Unmap().WithZone("") }) {
		return ""
	}
	return name
}

func unlessPassing(err error) string {
	if passes(err) {
		return softError
	}
	return ""
}

// passes reports whether asking again later may help.
func passes(err error) bool {
	var failed *net.DNSError
	if errors.As(err, &failed) {
		return !failed.IsNotFound && (failed.IsTemporary || failed.IsTimeout)
	}
	return errors.Is(err, context.DeadlineExceeded)
}

// isHostName keeps what a stranger's name server says out of environments and logs,
// unless it is a name.
func isHostName(s string) bool {
	if s == "" || len(s) > 253 {
		return false
	}
	for _, c := range []byte(s) {
		if c != '-' && c != '.' && c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return true
}

// maxIdent bounds the answer of an ident server (RFC 1413 6: 1,000 octets).
const maxIdent = 1000

// ident asks the client's machine whose the connection is (RFC 1413). "" is no answer.
func ident(ctx context.Context, e ends, port int) string {
	ctx, cancel := context.WithTimeout(ctx, identTime)
	defer cancel()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: e.local.Addr().Unmap().AsSlice(), Zone: e.local.Addr().Zone()}}
	remote := netip.AddrPortFrom(e.remote.Addr().Unmap(), uint16(port))
	conn, err := d.DialContext(ctx, "tcp", remote.String())
	if err != nil {
		return ""
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	conn.SetDeadline(deadline)
	if _, err := conn.Write([]byte(identQuery(e))); err != nil {
		return ""
	}
	var answer []byte
	for buffer := make([]byte, 256); len(answer) < maxIdent; {
		n, err := conn.Read(buffer)
		answer = append(answer, buffer[:n]...)
		if line, _, whole := strings.Cut(string(answer), "\n"); whole {
			return parseIdent(line)
		}
		if err != nil {
			return ""
		}
	}
	return ""
}

func identQuery(e ends) string {
	return decimal(e.remote.Port()) + "," + decimal(e.local.Port()) + "\r\n"
}

// parseIdent is the user in "PORT , PORT : USERID : SYSTEM : USER".
func parseIdent(line string) string {
	parts := strings.SplitN(strings.TrimRight(line, "\r"), ":", 4)
	if len(parts) != 4 || strings.TrimSpace(parts[1]) != "USERID" {
		return ""
	}
	user := strings.TrimSpace(parts[3])
	if len(user) > 512 || strings.ContainsFunc(user, func(r rune) bool { return r < ' ' || r > '~' }) {
		return ""
	}
	return user
}

const identPort = 113
