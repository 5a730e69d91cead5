package e2e_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// SIGHUP has the settings read again: new sessions get the new ones, old ones go on with
// theirs, and a mistake changes nothing.
func TestReload(t *testing.T) {
	t.Run("one process", func(t *testing.T) { reload(t, startServer(t), "u1", mailID) })
	t.Run("system accounts", func(t *testing.T) { reload(t, startSystem(t), "s1", 0) })
}

func reload(t *testing.T, s *server, user string, owner int) {
	conf := filepath.Join(s.dir, "postrider.conf")
	if owner != 0 {
		if err := os.Chown(conf, owner, owner); err != nil { // the server is not root any more
			t.Fatal(err)
		}
	}
	before, err := os.ReadFile(conf)
	if err != nil {
		t.Fatal(err)
	}
	login := "LOGIN " + user + " " + password
	plain, secure, early := s.knock(t, false), s.knock(t, true), s.knock(t, true)
	plain.must(t, login)
	secure.must(t, login)
	secure.idle(t)

	port := freePort(t)
	rewrite(t, conf, strings.Replace(string(before), "\nPORT="+s.port, "\nPORT="+s.port+","+port, 1)+"IMAP_HIDE=MOVE\n")
	s.hangUp(t, "settings read again")
	if all := plain.must(t, "CAPABILITY"); !strings.Contains(all[0], " MOVE") {
		t.Errorf("an old session has new settings: %s", all[0])
	}
	early.must(t, login)
	if all := early.must(t, "CAPABILITY"); !strings.Contains(all[0], " MOVE") {
		t.Errorf("a connection from before has new settings: %s", all[0])
	}
	fresh := s.knock(t, true)
	fresh.must(t, login)
	if all := fresh.must(t, "CAPABILITY"); strings.Contains(all[0], " MOVE") {
		t.Errorf("a new session has old settings: %s", all[0])
	}
	added, err := dialLine(port)
	if err != nil {
		t.Fatalf("the port that was added: %v", err)
	}
	added.close()
	fresh.must(t, "CREATE Reloaded")
	fmt.Fprintf(fresh.c, "a APPEND INBOX {5+}\r\nhello\r\n")
	fresh.until(t, "a OK")
	secure.until(t, "* 1 EXISTS")

	rewrite(t, conf, string(before)+"IMAP_UMASK=nonsense\n")
	s.hangUp(t, "the new settings cannot be used; the old ones stay")
	fresh.must(t, "NOOP")
	again := s.knock(t, false)
	again.must(t, login)
	if all := again.must(t, "CAPABILITY"); strings.Contains(all[0], " MOVE") {
		t.Errorf("a mistake brought the oldest settings back: %s", all[0])
	}

	rewrite(t, conf, string(before))
	s.hangUp(t, "settings read again")
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		c, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err != nil {
			break // the generation before has heard of it
		}
		c.Close()
		if time.Now().After(deadline) {
			t.Fatal("the port that was removed still listens")
		}
	}
	for _, l := range []*line{plain, early, fresh} {
		l.must(t, "NOOP")
	}
}

func rewrite(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0); err != nil { // it is there: its mode stays
		t.Fatal(err)
	}
}

// hangUp sends SIGHUP and waits until the log has said this once more.
func (s *server) hangUp(t *testing.T, said string) {
	t.Helper()
	s.signal(t, syscall.SIGHUP, said)
}

func (s *server) signal(t *testing.T, sig syscall.Signal, said string) {
	t.Helper()
	before := strings.Count(s.log.String(), said)
	if err := s.cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(30 * time.Second); strings.Count(s.log.String(), said) == before; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("after %v the log does not say %q:\n%s", sig, said, s.log)
		}
	}
}
