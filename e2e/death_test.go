package e2e_test

import (
	"strings"
	"syscall"
	"testing"
	"time"
)

func kill(t *testing.T, p process) {
	t.Helper()
	if err := syscall.Kill(p.pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

// A worker that dies takes down its own user's sessions and no other, and the next login
// starts a new one.
func TestDeathOfAWorker(t *testing.T) {
	s := startSystem(t)
	plain, secure, other := s.enterSystem(t, 1, false), s.enterSystem(t, 1, true), s.enterSystem(t, 2, true)
	secure.idle(t)
	old := workerOf(t, s.children(t, "worker"), firstUID)
	kill(t, old)
	if text, err := secure.read(); err != nil || !strings.HasPrefix(text, "* BYE [UNAVAILABLE] ") {
		t.Errorf("under TLS the client is told %q, %v", text, err)
	}
	if text, err := secure.read(); err == nil {
		t.Errorf("after BYE comes %q", text)
	}
	if text, err := plain.read(); err == nil {
		t.Errorf("a dead worker says %q", text)
	}
	other.must(t, "NOOP")
	s.enterSystem(t, 1, true).must(t, "SELECT INBOX")
	if now := workerOf(t, s.children(t, "worker"), firstUID); now.pid == old.pid {
		t.Error("the dead worker serves")
	}
}

// A front that dies takes down the sessions under TLS, which are in it; those that were
// handed over by descriptor go on, and a new front accepts.
func TestDeathOfTheFront(t *testing.T) {
	s := startSystem(t)
	plain, secure := s.enterSystem(t, 1, false), s.enterSystem(t, 1, true)
	plain.idle(t)
	old := s.child(t, "postrider-front")
	kill(t, old)
	if text, err := secure.read(); err == nil {
		t.Errorf("a dead front says %q", text)
	}
	// Nobody is refused meanwhile: the sockets are the parent's.
	s.enterSystem(t, 2, true).must(t, "SELECT INBOX")
	if now := s.child(t, "postrider-front"); now.pid == old.pid {
		t.Error("the dead front serves")
	}
	s.deliverSystem(t, 1, "Subject: hello\n\nhello\n")
	plain.until(t, "* 1 EXISTS")
}

// The keeper of the accounts that dies costs nobody a session.
func TestDeathOfTheKeeper(t *testing.T) {
	s := startSystem(t)
	plain, secure := s.enterSystem(t, 1, false), s.enterSystem(t, 1, true)
	old := s.child(t, "keeper")
	kill(t, old)
	for deadline := time.Now().Add(20 * time.Second); ; {
		all, err := s.knock(t, true).do("LOGIN s2 " + password)
		if err != nil {
			t.Fatal(err)
		}
		if answer := all[len(all)-1]; strings.HasPrefix(answer, "t OK") {
			break
		} else if !strings.Contains(answer, "[UNAVAILABLE]") || time.Now().After(deadline) {
			t.Fatalf("without a keeper the answer is %q", answer)
		}
	}
	plain.must(t, "NOOP")
	secure.must(t, "NOOP")
	if s.child(t, "keeper").pid == old.pid {
		t.Error("the dead keeper serves")
	}
}

// A worker without sessions ends by itself.
func TestWorkersEndWhenIdle(t *testing.T) {
	s := startSystem(t, "WORKER_LINGER=0")
	first, second := s.enterSystem(t, 1, false), s.enterSystem(t, 1, true)
	old := s.child(t, "worker")
	first.close()
	second.must(t, "NOOP")
	second.close()
	for deadline := time.Now().Add(20 * time.Second); len(s.children(t, "worker")) > 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the worker stays")
		}
	}
	s.enterSystem(t, 1, false).must(t, "SELECT INBOX")
	if s.child(t, "worker").pid == old.pid {
		t.Error("the worker is the old one")
	}
}
