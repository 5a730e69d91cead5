package e2e_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// SIGUSR2 has the program on the disk take over: no connection is refused meanwhile, and
// the sessions that there are go on in the old one, those under TLS too.
func TestReplacement(t *testing.T) {
	t.Run("one process", func(t *testing.T) {
		s := startServer(t, "DRAIN_TIMEOUT=60")
		replacement(t, s, "u1", func() {
			if err := s.account(t).deliver("INBOX", "Subject: hello\n\nhello\n"); err != nil {
				t.Error(err)
			}
		})
	})
	t.Run("system accounts", func(t *testing.T) {
		s := startSystem(t, "DRAIN_TIMEOUT=60")
		replacement(t, s, "s1", func() { s.deliverSystem(t, 1, "Subject: hello\n\nhello\n") })
	})
}

func replacement(t *testing.T, s *server, user string, deliver func()) {
	login := "LOGIN " + user + " " + password
	var sessions []*line
	for _, secure := range []bool{false, true} {
		l := s.knock(t, secure)
		l.must(t, login)
		l.idle(t)
		sessions = append(sessions, l)
	}
	stop := make(chan struct{})
	var knocking sync.WaitGroup
	logins := make([]int, 2)
	for i := range logins {
		knocking.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				l, err := dialLine(s.port)
				if err != nil {
					t.Errorf("a connection during the replacement: %v", err)
					return
				}
				if all, err := l.do(login); err != nil || !strings.HasPrefix(all[len(all)-1], "t OK") {
					t.Errorf("a login during the replacement: %q, %v", all, err)
				}
				l.close()
				logins[i]++
			}
		})
	}
	old := s.cmd.Process.Pid
	s.signal(t, syscall.SIGUSR2, "the new program serves")
	successor := s.successor(t)
	fresh := s.knock(t, true)
	fresh.must(t, login)
	close(stop)
	knocking.Wait()
	if logins[0] == 0 || logins[1] == 0 {
		t.Error("nobody logged in meanwhile")
	}
	deliver()
	for _, l := range sessions {
		l.until(t, "* 1 EXISTS")
		fmt.Fprint(l.c, "DONE\r\n")
		l.until(t, "i OK")
	}
	fresh.must(t, "SELECT INBOX")
	for _, l := range sessions {
		l.close()
	}
	awaitEnd(t, old)
	fresh.must(t, "NOOP")
	if err := syscall.Kill(successor, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	fresh.until(t, "* BYE ")
	awaitEnd(t, successor)
	if err := <-s.ended; err != nil {
		t.Errorf("the old server ended with %v", err)
	}
	s.cmd = nil
}

// successor is the process that replaced the server. It ends with the test.
func (s *server) successor(t *testing.T) int {
	t.Helper()
	said := regexp.MustCompile(`the new program serves.* pid=(\d+)`).FindStringSubmatch(s.log.String())
	if said == nil {
		t.Fatalf("the log does not say which process serves:\n%s", s.log)
	}
	pid, err := strconv.Atoi(said[1])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, alive := readProcess(pid); alive {
			syscall.Kill(pid, syscall.SIGTERM)
			awaitEnd(t, pid)
		}
	})
	return pid
}

// awaitEnd waits for the end of a process that may be nobody's child any more.
func awaitEnd(t *testing.T, pid int) {
	t.Helper()
	for deadline := time.Now().Add(40 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if _, alive := readProcess(pid); !alive {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("process %d does not end", pid)
		}
	}
}

// A new program that does not start leaves the old one as it was.
func TestReplacementThatFails(t *testing.T) {
	for name, start := range map[string]func(*testing.T, ...string) *server{"one process": startServer, "system accounts": startSystem} {
		t.Run(name, func(t *testing.T) {
			s := start(t)
			conf := filepath.Join(s.dir, "postrider.conf")
			before, err := os.ReadFile(conf)
			if err != nil {
				t.Fatal(err)
			}
			l := s.knock(t, true)
			rewrite(t, conf, string(before)+"IMAP_UMASK=nonsense\n")
			s.signal(t, syscall.SIGUSR2, "the new program does not serve; this one goes on")
			rewrite(t, conf, string(before))
			l.must(t, "NOOP")
			s.knock(t, false)
			s.signal(t, syscall.SIGUSR2, "the new program serves")
			s.knock(t, true)
			s.successor(t)
		})
	}
}

// A service manager may give the sockets (systemd.socket(5)); their names say what they
// are for.
func TestSocketActivation(t *testing.T) {
	program, err := exec.LookPath("systemd-socket-activate")
	if err != nil {
		t.Fatal("this test needs systemd-socket-activate: run scripts/setup.sh")
	}
	s := startServer(t)
	s.stop(t)
	port, tlsPort := freePort(t), freePort(t)
	s.cmd = exec.Command(program, "-l", "127.0.0.1:"+port, "-l", "127.0.0.1:"+tlsPort, "--fdname=imap:imaps",
		binary, "serve", "--config", filepath.Join(s.dir, "postrider.conf"))
	s.cmd.Stderr = s.log
	s.port, s.tlsPort = port, tlsPort
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c := s.cmd
	go func() { s.ended <- c.Wait() }()
	s.awaitGreeting(t)
	for _, secure := range []bool{false, true} {
		s.knock(t, secure).must(t, "LOGIN u1 "+password)
	}
}

// The service manager is told when the server serves, reads its settings again, is
// replaced, and ends (sd_notify(3)).
func TestServiceManagerIsTold(t *testing.T) {
	s := startServer(t)
	s.stop(t)
	path := filepath.Join(s.dir, "notify")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	give(t, path)
	told := func(want string) {
		t.Helper()
		manager.SetReadDeadline(time.Now().Add(30 * time.Second))
		var b [4096]byte
		n, err := manager.Read(b[:])
		if err != nil || !strings.HasPrefix(string(b[:n]), want) {
			t.Errorf("told %q, %v; want %q", b[:n], err, want)
		}
	}
	s.env = []string{"NOTIFY_SOCKET=" + path}
	conf := filepath.Join(s.dir, "postrider.conf")
	give(t, conf)
	s.start(t)
	told("READY=1")
	s.hangUp(t, "settings read again")
	told("RELOADING=1\nMONOTONIC_USEC=")
	told("READY=1")
	s.signal(t, syscall.SIGUSR2, "the new program serves")
	told("READY=1") // by the new one
	pid := s.successor(t)
	told("MAINPID=" + strconv.Itoa(pid))
	awaitEnd(t, s.cmd.Process.Pid)
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	told("STOPPING=1")
}
