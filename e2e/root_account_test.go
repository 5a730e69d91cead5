package e2e_test

import (
	"strings"
	"testing"
)

// An account with uid or gid 0 gets no session, though its password is right.
func TestRootIsNoAccount(t *testing.T) {
	s := startSystem(t)
	for _, secure := range []bool{false, true} {
		for _, user := range []string{"toor", "wheel"} {
			all, err := s.knock(t, secure).do("LOGIN " + user + " " + password)
			if err != nil || !strings.HasPrefix(all[len(all)-1], "t NO [CONTACTADMIN] ") {
				t.Errorf("%s logs in: %q, %v", user, all, err)
			}
		}
	}
	if n := len(s.children(t, "worker")); n > 0 {
		t.Errorf("%d workers", n)
	}
	if log := s.log.String(); !strings.Contains(log, "uid or gid is 0") {
		t.Errorf("the log does not say why:\n%s", log)
	}
}
