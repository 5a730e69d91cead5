package e2e_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestCourierNames: a Maildir of Courier shows its folders under the names that
// its users know, with its subscriptions.
func TestCourierNames(t *testing.T) {
	s := startServer(t, "IMAP_NAMESPACE=courier")
	a := s.account(t)
	makeMaildir(t, filepath.Join(a.maildir, ".Sent"))
	makeMaildir(t, filepath.Join(a.maildir, ".Lists.Go"))
	for _, f := range []string{".Sent/maildirfolder", ".Lists.Go/maildirfolder"} {
		write(t, filepath.Join(a.maildir, f), "", 0o644)
		give(t, filepath.Join(a.maildir, f))
	}
	subscribed := filepath.Join(a.maildir, "courierimapsubscribed")
	write(t, subscribed, "INBOX.Sent\n", 0o644)
	give(t, subscribed)
	k := dial(t, s.port)
	k.line()
	k.ok("LOGIN " + a.user + " " + password)
	if got := k.ok(`NAMESPACE`); got[0] != `* NAMESPACE (("INBOX." ".")) NIL NIL` {
		t.Errorf("got %q", got)
	}
	all := strings.Join(k.ok(`LIST "" "*"`), "\n")
	for _, name := range []string{`"." "INBOX"`, `"." "INBOX.Sent"`, `"." "INBOX.Lists"`, `"." "INBOX.Lists.Go"`} {
		if !strings.Contains(all, name) {
			t.Errorf("%s is missing in\n%s", name, all)
		}
	}
	if got := k.ok(`LSUB "" "*"`); len(got) != 2 || !strings.Contains(got[0], "INBOX.Sent") {
		t.Errorf("subscribed are %q", got)
	}
	k.ok("CREATE INBOX.New.Folder")
	k.ok("SUBSCRIBE INBOX.New.Folder")
	if _, err := os.Stat(filepath.Join(a.maildir, ".New.Folder", "maildirfolder")); err != nil {
		t.Error(err)
	}
	text, err := os.ReadFile(subscribed)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Fields(string(text))
	if !slices.Contains(lines, "INBOX.Sent") || !slices.Contains(lines, "INBOX.New.Folder") {
		t.Errorf("%s holds %q", subscribed, lines)
	}
}
