package e2e_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// The front cannot open a Maildir: it belongs to nobody that could, it is in a
// directory where there is none, it cannot become more, and it holds no file.
func TestFrontCannotOpenAMaildir(t *testing.T) {
	s := startSystem(t)
	s.deliverSystem(t, 1, "Subject: secret\n\nsecret\n")
	l := s.enterSystem(t, 1, true)
	l.must(t, "SELECT INBOX")
	front := s.child(t, "postrider-front")
	unprivileged(t, front, frontID)
	if front.status["Groups"] != "" {
		t.Errorf("it is in the groups %s", front.status["Groups"])
	}
	root := fmt.Sprintf("/proc/%d/root", front.pid)
	if at, err := os.Readlink(root); err != nil || at != filepath.Join(s.dir, "empty") {
		t.Errorf("its root is %q, %v", at, err)
	}
	if names, err := os.ReadDir(root); err != nil || len(names) > 0 {
		t.Errorf("in its root are %v, %v", names, err)
	}
	holdsNoFile(t, front)

	// By trying, as its user: from outside its directory, so with more than it has.
	message := filepath.Join(s.systemAccount(1).maildir, "cur")
	for _, command := range [][]string{{"ls", message}, {"cat", filepath.Join(s.dir, "userdb")}, {"cat", filepath.Join(s.dir, "postrider.conf")},
		{"cat", fmt.Sprintf("/proc/%d/mem", front.pid)}, {"ls", fmt.Sprintf("/proc/%d/fd/", s.cmd.Process.Pid)}} {
		deniedTo(t, frontID, command...)
	}
}

// unprivileged checks that a process is somebody who is nobody, for good.
func unprivileged(t *testing.T, p process, id int) {
	t.Helper()
	four := strings.TrimSpace(strings.Repeat(strconv.Itoa(id)+" ", 4))
	for name, want := range map[string]string{"Uid": four, "Gid": four, "NoNewPrivs": "1",
		"CapInh": "0000000000000000", "CapPrm": "0000000000000000", "CapEff": "0000000000000000", "CapAmb": "0000000000000000"} {
		if got := p.status[name]; got != want {
			t.Errorf("%v: %s is %q, want %q", p.args, name, got, want)
		}
	}
	// What may be dumped, and so be looked into by its own user, belongs to that user.
	info, err := os.Stat(fmt.Sprintf("/proc/%d/mem", p.pid))
	if err != nil || info.Sys().(*syscall.Stat_t).Uid != 0 {
		t.Errorf("%v can be looked into: %v", p.args, err)
	}
}

// holdsNoFile checks that a process has nothing open that is in a directory.
func holdsNoFile(t *testing.T, p process) {
	t.Helper()
	dir := fmt.Sprintf("/proc/%d/fd", p.pid)
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) == 0 {
		t.Fatal(entries, err)
	}
	for _, e := range entries {
		at, err := os.Readlink(filepath.Join(dir, e.Name()))
		// The runtime watches how many processors it may use.
		if err == nil && strings.HasPrefix(at, "/") && at != os.DevNull && !strings.HasPrefix(at, "/sys/fs/cgroup/") {
			t.Errorf("%v has %s open", p.args, at)
		}
	}
}

// deniedTo runs a command as a user and wants it to fail for lack of permission.
func deniedTo(t *testing.T, id int, command ...string) {
	t.Helper()
	c := exec.Command(command[0], command[1:]...)
	c.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C"}
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(id), Gid: uint32(id)}}
	out, err := c.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "denied") {
		t.Errorf("as uid %d %q is not denied: %q, %v", id, command, out, err)
	}
}
