package e2e_test

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestCurl: a listing, a message as it was stored, a search, a store, and an
// upload, through each door.
func TestCurl(t *testing.T) {
	s := startServer(t)
	for _, d := range s.doors() {
		t.Run(d.name, func(t *testing.T) {
			a, dir := s.account(t), t.TempDir()
			message := numbered("curl", 1)
			if err := a.deliver("INBOX", message); err != nil {
				t.Fatal(err)
			}
			flags := map[string][]string{"plain": nil, "starttls": {"--ssl-reqd"}, "tls": nil}[d.name]
			scheme := map[string]string{"plain": "imap", "starttls": "imap", "tls": "imaps"}[d.name]
			curl := func(path string, more ...string) string {
				t.Helper()
				args := append([]string{"-sS", "--cacert", filepath.Join(s.dir, "ca.pem"), "-u", a.user + ":" + password}, flags...)
				return client(t, dir, "curl", append(append(args, more...), scheme+"://localhost:"+d.port+path)...)
			}
			if got := curl("/"); !strings.Contains(got, `"/" "INBOX"`) {
				t.Errorf("the list is %q", got)
			}
			if got, want := curl("/INBOX;MAILINDEX=1"), strings.ReplaceAll(message, "\n", "\r\n"); got != want {
				t.Errorf("the message is %q, want %q", got, want)
			}
			if got := curl("/INBOX?SUBJECT%20curl"); strings.TrimSpace(got) != "* SEARCH 1" {
				t.Errorf("the search answers %q", got)
			}
			upload := filepath.Join(dir, "upload")
			write(t, upload, "Subject: up\r\n\r\nloaded\r\n", 0o600)
			curl("/INBOX", "-T", upload)
			if got := curl("/INBOX;MAILINDEX=2;SECTION=TEXT"); got != "loaded\r\n" {
				t.Errorf("the uploaded text is %q", got)
			}
			curl("/INBOX", "-X", `STORE 2 +FLAGS (\Flagged)`)
			if n := flagged(t, a.maildir, 'F'); n != 1 {
				t.Errorf("%d messages are flagged", n)
			}
		})
	}
}
