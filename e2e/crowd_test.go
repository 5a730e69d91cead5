package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// TestCrowd: many clients, of the server and of processes of their own, change one
// account at once (testdata/crowd.py); in the end the directory holds what they see.
func TestCrowd(t *testing.T) {
	script, err := filepath.Abs("testdata/crowd.py")
	if err != nil {
		t.Fatal(err)
	}
	s := startServer(t, "LOG_LEVEL=warn")
	a := s.account(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 200 {
			if err := a.deliver("INBOX", numbered("delivery", i)); err != nil {
				t.Error(err)
			}
		}
	}()
	out := client(t, t.TempDir(), "python3", script, s.port, a.user, password, "6", a.imapd())
	<-done
	for folder, dir := range map[string]string{"INBOX": a.maildir, "Work": filepath.Join(a.maildir, ".Work")} {
		if want := fmt.Sprintf("%s %d\n", folder, len(files(t, dir))); !strings.Contains(out, want) {
			t.Errorf("the clients see\n%s, the directory has %s", out, want)
		}
	}
}

// TestKilled: what was answered with OK is there, under its UID, after the server
// was killed in the middle of its work.
func TestKilled(t *testing.T) {
	s := startServer(t)
	a := s.account(t)
	uids := make(map[string]string) // subject of the appended message
	code := regexp.MustCompile(`\[APPENDUID (\d+ \d+)\]`)
	k := dial(t, s.port)
	k.line()
	k.ok("LOGIN " + a.user + " " + password)
	for i := range 300 {
		subject := fmt.Sprintf("kept %d", i)
		text := "Subject: " + subject + "\r\n\r\nx\r\n"
		fmt.Fprintf(k.c, "t APPEND INBOX {%d+}\r\n%s\r\n", len(text), text)
		if i == 250 { // this one nobody waits for
			s.cmd.Process.Signal(syscall.SIGKILL)
			<-s.ended
			break
		}
		answer := k.line()
		found := code.FindStringSubmatch(answer)
		if found == nil {
			t.Fatalf("APPEND: %s", answer)
		}
		uids[found[1]] = subject
	}
	s.start(t)
	k = dial(t, s.port)
	k.line()
	k.ok("LOGIN " + a.user + " " + password)
	validity := regexp.MustCompile(`UIDVALIDITY (\d+)`).FindStringSubmatch(strings.Join(k.ok("SELECT INBOX"), "\n"))[1]
	got := make(map[string]string)
	row := regexp.MustCompile(`UID (\d+) ENVELOPE \(NIL "([^"]*)"`)
	for _, m := range row.FindAllStringSubmatch(strings.Join(k.ok("UID FETCH 1:* (UID ENVELOPE)"), "\n"), -1) {
		got[validity+" "+m[1]] = m[2]
	}
	for uid, subject := range uids {
		if got[uid] != subject {
			t.Errorf("%s was appended as %s; now that is %q", subject, uid, got[uid])
		}
	}
	if left, _ := os.ReadDir(filepath.Join(a.maildir, "new")); len(left) != 0 {
		t.Errorf("%d messages are still in new", len(left))
	}
}
