package e2e_test

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestImaplib: Python's client does what its users do with it, in
// testdata/imaplib_session.py, through each door.
func TestImaplib(t *testing.T) {
	script, err := filepath.Abs("testdata/imaplib_session.py")
	if err != nil {
		t.Fatal(err)
	}
	s := startServer(t)
	for _, d := range s.doors() {
		t.Run(d.name, func(t *testing.T) {
			a := s.account(t)
			for i := range 3 {
				if err := a.deliver("INBOX", numbered("python", i)); err != nil {
					t.Fatal(err)
				}
			}
			out := client(t, t.TempDir(), "python3", script, d.name, d.port, a.user, password, filepath.Join(s.dir, "ca.pem"))
			if !strings.HasSuffix(out, "all done\n") {
				t.Errorf("it ended with %q", out)
			}
		})
	}
}
