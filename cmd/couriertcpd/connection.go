package couriertcpd

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"postrider/cmd/daemon"
)

// connection is the life of one, until its program runs. free gives its place back, and is
// called once.
func (s *server) connection(ctx context.Context, l listener, conn *net.TCPConn, free func()) {
	defer func() {
		if free != nil {
			conn.Close()
			free()
		}
	}()
	e := ends{remote: addrPort(conn.RemoteAddr()), local: addrPort(conn.LocalAddr())}
	if l.proxied != nil {
		var err error
		from := e.remote.Addr()
		if e, err = l.proxied.header(conn, e); err != nil {
			s.log("ERR: no PROXY header from " + present(from) + ": " + printable(err.Error()))
			return
		}
	}
	env := make(map[string]string)
	if permitted, silent := s.permitted(e, env); !permitted {
		free()
		free = nil // who is refused takes nobody's place while it is told
		s.deny(conn, silent)
		return
	}
	remote := e.remote.Addr()
	if !s.count.enter(remote, s.perAddress(env)) {
		return
	}
	leave := func() { s.count.leave(remote) }
	s.describe(ctx, e, env)
	s.askLists(ctx, remote, env)
	if s.dropped(env) {
		s.log("WARN: dropped blocked connection from " + present(remote))
		leave()
		free()
		free = nil
		s.deny(conn, false)
		return
	}
	place := free
	if err := s.spawn(conn, env, func() { leave(); place() }); err != nil {
		s.log("ERR: " + printable(err.Error()))
		leave()
		return
	}
	free = nil
	conn.Close()
}

// permitted asks the access file, and sets what it says. A refusal for our own end is
// silent.
func (s *server) permitted(e ends, env map[string]string) (ok, silent bool) {
	r := s.rules.Load()
	if r == nil {
		return true, false
	}
	take := func(v verdict) bool {
		for _, a := range v.set {
			env[a.name] = a.value
		}
		return !v.deny
	}
	if s.options.AccessLocal && !take(r.local(e.local)) {
		return false, true
	}
	return take(r.remote(e.remote.Addr())), false
}

// perAddress is the limit for the address at hand: the access file can say another.
func (s *server) perAddress(env map[string]string) int {
	if n, err := strconv.ParseUint(env["MAXCPERIP"], 10, 31); err == nil {
		return int(n)
	}
	return s.options.MaxPerIP
}

// refusals bounds the connections that are refused and waited for.
const refusals = 64

// deny closes a connection, and says why before, if there is something to say. What the
// client sent is read, within bounds, for else the kernel's reset may overtake the message.
func (s *server) deny(conn *net.TCPConn, silent bool) {
	defer conn.Close()
	if silent || s.options.DenyMessage == "" {
		return
	}
	conn.SetDeadline(time.Now().Add(2 * time.Second))
	if _, err := io.WriteString(conn, s.options.DenyMessage+"\n"); err != nil {
		return
	}
	select {
	case s.refusing <- struct{}{}:
		defer func() { <-s.refusing }()
	default:
		return
	}
	if err := conn.CloseWrite(); err != nil {
		return
	}
	_, _ = io.CopyN(io.Discard, conn, 64<<10)
}

// tcpVariables are those that we set, or that must not be left from who started us.
func tcpVariables() []string {
	return []string{"TCPREMOTEIP", "TCPREMOTEPORT", "TCPREMOTEHOST", "TCPLOCALIP", "TCPLOCALPORT", "TCPLOCALHOST", "TCPREMOTEINFO"}
}

// describe sets what is known of the connection.
func (s *server) describe(ctx context.Context, e ends, env map[string]string) {
	for _, name := range tcpVariables() {
		delete(env, name)
	}
	env["TCPREMOTEIP"], env["TCPREMOTEPORT"] = present(e.remote.Addr()), decimal(e.remote.Port())
	env["TCPLOCALIP"], env["TCPLOCALPORT"] = present(e.local.Addr()), decimal(e.local.Port())
	answers := make(chan [2]string, 3)
	asked := 0
	ask := func(name string, f func() string) {
		asked++
		go func() { answers <- [2]string{name, f()} }()
	}
	if !s.options.NoNames {
		ask("TCPREMOTEHOST", func() string { return nameOf(ctx, s.resolver, e.remote.Addr()) })
		ask("TCPLOCALHOST", func() string { return nameOf(ctx, s.resolver, e.local.Addr()) })
	}
	switch {
	case e.via.IsValid():
		env["TCPREMOTEINFO"] = "proxy via " + present(e.via.Addr()) + ", port " + decimal(e.via.Port())
	case !s.options.NoIdent:
		ask("TCPREMOTEINFO", func() string { return ident(ctx, e, identPort) })
	}
	for range asked {
		if a := <-answers; a[1] != "" {
			env[a[0]] = a[1]
		}
	}
}

// askLists asks the DNS lists, in the order of the command line. A variable that is set,
// even to nothing, is not asked for again. A list that does not answer decides nothing.
func (s *server) askLists(ctx context.Context, a netip.Addr, env map[string]string) {
	for _, l := range s.options.Lists {
		if _, set := s.lookup(env, l.variable); set {
			continue
		}
		h, err := l.ask(ctx, s.resolver, a)
		if err != nil {
			s.log("WARN: DNS list " + l.zone + " does not answer: " + printable(err.Error()))
		} else if h != nil {
			l.set(env, h, a)
		}
	}
}

func (s *server) lookup(env map[string]string, name string) (string, bool) {
	if v, ok := env[name]; ok {
		return v, true
	}
	return os.LookupEnv(name)
}

func (s *server) dropped(env map[string]string) bool {
	for _, name := range s.options.Drop {
		if v, _ := s.lookup(env, name); v != "" {
			return true
		}
	}
	return false
}

// spawn starts the program with the socket, which blocks, as its own processes expect.
func (s *server) spawn(conn *net.TCPConn, env map[string]string, ended func()) error {
	f, err := conn.File()
	if err != nil {
		return err
	}
	defer f.Close()
	fd := f.Fd()
	if err := unix.SetNonblock(int(fd), false); err != nil {
		return fmt.Errorf("making the socket block: %w", err)
	}
	complaints := s.stderr.file.Fd()
	if s.stderr.socket {
		complaints = fd
	}
	_, err = s.children.start(s.program, s.options.Program, daemon.Environment(s.environ, env), [3]uintptr{fd, fd, complaints}, false, ended)
	return err
}

// inherited is the environment without what describes another connection.
func inherited(env []string) []string {
	var out []string
	for _, e := range env {
		name, _, _ := strings.Cut(e, "=")
		ours := false
		for _, v := range tcpVariables() {
			ours = ours || v == name
		}
		if !ours {
			out = append(out, e)
		}
	}
	return out
}

func addrPort(a net.Addr) netip.AddrPort {
	if tcp, ok := a.(*net.TCPAddr); ok {
		ap := tcp.AddrPort()
		return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	}
	return netip.AddrPort{}
}
