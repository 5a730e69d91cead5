package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"

	"postrider/cmd/couriertcpd"
	"postrider/config"
	"postrider/serve"
)

// proxiedMistake says why serve does not start: it would take the proxy's address for the
// client's, and its first line for a command.
const proxiedMistake = "-haproxy: serve does not speak the PROXY protocol; take it out, or run couriertcpd (imapd.rc start), which does"

// readGate reads the access file, nil if everybody may connect.
func readGate(c *config.Config, logger *slog.Logger) (*couriertcpd.Access, error) {
	access, notes, err := openAccess(c)
	if err != nil {
		return nil, fmt.Errorf("IMAPACCESSFILE: %w", err)
	}
	for _, n := range notes {
		logger.Warn("a line of the access file is passed over", "err", n)
	}
	return access, nil
}

// guardListeners has listeners let in only whom an access file allows; nil allows all.
func guardListeners(access *couriertcpd.Access, listeners []serve.Listener, logger *slog.Logger) {
	if access == nil {
		return
	}
	for i := range listeners {
		listeners[i].Listener = &gate{Listener: listeners[i].Listener, access: access, logger: logger}
	}
}

// openAccess is nil where everybody may connect. Where Courier's table is there and not the
// text that it was made of, that is an error: its denials must not vanish without a word.
// Where neither is, everybody may connect, as Courier has it.
func openAccess(c *config.Config) (access *couriertcpd.Access, notes []error, err error) {
	if c.AccessFile == "" {
		return nil, nil, nil
	}
	access, notes, err = couriertcpd.OpenAccess(c.AccessFile)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(c.AccessFile + ".dat"); errors.Is(err, fs.ErrNotExist) {
			return nil, nil, nil
		}
		return nil, nil, fmt.Errorf("%w: make it (\"*\", a tab, \"allow\" lets everybody in), or take the setting out", err)
	}
	return access, notes, err
}

// gate is a listener with an access file before it.
type gate struct {
	net.Listener
	access *couriertcpd.Access
	logger *slog.Logger
}

// Accept implements net.Listener. Whom the file denies is told nothing.
func (g *gate) Accept() (net.Conn, error) {
	for {
		conn, err := g.Listener.Accept()
		if err != nil {
			return nil, err
		}
		remote, ok := conn.RemoteAddr().(*net.TCPAddr)
		if !ok || g.access.Allows(remote.AddrPort().Addr()) {
			return conn, nil
		}
		g.logger.Warn("connection refused", "ip", remote.AddrPort().Addr().Unmap(), "reason", "the access file denies it")
		conn.Close()
	}
}

// servable tells what keeps serve from obeying the settings. Where there is a process for
// each uid, the front does not know the access file, whose denials must not be passed over.
func servable(c *config.Config, split bool) error {
	if c.Proxied {
		return errors.New("TCPDOPTS: " + proxiedMistake)
	}
	if !split {
		return nil
	}
	access, _, err := openAccess(c)
	if err != nil {
		return fmt.Errorf("IMAPACCESSFILE: %w", err)
	}
	if access != nil && access.Denies() {
		return fmt.Errorf("IMAPACCESSFILE: %s keeps somebody out, which is not obeyed with a process for each uid (PROCESS_MODEL): "+
			"set RUN_AS to the one user of all mail, or run couriertcpd (imapd.rc start)", c.AccessFile)
	}
	return nil
}
