package e2e_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestFail2ban: fail2ban's own filter for Courier finds each failed login in the log of
// serve, and nothing else.
func TestFail2ban(t *testing.T) {
	s := startServer(t, "LOG_FORMAT=courier", "LOG_LEVEL=debug")
	a := s.account(t)
	k := dial(t, s.port)
	k.line()
	k.do("LOGIN " + a.user + " wrong")
	k.do("AUTHENTICATE PLAIN AG5vYm9keQB3cm9uZw==")
	k.ok("LOGIN " + a.user + " " + password)
	k.ok("LOGOUT")
	other := dial(t, s.port)
	other.line()
	other.ok("LOGOUT")
	await(t, s.log, func() bool { return strings.Contains(s.log.String(), "INFO: LOGOUT, ip=") })
	var lines strings.Builder
	for _, line := range strings.Split(strings.TrimSpace(s.log.String()), "\n") {
		_, text, _ := strings.Cut(line, ": ") // courierlogger takes the severity off
		fmt.Fprintf(&lines, "Nov 25 08:00:00 host imapd: %s\n", text)
	}
	name := filepath.Join(t.TempDir(), "log")
	write(t, name, lines.String(), 0o600)
	out, err := exec.Command("../scripts/setup.sh", "courier-dir").Output()
	root := strings.TrimSpace(string(out))
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command("python3", filepath.Join(root, "usr/bin/fail2ban-regex"), "-c", filepath.Join(root, "etc/fail2ban"), "-o", "ip", name, "courier-auth")
	c.Env = append(os.Environ(), "PYTHONPATH="+filepath.Join(root, "usr/lib/python3/dist-packages"), "PYTHONDONTWRITEBYTECODE=1")
	out, err = c.CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != "127.0.0.1\n127.0.0.1" {
		t.Errorf("fail2ban-regex says %q, %v; scripts/setup.sh unpacks it\n%s", out, err, lines.String())
	}
	for _, line := range []string{"INFO: LOGIN, user=" + a.user + ", ip=[::ffff:127.0.0.1]", "INFO: LOGOUT, user=" + a.user + ", ip=[::ffff:127.0.0.1]"} {
		if !strings.Contains(s.log.String(), line) {
			t.Errorf("the log lacks %q\n%s", line, s.log)
		}
	}
}
