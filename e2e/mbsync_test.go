package e2e_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// mbsyncConfig is a channel between a server's account and a Maildir in dir.
func mbsyncConfig(t *testing.T, dir, account string) {
	t.Helper()
	write(t, filepath.Join(dir, ".mbsyncrc"), account+`
IMAPStore far
Account postrider

MaildirStore near
Path `+dir+`/near/
Inbox `+dir+`/near/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create Both
Remove Both
Expunge Both
CopyArrivalDate yes
SyncState *
`, 0o600)
	if err := os.MkdirAll(filepath.Join(dir, "near"), 0o755); err != nil {
		t.Fatal(err)
	}
}

func mbsyncAccount(s *server, a account, d door) string {
	kind := map[string]string{"plain": "None", "starttls": "STARTTLS", "tls": "IMAPS"}[d.name]
	return fmt.Sprintf("IMAPAccount postrider\nHost localhost\nPort %s\nUser %s\nPass %s\nSSLType %s\nCertificateFile %s\nAuthMechs *\n",
		d.port, a.user, password, kind, filepath.Join(s.dir, "ca.pem"))
}

// TestMbsync: two-way synchronisation of 1,000 messages, flags both ways, and
// repeated without change it transfers nothing.
func TestMbsync(t *testing.T) {
	s := startServer(t)
	for _, d := range s.doors() {
		t.Run(d.name, func(t *testing.T) {
			a, dir := s.account(t), t.TempDir()
			mbsyncConfig(t, dir, mbsyncAccount(s, a, d))
			synchronise(t, a, dir)
		})
	}
}

func synchronise(t *testing.T, a account, dir string) {
	t.Helper()
	near := filepath.Join(dir, "near", "INBOX")
	for _, sub := range []string{"cur", "new", "tmp"} {
		if err := os.MkdirAll(filepath.Join(near, sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 500 {
		write(t, fmt.Sprintf("%s/cur/%d.near%d:2,S", near, 1700000000+i, i), numbered("near", i), 0o600)
		if err := a.deliver("INBOX", numbered("far", i)); err != nil {
			t.Fatal(err)
		}
	}
	client(t, dir, "mbsync", "-a")
	far := a.maildir
	if n, f := len(files(t, near)), len(files(t, far)); n != 1000 || f != 1000 {
		t.Fatalf("after the first run there are %d messages near and %d far", n, f)
	}
	unchanged(t, dir, near, far)

	mark(t, near, 10, "F")
	mark(t, far, 10, "R")
	client(t, dir, "mbsync", "-a")
	want := map[byte]int{'F': 10, 'R': 10}
	for letter, n := range want {
		if c := flagged(t, near, letter); c != n {
			t.Errorf("near, %d messages have %c; want %d", c, letter, n)
		}
		if c := flagged(t, far, letter); c != n {
			t.Errorf("far, %d messages have %c; want %d", c, letter, n)
		}
	}
	unchanged(t, dir, near, far)

	mark(t, near, 5, "T")
	client(t, dir, "mbsync", "-a")
	if n, f := len(files(t, near)), len(files(t, far)); n != 995 || f != 995 {
		t.Errorf("after the deletion of 5 there are %d messages near and %d far", n, f)
	}
}

// unchanged runs mbsync again and demands that nothing is transferred.
func unchanged(t *testing.T, dir, near, far string) {
	t.Helper()
	nearBefore, farBefore := files(t, near), files(t, far)
	out := client(t, dir, "mbsync", "-V", "-a")
	if !maps.Equal(nearBefore, files(t, near)) || !maps.Equal(farBefore, files(t, far)) {
		t.Errorf("a run without change changed files:\n%s", out)
	}
	for _, line := range strings.Split(out, "\n") {
		if i := strings.Index(line, "Far:"); i >= 0 && strings.Trim(strings.NewReplacer("Far:", "", "Near:", "", "+0", "", "*0", "", "#0", "", "-0", "").Replace(line[i:]), " \r") != "" {
			t.Errorf("a run without change says: %s", line)
		}
	}
}

// mark gives the first n messages without flags but \Seen a letter, by renaming
// their files as another program does.
func mark(t *testing.T, folder string, n int, letter string) {
	t.Helper()
	all := files(t, folder)
	for _, base := range slices.Sorted(maps.Keys(all)) {
		if n == 0 {
			return
		}
		if strings.Trim(all[base], "S") != "" {
			continue
		}
		found, err := filepath.Glob(filepath.Join(folder, "*", base+"*"))
		if err != nil || len(found) != 1 {
			t.Fatalf("%s: %v, %v", base, found, err)
		}
		letters := []byte(all[base] + letter)
		slices.Sort(letters)
		if err := os.Rename(found[0], filepath.Join(folder, "cur", base+":2,"+string(letters))); err != nil {
			t.Fatal(err)
		}
		n--
	}
	if n > 0 {
		t.Fatalf("%d messages too few to mark", n)
	}
}

func flagged(t *testing.T, folder string, letter byte) (n int) {
	t.Helper()
	for _, letters := range files(t, folder) {
		if strings.IndexByte(letters, letter) >= 0 {
			n++
		}
	}
	return n
}

// numbered is a message of its own.
func numbered(kind string, i int) string {
	return fmt.Sprintf("From: %[1]s <%[1]s@example.org>\nTo: u@example.org\nSubject: %[1]s message %[2]d\nMessage-ID: <%[1]s-%[2]d@example.org>\nDate: Mon, 2 Mar 2026 08:00:00 +0000\n\nThis is %[1]s message %[2]d.\n", kind, i)
}
