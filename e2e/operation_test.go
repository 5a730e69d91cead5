package e2e_test

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// talk is a connection on which a test speaks line by line.
type talk struct {
	t  *testing.T
	c  net.Conn
	in *bufio.Reader
}

func dial(t *testing.T, port string) *talk {
	t.Helper()
	c, err := net.Dial("tcp", "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	return newTalk(t, c)
}

func newTalk(t *testing.T, c net.Conn) *talk {
	t.Cleanup(func() { c.Close() })
	return &talk{t: t, c: c, in: bufio.NewReader(c)}
}

// line is the next line; "" is the end.
func (k *talk) line() string {
	k.c.SetReadDeadline(time.Now().Add(15 * time.Second))
	line, err := k.in.ReadString('\n')
	if err != nil && line == "" {
		return ""
	}
	return strings.TrimRight(line, "\r\n")
}

// do sends a command and returns its answer's lines, the tagged one last.
func (k *talk) do(command string) []string {
	k.t.Helper()
	fmt.Fprintf(k.c, "t %s\r\n", command)
	var all []string
	for {
		line := k.line()
		if line == "" {
			k.t.Fatalf("%s: the connection ended after %q", command, all)
		}
		all = append(all, line)
		if strings.HasPrefix(line, "t ") || strings.HasPrefix(line, "+ ") {
			return all
		}
	}
}

// ok is do for a command that must succeed.
func (k *talk) ok(command string) []string {
	k.t.Helper()
	all := k.do(command)
	if last := all[len(all)-1]; !strings.HasPrefix(last, "t OK") && !strings.HasPrefix(last, "+ ") {
		k.t.Fatalf("%s: %s", command, last)
	}
	return all
}

// TestDrain: SIGTERM tells every session, whatever it does, and the process ends
// with 0 (which stop demands).
func TestDrain(t *testing.T) {
	s := startServer(t)
	a := s.account(t)
	before, idle, busy := dial(t, s.port), dial(t, s.port), dial(t, s.port)
	before.line()
	for _, k := range []*talk{idle, busy} {
		k.line()
		k.ok("LOGIN " + a.user + " " + password)
		k.ok("SELECT INBOX")
	}
	idle.ok("IDLE")
	began := time.Now()
	s.stop(t)
	for name, k := range map[string]*talk{"before login": before, "in IDLE": idle, "between commands": busy} {
		if line := k.line(); !strings.HasPrefix(line, "* BYE ") {
			t.Errorf("a session %s got %q", name, line)
		}
		if line := k.line(); line != "" {
			t.Errorf("a session %s got %q after BYE", name, line)
		}
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("with idle sessions the end took %v", took)
	}
}

// TestRenewedCertificate: the next handshake has it, and older sessions stay.
func TestRenewedCertificate(t *testing.T) {
	s := startServer(t)
	a := s.account(t)
	handshake := func() (*talk, string) {
		t.Helper()
		ca, err := os.ReadFile(filepath.Join(s.dir, "ca.pem"))
		if err != nil {
			t.Fatal(err)
		}
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(ca)
		c, err := tls.Dial("tcp", "127.0.0.1:"+s.tlsPort, &tls.Config{RootCAs: roots, ServerName: "localhost"})
		if err != nil {
			t.Fatal(err)
		}
		return newTalk(t, c), c.ConnectionState().PeerCertificates[0].Subject.CommonName
	}
	old, name := handshake()
	if name != "localhost" {
		t.Fatalf("the first certificate is of %q", name)
	}
	old.line()
	old.ok("LOGIN " + a.user + " " + password)
	s.makeCertificate(t, "renewed.example")
	if _, name := handshake(); name != "renewed.example" {
		t.Errorf("after the renewal the certificate is of %q", name)
	}
	old.ok("SELECT INBOX")
}

// TestLimits: a connection that is one too many is told why, and one that went
// makes room.
func TestLimits(t *testing.T) {
	for _, c := range []struct{ name, setting string }{{"in all", "MAXDAEMONS=2"}, {"per address", "MAXPERIP=2"}} {
		t.Run(c.name, func(t *testing.T) {
			s := startServer(t, c.setting)
			user := s.account(t).user
			a := admitted(t, s.port)
			a.ok("LOGIN " + user + " " + password) // else it would make way
			admitted(t, s.port).ok("LOGIN " + user + " " + password)
			third := dial(t, s.port)
			if line := third.line(); !strings.HasPrefix(line, "* BYE [LIMIT] ") {
				t.Errorf("one too many got %q", line)
			}
			if line := third.line(); line != "" {
				t.Errorf("and then %q", line)
			}
			a.ok("LOGOUT")
			for a.line() != "" {
			}
			admitted(t, s.port)
		})
	}
}

// admitted connects until a connection is greeted: the server may see the end of
// an older one a moment later than its client.
func admitted(t *testing.T, port string) *talk {
	t.Helper()
	line := ""
	for range 500 {
		k := dial(t, port)
		if line = k.line(); strings.HasPrefix(line, "* OK ") {
			return k
		}
		k.c.Close()
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("no connection is greeted, the last got %q", line)
	return nil
}

// TestLoginTimeout: who does not log in is sent away.
func TestLoginTimeout(t *testing.T) {
	s := startServer(t, "LOGIN_TIMEOUT=1")
	k := dial(t, s.port)
	k.line()
	if line := k.line(); !strings.HasPrefix(line, "* BYE ") {
		t.Errorf("got %q", line)
	}
}

// TestTLSRequired: no password without TLS.
func TestTLSRequired(t *testing.T) {
	s := startServer(t, "IMAP_TLS_REQUIRED=1")
	k := dial(t, s.port)
	if greeting := k.line(); !strings.Contains(greeting, "LOGINDISABLED") || strings.Contains(greeting, "AUTH=PLAIN") {
		t.Errorf("the greeting is %q", greeting)
	}
	if got := k.do("LOGIN u1 " + password); !strings.HasPrefix(got[len(got)-1], "t NO [PRIVACYREQUIRED]") {
		t.Errorf("LOGIN without TLS: %q", got)
	}
}
