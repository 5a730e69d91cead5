package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestOfflineimap: a first run fetches all, a flag set locally arrives at the
// server, a second run changes nothing more.
//
// It speaks TLS 1.2 (clientEnv): its library reads and writes one TLS object in two
// threads at once when a TLS 1.3 session ticket wakes its reader, and then, now and
// then, sends nothing any more, to whatever server.
func TestOfflineimap(t *testing.T) {
	s := startServer(t)
	for _, d := range s.doors() {
		t.Run(d.name, func(t *testing.T) {
			a, dir := s.account(t), t.TempDir()
			for i := range 20 {
				if err := a.deliver("INBOX", numbered("offline", i)); err != nil {
					t.Fatal(err)
				}
			}
			write(t, filepath.Join(dir, "rc"), fmt.Sprintf(`[general]
accounts = a
ui = basic
[Account a]
localrepository = near
remoterepository = far
[Repository near]
type = Maildir
localfolders = %s/mail
[Repository far]
type = IMAP
remotehost = localhost
remoteport = %s
remoteuser = %s
remotepass = %s
ssl = %s
starttls = %s
sslcacertfile = %s
auth_mechanisms = PLAIN, LOGIN
`, dir, d.port, a.user, password, yes(d.name == "tls"), yes(d.name == "starttls"), filepath.Join(s.dir, "ca.pem")), 0o600)
			client(t, dir, "offlineimap", "-c", "rc", "-o")
			near := filepath.Join(dir, "mail", "INBOX")
			if n := len(files(t, near)); n != 20 {
				t.Fatalf("%d messages came", n)
			}
			mark(t, near, 3, "F")
			client(t, dir, "offlineimap", "-c", "rc", "-o")
			if n := flagged(t, a.maildir, 'F'); n != 3 {
				t.Errorf("%d messages are flagged on the server; want 3", n)
			}
			before := fmt.Sprint(files(t, near), files(t, a.maildir))
			client(t, dir, "offlineimap", "-c", "rc", "-o")
			if after := fmt.Sprint(files(t, near), files(t, a.maildir)); after != before {
				t.Errorf("a run without change made\n%s\nof\n%s", after, before)
			}
		})
	}
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// TestFetchmail: every message is fetched once and deleted.
func TestFetchmail(t *testing.T) {
	s := startServer(t)
	for _, d := range s.doors() {
		t.Run(d.name, func(t *testing.T) {
			a, dir := s.account(t), t.TempDir()
			for i := range 5 {
				if err := a.deliver("INBOX", numbered("fetch", i)); err != nil {
					t.Fatal(err)
				}
			}
			ssl := map[string]string{"plain": "sslproto ''", "starttls": "sslproto 'auto'", "tls": "ssl"}[d.name]
			write(t, filepath.Join(dir, "rc"), fmt.Sprintf("poll localhost protocol imap port %s auth password user %s password %s\n%s sslcertck sslcertfile %q\nmda 'cat >>%s/box'\n",
				d.port, a.user, password, ssl, filepath.Join(s.dir, "ca.pem"), dir), 0o600)
			client(t, dir, "fetchmail", "-f", "rc", "--nosyslog", "-v")
			box, err := os.ReadFile(filepath.Join(dir, "box"))
			if err != nil {
				t.Fatal(err)
			}
			for i := range 5 {
				if n := strings.Count(string(box), fmt.Sprintf("This is fetch message %d.", i)); n != 1 {
					t.Errorf("message %d came %d times", i, n)
				}
			}
			if left := files(t, a.maildir); len(left) != 0 {
				t.Errorf("left on the server: %v", left)
			}
		})
	}
}

// TestNeomutt reads, flags, copies and deletes in batch, through each door and
// through a tunnel.
func TestNeomutt(t *testing.T) {
	s := startServer(t)
	for _, d := range append(s.doors(), door{"tunnel", s.port}) {
		t.Run(d.name, func(t *testing.T) {
			a, dir := s.account(t), t.TempDir()
			for i := range 3 {
				if err := a.deliver("INBOX", numbered("mutt", i)); err != nil {
					t.Fatal(err)
				}
			}
			makeMaildir(t, filepath.Join(a.maildir, ".Kept"))
			scheme := map[string]string{"tls": "imaps"}[d.name]
			if scheme == "" {
				scheme = "imap"
			}
			url := fmt.Sprintf("%s://%s@localhost:%s/", scheme, a.user, d.port)
			rc := []string{"set folder=" + url, "set spoolfile=" + url + "INBOX", "set imap_pass=" + password,
				"set ssl_starttls=" + yes(d.name == "starttls"), "set ssl_force_tls=" + yes(d.name == "starttls" || d.name == "tls"),
				"set certificate_file=" + filepath.Join(s.dir, "ca.pem"), "set sort=mailbox-order",
				"set delete=yes", "set quit=yes", "set confirmappend=no", "set delete_untag=yes", "set wait_key=no", "set trash=''", "unset mark_old", "set copy=no"}
			if d.name == "tunnel" {
				rc = append(rc, fmt.Sprintf("set tunnel=%q", a.imapd()))
			}
			rc = append(rc, `push "<first-entry><flag-message><jump>2<enter><copy-message>=Kept<enter><jump>3<enter><delete-message><sync-mailbox><quit>"`)
			write(t, filepath.Join(dir, "rc"), strings.Join(rc, "\n")+"\n", 0o600)
			inTmux(t, dir, "neomutt -n -F rc")
			if n := flagged(t, a.maildir, 'F'); n != 1 {
				t.Errorf("%d messages are flagged; want 1", n)
			}
			if n := len(files(t, a.maildir)); n != 2 {
				t.Errorf("%d messages are in the inbox; want 2", n)
			}
			if n := len(files(t, filepath.Join(a.maildir, ".Kept"))); n != 1 {
				t.Errorf("%d messages were copied; want 1", n)
			}
		})
	}
}

// inTmux runs a command that needs a terminal, until it ends.
func inTmux(t *testing.T, dir, command string) {
	t.Helper()
	socket := filepath.Join(dir, "tmux")
	t.Cleanup(func() { tryClient(t, dir, "tmux", "-S", socket, "kill-server") })
	client(t, dir, "tmux", "-S", socket, "-f", "/dev/null", "new-session", "-d", "-x", "100", "-y", "30",
		command+"; tmux -S "+socket+" wait-for -S done")
	if out, err := tryClient(t, dir, "timeout", "60", "tmux", "-S", socket, "wait-for", "done"); err != nil {
		screen, _ := tryClient(t, dir, "tmux", "-S", socket, "capture-pane", "-p")
		t.Fatalf("%s does not end: %v %s; its screen:\n%s", command, err, out, screen)
	}
}
