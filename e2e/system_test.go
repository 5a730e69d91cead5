package e2e_test

import (
	"crypto/sha1"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// systemUsers is how many system accounts a server of startSystem has, s1, s2, ...; the
// first has this uid, each one more.
const (
	systemUsers = 4
	firstUID    = 14400
	frontID     = 14390
)

// startSystem starts a server with a process for each uid. Only root can: without it
// the test fails.
func startSystem(t *testing.T, settings ...string) *server {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("processes for several users are started by root: run this test as root")
	}
	s := &server{dir: publicDir(t), port: freePort(t), tlsPort: freePort(t), log: new(output), ended: make(chan error, 1)}
	s.writeSystemAccounts(t)
	s.certFile = filepath.Join(s.dir, "cert.pem")
	s.makeCertificate(t, "localhost")
	conf := append([]string{"ADDRESS=127.0.0.1", "PORT=" + s.port, "SSLADDRESS=127.0.0.1", "SSLPORT=" + s.tlsPort,
		"TLS_CERTFILE=" + s.certFile, "USERDB=" + filepath.Join(s.dir, "userdb"), "MAXPERIP=0", "LOG_LEVEL=debug",
		"FRONT_USER=" + strconv.Itoa(frontID), "FRONT_DIR=" + filepath.Join(s.dir, "empty")}, settings...)
	write(t, filepath.Join(s.dir, "postrider.conf"), strings.Join(conf, "\n")+"\n", 0o600)
	t.Cleanup(func() { s.stop(t) })
	s.start(t)
	return s
}

// systemAccount is the user n, from 1 on.
func (s *server) systemAccount(n int) account {
	user := "s" + strconv.Itoa(n)
	return account{user: user, maildir: filepath.Join(s.dir, "home", user, "Maildir")}
}

func (s *server) writeSystemAccounts(t *testing.T) {
	t.Helper()
	sum := sha1.Sum([]byte(password))
	stored := "{SHA}" + base64.StdEncoding.EncodeToString(sum[:])
	var b strings.Builder
	if err := os.Mkdir(filepath.Join(s.dir, "home"), 0o755); err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= systemUsers; n++ {
		uid := firstUID + n - 1
		home := filepath.Dir(s.systemAccount(n).maildir)
		for _, dir := range []string{home, home + "/Maildir", home + "/Maildir/cur", home + "/Maildir/new", home + "/Maildir/tmp"} {
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.Chown(dir, uid, uid); err != nil {
				t.Fatal(err)
			}
		}
		fmt.Fprintf(&b, "s%d\tuid=%d|gid=%d|home=%s|systempw=%s\n", n, uid, uid, home, stored)
	}
	fmt.Fprintf(&b, "toor\tuid=0|gid=%d|home=/root|systempw=%s\n", firstUID, stored)
	fmt.Fprintf(&b, "wheel\tuid=%d|gid=0|home=/root|systempw=%s\n", firstUID, stored)
	write(t, filepath.Join(s.dir, "userdb"), b.String(), 0o600)
}

// deliverSystem puts a message into the inbox of the user n, as its delivery agent.
func (s *server) deliverSystem(t *testing.T, n int, message string) {
	t.Helper()
	a := s.systemAccount(n)
	name := fmt.Sprintf("%d.M%dQ%d.localhost", time.Now().Unix(), time.Now().Nanosecond(), delivered.Add(1))
	tmp := filepath.Join(a.maildir, "tmp", name)
	write(t, tmp, message, 0o600)
	if err := os.Chown(tmp, firstUID+n-1, firstUID+n-1); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(tmp, filepath.Join(a.maildir, "new", name)); err != nil {
		t.Fatal(err)
	}
}

// enterSystem logs the user n in, or fails.
func (s *server) enterSystem(t *testing.T, n int, secure bool) *line {
	t.Helper()
	l := s.knock(t, secure)
	l.must(t, fmt.Sprintf("LOGIN s%d %s", n, password))
	return l
}

// knock is a connection that was greeted.
func (s *server) knock(t *testing.T, secure bool) *line {
	t.Helper()
	c, err := net.Dial("tcp", "127.0.0.1:"+map[bool]string{false: s.port, true: s.tlsPort}[secure])
	if err != nil {
		t.Fatal(err)
	}
	if secure {
		c = tls.Client(c, &tls.Config{InsecureSkipVerify: true})
	}
	l := newLine(c)
	t.Cleanup(l.close)
	if greeting, err := l.read(); err != nil || !strings.HasPrefix(greeting, "* OK ") {
		t.Fatalf("greeted with %q, %v", greeting, err)
	}
	return l
}

// until reads lines until one begins so.
func (l *line) until(t *testing.T, prefix string) {
	t.Helper()
	for {
		text, err := l.read()
		if err != nil {
			t.Fatalf("waiting for %q: %q, %v", prefix, text, err)
		}
		if strings.HasPrefix(text, prefix) {
			return
		}
	}
}

// idle begins to wait in the inbox.
func (l *line) idle(t *testing.T) {
	t.Helper()
	l.must(t, "SELECT INBOX")
	fmt.Fprint(l.c, "i IDLE\r\n")
	l.until(t, "+ ")
}

// process is one of the server's, as /proc shows it.
type process struct {
	pid    int
	parent int
	args   []string
	status map[string]string
}

func readProcess(pid int) (p process, ok bool) {
	args, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return p, false
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return p, false
	}
	p = process{pid: pid, args: strings.Split(strings.TrimRight(string(args), "\x00"), "\x00"), status: make(map[string]string)}
	for l := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(l, ":")
		p.status[name] = strings.Join(strings.Fields(value), " ")
	}
	p.parent, err = strconv.Atoi(p.status["PPid"])
	return p, err == nil && p.status["State"] != "Z (zombie)"
}

// children are the processes that the server started and that have this word among
// their arguments.
func (s *server) children(t *testing.T, word string) (all []process) {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		p, ok := readProcess(pid)
		if ok && p.parent == s.cmd.Process.Pid && slices.ContainsFunc(p.args, func(a string) bool { return filepath.Base(a) == word }) {
			all = append(all, p)
		}
	}
	return all
}

// child is the one of these processes that there is, or is soon.
func (s *server) child(t *testing.T, word string) process {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		all := s.children(t, word)
		if len(all) == 1 {
			return all[0]
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d processes %s", len(all), word)
		}
	}
}

func TestSystemAccounts(t *testing.T) {
	s := startSystem(t)
	for _, secure := range []bool{false, true} {
		one, two := s.enterSystem(t, 1, secure), s.enterSystem(t, 2, secure)
		again := s.enterSystem(t, 1, secure)
		one.must(t, "CREATE Work")
		if all := again.must(t, `LIST "" *`); !slices.ContainsFunc(all, func(l string) bool { return strings.HasSuffix(l, `"Work"`) }) {
			t.Errorf("another session sees %q", all)
		}
		again.idle(t)
		s.deliverSystem(t, 1, "Subject: hello\n\nhello\n")
		again.until(t, "* ")
		if all := two.must(t, "STATUS INBOX (MESSAGES)"); !strings.Contains(all[0], "MESSAGES 0") {
			t.Errorf("another user sees %q", all)
		}
		one.must(t, "DELETE Work")
		big := strings.Repeat("0123456789abcde\r\n", 200_000)
		fmt.Fprintf(two.c, "a APPEND Big {%d+}\r\n%s\r\n", len(big), big)
		two.until(t, "a NO [TRYCREATE]")
		two.must(t, "CREATE Big")
		fmt.Fprintf(two.c, "a APPEND Big {%d+}\r\n%s\r\n", len(big), big)
		two.until(t, "a OK")
		two.must(t, "SELECT Big")
		if all := two.must(t, "FETCH 1 BODY.PEEK[]"); len(strings.Join(all, "\r\n")) < len(big) {
			t.Error("a large message came back smaller")
		}
		two.must(t, "CLOSE")
		two.must(t, "DELETE Big")
		if all, err := two.do("LOGOUT"); err != nil || !strings.HasPrefix(all[0], "* BYE") {
			t.Error(all, err)
		}
	}
	if n := len(s.children(t, "worker")); n != 2 {
		t.Errorf("%d workers for two users", n)
	}
}

// A renewed certificate is used without a signal, though the front can open no file.
func TestSystemCertificateIsRenewed(t *testing.T) {
	s := startSystem(t)
	old := s.enterSystem(t, 1, true)
	s.makeCertificate(t, "renewed.example")
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		c, err := tls.Dial("tcp", "127.0.0.1:"+s.tlsPort, &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		name := c.ConnectionState().PeerCertificates[0].Subject.CommonName
		c.Close()
		if name == "renewed.example" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the certificate is still that of %q", name)
		}
	}
	old.must(t, "NOOP")
}

// A home that is not there is made as root and belongs to its user.
func TestSystemHomeIsMade(t *testing.T) {
	dir := publicDir(t)
	if err := os.MkdirAll(filepath.Join(dir, "skel", "notes"), 0o755); err != nil {
		t.Fatal(err)
	}
	s := startSystem(t, "AUTH_MKHOMEDIR_SKEL="+filepath.Join(dir, "skel"))
	home := filepath.Dir(s.systemAccount(3).maildir)
	if err := os.RemoveAll(home); err != nil {
		t.Fatal(err)
	}
	s.enterSystem(t, 3, true).must(t, "SELECT INBOX")
	for _, path := range []string{home, filepath.Join(home, "notes"), filepath.Join(home, "Maildir")} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if uid := info.Sys().(*syscall.Stat_t).Uid; uid != firstUID+2 {
			t.Errorf("%s belongs to %d", path, uid)
		}
	}
}

// Accounts of passwd and shadow, as Courier's authshadow has them: the keeper reads what
// only root can, and the sessions are the user's, with its groups.
func TestSystemShadow(t *testing.T) {
	dir := publicDir(t)
	home := filepath.Join(dir, "ann")
	makeOwned(t, firstUID, home)
	write(t, filepath.Join(dir, "passwd"), fmt.Sprintf("ann:x:%d:%d:Ann:%s:/bin/sh\nroot:x:0:0:root:/root:/bin/sh\n", firstUID, firstUID, home), 0o644)
	hash, err := exec.Command("openssl", "passwd", "-6", password).Output()
	if err != nil {
		t.Fatal("this test needs openssl: run scripts/setup.sh: ", err)
	}
	shadow := strings.TrimSpace(string(hash)) + ":19000:0:99999:7:::\n"
	write(t, filepath.Join(dir, "shadow"), "ann:"+shadow+"root:"+shadow, 0o600)
	s := startSystem(t, "authmodulelist=authshadow", "PASSWD_FILE="+filepath.Join(dir, "passwd"), "SHADOW_FILE="+filepath.Join(dir, "shadow"))
	l := s.knock(t, true)
	l.must(t, "LOGIN ann "+password)
	l.must(t, "SELECT INBOX")
	unprivileged(t, workerOf(t, s.children(t, "worker"), firstUID), firstUID)
	if all, err := s.knock(t, true).do("LOGIN root " + password); err != nil || !strings.HasPrefix(all[len(all)-1], "t NO ") {
		t.Errorf("root logs in: %q, %v", all, err)
	}
}

func makeOwned(t *testing.T, uid int, dir string) {
	t.Helper()
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(dir, uid, uid); err != nil {
		t.Fatal(err)
	}
}
