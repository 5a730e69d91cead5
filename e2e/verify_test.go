package e2e_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// verifyIdle runs postrider verify-idle and returns what it prints.
func verifyIdle(t *testing.T, args ...string) (out string, ok bool) {
	t.Helper()
	secret := filepath.Join(t.TempDir(), "password")
	write(t, secret, password+"\n", 0o600)
	c := exec.Command(binary, append([]string{"verify-idle", "--password-file", secret}, args...)...)
	c.Env = []string{"PATH=" + os.Getenv("PATH")}
	b, err := c.CombinedOutput()
	return string(b), err == nil
}

// The procedure of the manual page passes with our server, over TLS too, and leaves
// nothing behind.
func TestVerifyIdle(t *testing.T) {
	s := startServer(t)
	for name, args := range map[string][]string{
		"plain":    {"--addr", "localhost:" + s.port},
		"starttls": {"--addr", "localhost:" + s.port, "--starttls", "--ca", s.certFile},
		"tls":      {"--addr", "localhost:" + s.tlsPort, "--tls", "--ca", s.certFile, "--sessions", "20"},
	} {
		t.Run(name, func(t *testing.T) {
			a := s.account(t)
			out, ok := verifyIdle(t, append(args, "--user", a.user)...)
			if !ok || !strings.Contains(out, "all 7 steps passed") {
				t.Error(out)
			}
			for _, d := range []string{"new", "cur"} {
				if left, err := os.ReadDir(filepath.Join(a.maildir, d)); err != nil || len(left) > 0 {
					t.Errorf("left in %s: %v %v", d, left, err)
				}
			}
		})
	}
	if out, ok := verifyIdle(t, "--addr", "localhost:"+s.tlsPort, "--tls", "--user", s.account(t).user); ok || !strings.Contains(out, "certificate") {
		t.Errorf("an unknown certificate: %s", out)
	}
}

// With IMAP_ENHANCEDIDLE=0 it does not.
func TestVerifyIdleFindsPolling(t *testing.T) {
	s := startServer(t, "IMAP_ENHANCEDIDLE=0")
	out, ok := verifyIdle(t, "--addr", "localhost:"+s.port, "--user", s.account(t).user)
	if ok || !strings.Contains(out, "2  FAIL") || !strings.Contains(out, "IMAP_ENHANCEDIDLE") {
		t.Error(out)
	}
}

func TestVerifyIdleWithDovecot(t *testing.T) {
	d := startDovecot(t)
	out, ok := verifyIdle(t, "--addr", "127.0.0.1:"+d.port, "--user", d.account(t).user, "--rounds", "2")
	if !ok || !strings.Contains(out, "all 7 steps passed") {
		t.Error(out)
	}
}
