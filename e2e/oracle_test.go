package e2e_test

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"postrider/transcript"
)

// TestOracle runs every transcript with Debian's Dovecot. Where it answers
// otherwise than we do, a section of the transcript says how and why.
func TestOracle(t *testing.T) {
	d := startDovecot(t)
	for name, script := range scripts(t) {
		t.Run(name, func(t *testing.T) {
			a := d.account(t)
			on := &transcript.Server{
				Name: "dovecot", User: a.user, Password: password, Deliver: a.deliver,
				Dial: func() (net.Conn, error) { return net.Dial("tcp", "127.0.0.1:"+d.port) },
				TLS:  trusting(t, d.dir),
			}
			if err := script.Run(on); err != nil {
				t.Error(err)
			}
		})
	}
}

// dovecot is a Dovecot of the test's own: all that it has and writes lies in dir.
type dovecot struct {
	dir, port, passwd string
	used              int
	cmd               *exec.Cmd
	log               *output
	ended             chan error
}

// startDovecot starts Dovecot in the foreground with a configuration of its own,
// and stops it when the test ends. A machine without Dovecot fails the test.
func startDovecot(t *testing.T) *dovecot {
	t.Helper()
	path, err := exec.LookPath("dovecot")
	if err != nil {
		path = "/usr/sbin/dovecot"
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v; scripts/setup.sh installs Dovecot", err)
	}
	d := &dovecot{dir: publicDir(t), port: freePort(t), log: new(output), ended: make(chan error, 1)}
	d.passwd = filepath.Join(d.dir, "passwd")
	makeDir(t, filepath.Join(d.dir, "data"))
	d.writeAccounts(t)
	(&server{dir: d.dir, certFile: filepath.Join(d.dir, "cert.pem")}).makeCertificate(t, "localhost")
	conf := filepath.Join(d.dir, "dovecot.conf")
	write(t, conf, d.configuration(t), 0o644)
	d.cmd = exec.Command(path, "-F", "-c", conf)
	d.cmd.Stdout, d.cmd.Stderr = d.log, d.log
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { d.ended <- d.cmd.Wait() }()
	t.Cleanup(func() { d.stop(t) })
	d.awaitGreeting(t)
	return d
}

// configuration is Dovecot's: an account's folders have no prefix and "/" between
// their parts, as ours are by default.
func (d *dovecot) configuration(t *testing.T) string {
	lines := []string{
		"base_dir = " + d.dir + "/run", "state_dir = " + d.dir + "/state", "log_path = " + d.dir + "/log",
		"instance_name = postrider-oracle", "protocols = imap", "listen = 127.0.0.1", "ssl = yes", "ssl_cert = <" + d.dir + "/cert.pem", "ssl_key = <" + d.dir + "/cert.pem", "disable_plaintext_auth = no",
		"auth_mechanisms = plain login", "mail_location = maildir:~/Maildir", "default_vsz_limit = 1G",
		"passdb {\n driver = passwd-file\n args = scheme=PLAIN " + d.passwd + "\n}",
		"userdb {\n driver = passwd-file\n args = " + d.passwd + "\n}",
		"namespace inbox {\n inbox = yes\n separator = /\n prefix =\n" + specialUse() + "}",
		"service imap-login {\n service_count = 0\n chroot =\n inet_listener imap {\n  port = " + d.port + "\n }\n inet_listener imaps {\n  port = 0\n }\n}",
		"service anvil {\n chroot =\n}",
		"protocol imap {\n mail_max_userip_connections = 1000\n}",
	}
	if os.Geteuid() != 0 {
		me, err := user.Current()
		if err != nil {
			t.Fatal(err)
		}
		group, err := user.LookupGroupId(me.Gid)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, "default_internal_user = "+me.Username, "default_login_user = "+me.Username, "default_internal_group = "+group.Name)
	}
	return strings.Join(lines, "\n") + "\n"
}

// specialUse gives the folders that we know by their names their attributes.
func specialUse() string {
	var b strings.Builder
	for _, name := range []string{"Drafts", "Sent", "Trash", "Junk", "Archive"} {
		fmt.Fprintf(&b, " mailbox %s {\n  special_use = \\%s\n }\n", name, name)
	}
	return b.String()
}

// account is a user that no other transcript has had.
func (d *dovecot) account(t *testing.T) account {
	t.Helper()
	if d.used++; d.used > users {
		t.Fatal("Dovecot has too few accounts")
	}
	name := fmt.Sprintf("u%d", d.used)
	return account{user: name, maildir: filepath.Join(d.dir, "data", name, "Maildir")}
}

func (d *dovecot) writeAccounts(t *testing.T) {
	t.Helper()
	uid, gid := os.Getuid(), os.Getgid()
	if uid == 0 {
		uid, gid = mailID, mailID
	}
	var b strings.Builder
	for i := 1; i <= users; i++ {
		name := fmt.Sprintf("u%d", i)
		home := filepath.Join(d.dir, "data", name)
		makeDir(t, home)
		makeMaildir(t, home+"/Maildir")
		fmt.Fprintf(&b, "%s:{PLAIN}%s:%d:%d::%s::\n", name, password, uid, gid, home)
	}
	write(t, d.passwd, b.String(), 0o644)
}

func (d *dovecot) awaitGreeting(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		select {
		case err := <-d.ended:
			d.cmd = nil
			t.Fatalf("dovecot ended: %v\n%s", err, d.said())
		default:
		}
		conn, err := net.Dial("tcp", "127.0.0.1:"+d.port)
		if err == nil {
			conn.SetDeadline(deadline)
			_, err = bufio.NewReader(conn).ReadString('\n')
			conn.Close()
		}
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("dovecot does not answer: %v\n%s", err, d.said())
		}
	}
}

// said is what Dovecot wrote to its log and to its standard error.
func (d *dovecot) said() string {
	log, _ := os.ReadFile(filepath.Join(d.dir, "log"))
	return d.log.String() + string(log)
}

func (d *dovecot) stop(t *testing.T) {
	if d.cmd == nil {
		return
	}
	if t.Failed() {
		t.Logf("dovecot's log:\n%s", d.said())
	}
	d.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-d.ended:
	case <-time.After(20 * time.Second):
		d.cmd.Process.Kill()
		t.Errorf("SIGTERM did not end dovecot; killed: %v", <-d.ended)
	}
}
