package e2e_test

import (
	"context"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// door is a way to the server.
type door struct {
	name string // "plain", "starttls" or "tls"
	port string
}

func (s *server) doors() []door {
	return []door{{"plain", s.port}, {"starttls", s.port}, {"tls", s.tlsPort}}
}

// client runs a mail client to its end, in dir as its home, and returns what it
// wrote. A client that fails or is not installed fails the test.
func client(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	out, err := tryClient(t, dir, name, args...)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return out
}

func tryClient(t *testing.T, dir, name string, args ...string) (string, error) {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%v; scripts/setup.sh installs the clients", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, path, args...)
	c.Dir = dir
	c.Env = clientEnv(t, dir, name)
	c.WaitDelay = 5 * time.Second
	out, err := c.CombinedOutput()
	return string(out), err
}

// clientEnv is what a client finds in its environment.
func clientEnv(t *testing.T, dir, name string) []string {
	env := []string{"HOME=" + dir, "PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL=C.UTF-8", "TERM=xterm"}
	if name == "offlineimap" { // it has no setting for this that holds for STARTTLS
		conf := filepath.Join(dir, "openssl.cnf")
		write(t, conf, "openssl_conf = a\n[a]\nssl_conf = b\n[b]\nsystem_default = c\n[c]\nMaxProtocol = TLSv1.2\n", 0o600)
		env = append(env, "OPENSSL_CONF="+conf)
	}
	return env
}

// files lists the messages of a Maildir folder by base name with their flags.
func files(t *testing.T, folder string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	for _, sub := range []string{"cur", "new"} {
		found, err := filepath.Glob(filepath.Join(folder, sub, "*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range found {
			base, info, _ := strings.Cut(filepath.Base(f), ":2,")
			letters := strings.Split(info, "")
			slices.Sort(letters)
			all[base] = strings.Join(letters, "")
		}
	}
	return all
}
