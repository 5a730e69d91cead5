package e2e_test

import (
	bytesOrder "encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestNewerFormat: files that a newer version wrote are named to the client, and what
// does not need them works.
func TestNewerFormat(t *testing.T) {
	s := startServer(t)
	a := s.account(t)
	k := dial(t, s.port)
	k.login(a)
	k.ok("CREATE Work")
	k.ok(appendCommand("INBOX", "one", 100))
	k.ok("SELECT Work")
	k.ok("LOGOUT")
	s.stop(t)
	journal := filepath.Join(a.maildir, ".Work", "postrider", "journal")
	b, err := os.ReadFile(journal)
	if err != nil {
		t.Fatal(err)
	}
	bytesOrder.LittleEndian.PutUint32(b[8:], 9)
	bytesOrder.LittleEndian.PutUint32(b[60:], crc32.Checksum(b[:60], crc32.MakeTable(crc32.Castagnoli)))
	write(t, journal, string(b), 0o600)
	s.start(t)
	k = dial(t, s.port)
	k.login(a)
	for _, command := range []string{"SELECT Work", "STATUS Work (MESSAGES)", appendCommand("Work", "no", 100)} {
		got := tagged(k.do(command))
		if !strings.HasPrefix(got, "t NO ") || strings.Contains(got, "SERVERBUG") || !strings.Contains(got, "postrider/journal") || !strings.Contains(got, "version 9") {
			t.Errorf("%.20s: %s", command, got)
		}
	}
	k.ok("SELECT INBOX")
	if again, err := os.ReadFile(journal); err != nil || string(again) != string(b) {
		t.Errorf("the newer file was changed: %v", err)
	}
	k.ok("LOGOUT")
	s.stop(t)
	write(t, filepath.Join(a.maildir, "postrider", "account"), "PRACCT\r\n\x63\x00\x00\x00newer than we are", 0o600)
	s.start(t)
	k = dial(t, s.port)
	k.login(a)
	if got := tagged(k.do("LIST \"\" *")); !strings.Contains(got, "postrider/account") || !strings.Contains(got, "version 99") {
		t.Errorf("LIST: %s", got)
	}
}

// TestStoppedLockHolder: a process that was stopped while it holds a folder's lock
// keeps nobody waiting for ever, nor from reading; the log names it; and all goes on
// when it does.
func TestStoppedLockHolder(t *testing.T) {
	s := startServer(t, "LOCK_TIMEOUT=1")
	a := s.account(t)
	k := dial(t, s.port)
	k.login(a)
	k.ok("CREATE Work")
	k.ok(appendCommand("INBOX", "one", 100))
	k.ok("SELECT INBOX")
	holder := exec.Command("flock", a.maildir, "sh", "-c", "kill -STOP $$; true")
	holder.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- holder.Wait() }()
	t.Cleanup(func() { syscall.Kill(-holder.Process.Pid, syscall.SIGCONT) })
	held := false
	for range 500 { // until the lock is theirs
		b, err := os.ReadFile("/proc/locks")
		if err != nil {
			t.Fatal(err)
		}
		if held = regexp.MustCompile(fmt.Sprintf(`FLOCK +ADVISORY +WRITE %d `, holder.Process.Pid)).Match(b); held {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if !held {
		t.Fatal("nobody holds the lock")
	}
	second := dial(t, s.port)
	second.login(a)
	for _, command := range []string{`STORE 1 +FLAGS (\Flagged)`, appendCommand("INBOX", "two", 100), "EXPUNGE", "UID MOVE 1 Work"} {
		began := time.Now()
		got := tagged(k.do(command))
		if took := time.Since(began); !strings.HasPrefix(got, "t NO [INUSE]") && !strings.HasPrefix(got, "t OK") || took > 5*time.Second {
			t.Errorf("%.20s: after %v %s", command, took, got)
		}
		if strings.HasPrefix(got, "t OK") && command != "EXPUNGE" { // there is nothing to expunge
			t.Errorf("%.20s: %s", command, got)
		}
	}
	if all := strings.Join(k.ok("UID FETCH 1 (ENVELOPE BODY.PEEK[TEXT])"), "\n"); !strings.Contains(all, "one") {
		t.Errorf("FETCH: %s", all)
	}
	second.ok("SELECT Work")
	second.ok(appendCommand("Work", "another folder", 100))
	if want := fmt.Sprintf("process %d holds it", holder.Process.Pid); !strings.Contains(s.log.String(), want) {
		t.Errorf("the log does not say %q", want)
	}
	syscall.Kill(-holder.Process.Pid, syscall.SIGCONT)
	if err := <-ended; err != nil {
		t.Errorf("the holder: %v", err)
	}
	k.ok(`STORE 1 +FLAGS (\Flagged)`)
	k.ok(appendCommand("INBOX", "two", 100))
	if got := strings.Join(k.ok("STATUS INBOX (MESSAGES)"), " "); !strings.Contains(got, "MESSAGES 2)") {
		t.Errorf("STATUS: %s", got)
	}
}

// limitFiles sets how many descriptors the server may have.
func (s *server) limitFiles(t *testing.T, n int) {
	t.Helper()
	command := []string{"prlimit", "--pid", strconv.Itoa(s.cmd.Process.Pid), "--nofile=" + strconv.Itoa(n) + ":"}
	if os.Geteuid() == 0 { // only who it runs as may do that everywhere
		id := strconv.Itoa(mailID)
		command = append([]string{"setpriv", "--reuid=" + id, "--regid=" + id, "--clear-groups"}, command...)
	}
	run(t, command[0], command[1:]...)
}

// descriptors counts those that the server has.
func (s *server) descriptors(t *testing.T) int {
	t.Helper()
	all, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

// cpu is the time that the server has computed.
func (s *server) cpu(t *testing.T) time.Duration {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	f := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+2:]))
	user, _ := strconv.Atoi(f[11])
	system, _ := strconv.Atoi(f[12])
	return time.Duration(user+system) * 10 * time.Millisecond // USER_HZ is 100
}

// TestNoDescriptorsLeft: commands that need a descriptor are answered NO until there are
// some again; sessions stay, the server waits without turning in circles, and then
// takes connections and commands as before.
func TestNoDescriptorsLeft(t *testing.T) {
	s := startServer(t)
	a := s.account(t)
	k := dial(t, s.port)
	k.login(a)
	k.ok("CREATE Work")
	k.ok(appendCommand("INBOX", "one", 1000))
	k.ok(appendCommand("Work", "two", 1000))
	k.ok("SELECT INBOX")
	other := dial(t, s.port)
	other.login(a)
	s.limitFiles(t, s.descriptors(t))
	queued := dial(t, s.port) // the kernel takes it, the server cannot
	for _, command := range []string{"CREATE More", appendCommand("INBOX", "three", 1000), "UID COPY 1 Work", `UID STORE 1 +FLAGS (\Flagged)`, "UID FETCH 1 (BODY.PEEK[TEXT])"} {
		got := tagged(k.do(command))
		if !strings.HasPrefix(got, "t NO [UNAVAILABLE]") && !strings.HasPrefix(got, "t OK") {
			t.Errorf("%.20s: %s", command, got)
		}
	}
	if got := tagged(other.do("SELECT Work")); !strings.HasPrefix(got, "t NO [UNAVAILABLE]") {
		t.Errorf("SELECT of another folder: %s", got)
	}
	before := s.cpu(t)
	time.Sleep(1500 * time.Millisecond) // how much it computes in that time is what is looked at
	if used := s.cpu(t) - before; used > 500*time.Millisecond {
		t.Errorf("it computes: %v in 1.5 s", used)
	}
	s.limitFiles(t, 1024)
	queued.login(a)
	queued.ok("SELECT Work")
	other.ok("SELECT Work")
	k.ok("CREATE Later")
	k.ok(appendCommand("INBOX", "four", 1000))
	k.ok("UID COPY 1 Later")
	if all := strings.Join(k.ok("UID FETCH 1 (ENVELOPE BODY.PEEK[TEXT])"), "\n"); !strings.Contains(all, "one") {
		t.Errorf("FETCH: %s", all)
	}
	if !strings.Contains(s.log.String(), "accept failed") {
		t.Error("the log does not say that a connection could not be taken")
	}
}
