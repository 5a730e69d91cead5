// Package e2e_test drives the real binary from outside, with transcripts and
// with the mail clients that people use. It knows the program's settings and
// protocol, and nothing of the packages within, but for the suite of sources of
// accounts, which Courier's authdaemond is put to.
package e2e_test

import (
	"bufio"
	"cmp"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"postrider/mail"
)

// mailID is who the server runs as when root runs the tests, and who owns the
// mail then.
const mailID = 14300

const password = "pass"

// users is how many accounts each server has: u1, u2 ...
const users = 120

// binary is the program under test, built by TestMain.
var binary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "postrider-e2e-")
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	binary = filepath.Join(dir, "postrider")
	args := []string{"build", "-o", dir + "/"} // postrider, and postrider-front beside it
	if raceDetector {
		args = append(args, "-race")
	}
	build := exec.Command("go", append(args, "postrider/cmd/postrider", "postrider/cmd/postrider-front")...)
	build.Stderr = os.Stderr
	code := 1
	if err := build.Run(); err == nil {
		code = m.Run()
	}
	os.RemoveAll(dir)
	os.Exit(code)
}

// server is a running postrider serve with accounts of its own.
type server struct {
	dir           string // all of it; data/uN/Maildir is where uN's mail is
	port, tlsPort string
	certFile      string
	conf          string // its settings file, if it is not the first's
	env           []string
	cmd           *exec.Cmd
	log           *output
	used          atomic.Int32
	ended         chan error
}

// account is one user of a server.
type account struct {
	user, maildir string
}

// startServer starts a server with these settings on top; it is stopped, and its
// exit status looked at, when the test ends.
func startServer(t *testing.T, settings ...string) *server {
	t.Helper()
	s := &server{dir: publicDir(t), port: freePort(t), tlsPort: freePort(t), log: new(output), ended: make(chan error, 1)}
	s.writeAccounts(t)
	s.certFile = filepath.Join(s.dir, "cert.pem")
	s.makeCertificate(t, "localhost")
	conf := append([]string{"ADDRESS=127.0.0.1", "PORT=" + s.port, "SSLADDRESS=127.0.0.1", "SSLPORT=" + s.tlsPort,
		"TLS_CERTFILE=" + s.certFile, "USERDB=" + filepath.Join(s.dir, "userdb"), "MAXPERIP=0", "LOG_LEVEL=debug"}, settings...)
	if os.Geteuid() == 0 {
		conf = append(conf, "RUN_AS="+strconv.Itoa(mailID))
	}
	write(t, filepath.Join(s.dir, "postrider.conf"), strings.Join(conf, "\n")+"\n", 0o644)
	t.Cleanup(func() { s.stop(t) })
	s.start(t)
	return s
}

// second is another server for the same accounts, as on another node.
func (s *server) second(t *testing.T) *server {
	t.Helper()
	two := &server{dir: s.dir, port: freePort(t), tlsPort: freePort(t), conf: "second.conf", certFile: s.certFile, log: new(output), ended: make(chan error, 1)}
	text, err := os.ReadFile(filepath.Join(s.dir, "postrider.conf"))
	if err != nil {
		t.Fatal(err)
	}
	ports := strings.NewReplacer("\nPORT="+s.port, "\nPORT="+two.port, "\nSSLPORT="+s.tlsPort, "\nSSLPORT="+two.tlsPort)
	write(t, filepath.Join(s.dir, two.conf), ports.Replace(string(text)), 0o644)
	t.Cleanup(func() { two.stop(t) })
	two.start(t)
	return two
}

// start starts the process with what startServer wrote.
func (s *server) start(t *testing.T) {
	t.Helper()
	s.cmd = exec.Command(binary, "serve", "--config", filepath.Join(s.dir, cmp.Or(s.conf, "postrider.conf")))
	s.cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "GORACE=halt_on_error=1 exitcode=66"}
	s.cmd.Env = append(s.cmd.Env, s.env...)
	s.cmd.Stderr = s.log
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c := s.cmd
	go func() { s.ended <- c.Wait() }()
	s.awaitGreeting(t)
}

// awaitGreeting waits until both ports answer.
func (s *server) awaitGreeting(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; {
		select {
		case err := <-s.ended:
			s.cmd = nil
			t.Fatalf("the server ended: %v\n%s", err, s.log)
		default:
		}
		conn, err := net.Dial("tcp", "127.0.0.1:"+s.tlsPort)
		if err == nil {
			conn.Close()
			if conn, err = net.Dial("tcp", "127.0.0.1:"+s.port); err == nil {
				_, err = bufio.NewReader(conn).ReadString('\n')
				conn.Close()
			}
		}
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the server does not answer: %v\n%s", err, s.log)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// stop ends the server with SIGTERM, as an administrator does, and demands that
// it exits with 0.
func (s *server) stop(t *testing.T) {
	if s.cmd == nil {
		return
	}
	s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case err := <-s.ended:
		if err != nil {
			t.Errorf("the server ended with %v", err)
		}
	case <-time.After(30 * time.Second):
		s.cmd.Process.Kill()
		t.Errorf("SIGTERM did not end the server; killed: %v", <-s.ended)
	}
	s.cmd = nil
	for _, line := range strings.Split(s.log.String(), "\n") {
		if strings.Contains(line, "panic") || strings.Contains(line, "DATA RACE") {
			t.Errorf("the log says: %s", line)
		}
	}
	if t.Failed() {
		t.Logf("the server's log:\n%s", s.log)
	}
}

// account is a user that no other test of this server has had.
func (s *server) account(t *testing.T) account {
	n := s.used.Add(1)
	if n > users {
		t.Fatal("the server has too few accounts")
	}
	user := fmt.Sprintf("u%d", n)
	return account{user: user, maildir: filepath.Join(s.dir, "data", user, "Maildir")}
}

func (s *server) writeAccounts(t *testing.T) {
	sum := sha1.Sum([]byte(password))
	var b strings.Builder
	uid, gid := os.Getuid(), os.Getgid()
	if uid == 0 {
		uid, gid = mailID, mailID
	}
	data := filepath.Join(s.dir, "data")
	makeDir(t, data)
	for i := 1; i <= users; i++ {
		home := fmt.Sprintf("%s/u%d", data, i)
		makeDir(t, home)
		makeMaildir(t, home+"/Maildir")
		fmt.Fprintf(&b, "u%d\tuid=%d|gid=%d|home=%s|mail=%s/Maildir|systempw={SHA}%s\n", i, uid, gid, home, home, base64.StdEncoding.EncodeToString(sum[:]))
	}
	write(t, filepath.Join(s.dir, "userdb"), b.String(), 0o600)
	give(t, filepath.Join(s.dir, "userdb"))
}

// deliver puts a message into a folder as a delivery agent does.
func (a account) deliver(folder mail.Name, message string) error {
	dir := a.maildir
	if folder != "INBOX" {
		dir = filepath.Join(dir, "."+strings.ReplaceAll(string(folder), "/", "."))
	}
	name := fmt.Sprintf("%d.M%dQ%d.localhost", time.Now().Unix(), time.Now().Nanosecond(), delivered.Add(1))
	tmp := filepath.Join(dir, "tmp", name)
	if err := os.WriteFile(tmp, []byte(message), 0o600); err != nil {
		return err
	}
	if os.Geteuid() == 0 {
		if err := os.Chown(tmp, mailID, mailID); err != nil {
			return err
		}
	}
	return os.Rename(tmp, filepath.Join(dir, "new", name))
}

var delivered atomic.Int64

func makeMaildir(t *testing.T, dir string) {
	t.Helper()
	for _, d := range []string{dir, dir + "/cur", dir + "/new", dir + "/tmp"} {
		makeDir(t, d)
	}
}

// makeDir makes a directory that belongs to the server.
func makeDir(t *testing.T, dir string) {
	t.Helper()
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	give(t, dir)
}

// give hands a file to whom the server runs as.
func give(t *testing.T, name string) {
	t.Helper()
	if os.Geteuid() != 0 {
		return
	}
	if err := os.Chown(name, mailID, mailID); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, name, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

// publicDir is a temporary directory that other users may look into.
func publicDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "postrider-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// freePort is a port that nobody listened on a moment ago.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// output collects what a process writes, and may be read meanwhile.
type output struct {
	mu   sync.Mutex
	text strings.Builder
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}
