package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A worker of one uid cannot touch another's mail, nor another's worker.
func TestWorkerCannotTouchAnotherUser(t *testing.T) {
	s := startSystem(t)
	s.deliverSystem(t, 2, "Subject: secret\n\nsecret\n")
	one, two := s.enterSystem(t, 1, false), s.enterSystem(t, 2, true)
	two.must(t, "SELECT INBOX")
	workers := s.children(t, "worker")
	if len(workers) != 2 {
		t.Fatalf("%d workers", len(workers))
	}
	for n, uid := range map[int]int{1: firstUID, 2: firstUID + 1} {
		p := workerOf(t, workers, uid)
		unprivileged(t, p, uid)
		if p.status["Groups"] != "" {
			t.Errorf("the worker of %d is in the groups %s", uid, p.status["Groups"])
		}
		env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", p.pid))
		if err != nil {
			t.Fatal(err)
		}
		for v := range strings.SplitSeq(strings.TrimRight(string(env), "\x00"), "\x00") {
			if name, _, _ := strings.Cut(v, "="); name != "PATH" && name != "TZ" {
				t.Errorf("the worker of user %d has %s in its environment", n, v)
			}
		}
	}
	mail := s.systemAccount(2).maildir
	other := workerOf(t, workers, firstUID+1)
	for _, command := range [][]string{{"ls", mail}, {"touch", filepath.Join(mail, "new", "forged")}, {"cat", filepath.Join(s.dir, "userdb")},
		{"ls", fmt.Sprintf("/proc/%d/fd/", other.pid)}} {
		deniedTo(t, firstUID, command...)
	}
	for _, path := range []string{"/../" + mail, "../../../s2/Maildir"} {
		if all, err := one.do("SELECT \"" + path + "\""); err == nil && strings.HasPrefix(all[len(all)-1], "t OK") {
			t.Errorf("%s can be selected", path)
		}
	}
}

func workerOf(t *testing.T, workers []process, uid int) process {
	t.Helper()
	for _, p := range workers {
		if strings.HasPrefix(p.status["Uid"], fmt.Sprint(uid)+" ") {
			return p
		}
	}
	t.Fatalf("no worker of %d", uid)
	return process{}
}
