package e2e_test

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Courier's programs, where Debian's packages have them.
const (
	courierTCPD  = "/usr/sbin/couriertcpd"
	courierLogin = "/usr/lib/courier/courier/imaplogin"
	courierImapd = "/usr/bin/imapd"
)

// courierHouse is a machine with Courier-IMAP installed, which only the processes that
// are started in it see: a mount name space with Courier's packages over the system, and
// with /etc/courier and /run of its own.
type courierHouse struct {
	*server // of the accounts
	enter   string
	bin     string // links to the program under test, by Courier's names
}

func newCourierHouse(t *testing.T) *courierHouse {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("only root can become an account, and install for itself alone: run the tests as root")
	}
	out, err := exec.Command("../scripts/setup.sh", "courier-dir").Output()
	root := strings.TrimSpace(string(out))
	if err == nil {
		_, err = os.Stat(filepath.Join(root, "usr/lib/courier-authlib/libauthuserdb.so"))
	}
	if err != nil {
		t.Fatalf("%v; scripts/setup.sh unpacks Courier-IMAP", err)
	}
	h := &courierHouse{server: &server{dir: publicDir(t), certFile: ""}}
	h.writeAccounts(t)
	h.certFile = filepath.Join(h.dir, "cert.pem")
	h.makeCertificate(t, "localhost")
	if err := os.Chmod(h.certFile, 0o644); err != nil { // couriertls reads it as another user
		t.Fatal(err)
	}
	h.enter, h.bin = filepath.Join(h.dir, "enter"), filepath.Join(h.dir, "bin")
	for _, d := range []string{h.bin, h.dir + "/etc", h.dir + "/courier", h.dir + "/run", h.dir + "/run/courier", h.dir + "/run/courier/authdaemon"} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"imaplogin", "imapd", "authuserdb", "couriertcpd", "couriertls", "authdaemond", "authdaemon"} {
		if err := os.Symlink(binary, filepath.Join(h.bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	h.users(t, root)
	write(t, h.enter, "#!/bin/sh\nexec unshare -m sh -c 'mount --make-rprivate / &&\n"+
		"mount -t overlay overlay -o lowerdir="+root+"/usr:/usr /usr &&\n"+
		"mount -t overlay overlay -o lowerdir="+h.dir+"/etc:"+root+"/etc:/etc /etc &&\n"+
		"mount --bind "+h.dir+"/courier /etc/courier && mount --bind "+h.dir+"/run /run &&\nexec \"$@\"' enter \"$@\"\n", 0o755)
	if out, err := h.command(nil, "true").CombinedOutput(); err != nil {
		t.Fatalf("root must be able to mount in a name space of its own: %v\n%s", err, out)
	}
	return h
}

// users makes the system's users, with the owner of the mail among them, which Courier's
// imapd wants to find, and courier, which couriertls becomes.
func (h *courierHouse) users(t *testing.T, root string) {
	id := strconv.Itoa(mailID)
	for name, more := range map[string]string{
		"passwd": "postrider-mail:x:" + id + ":" + id + "::/nonexistent:/bin/sh\ncourier:x:14301:14301::/nonexistent:/bin/sh\npostrider-sys:x:14400:14400::/nonexistent:/bin/sh\n",
		"group":  "postrider-mail:x:" + id + ":\ncourier:x:14301:\npostrider-sys:x:14400:\npostrider-more:x:14402:other,postrider-sys\n",
	} {
		text, err := os.ReadFile(filepath.Join("/etc", name))
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(h.dir, "etc", name), more+string(text), 0o644)
	}
	text, err := os.ReadFile(filepath.Join(h.dir, "userdb"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(h.dir, "courier/userdb"), string(text), 0o600)
	write(t, filepath.Join(h.dir, "courier/authdaemonrc"), "authmodulelist=\"authuserdb\"\ndaemons=3\n", 0o644)
}

// program is the program under test by one of its names.
func (h *courierHouse) program(name string) string { return filepath.Join(h.bin, name) }

// environment is what Courier's start script would export, and what the test adds.
func (h *courierHouse) environment(more []string) []string {
	return append([]string{"PATH=/usr/bin:/bin", "IMAP_CAPABILITY=IMAP4rev1 UIDPLUS CHILDREN NAMESPACE THREAD=ORDEREDSUBJECT THREAD=REFERENCES SORT QUOTA IDLE",
		"IMAP_KEYWORDS=1", "IMAP_ACL=1", "IMAP_USELOCKS=1", "IMAP_ENHANCEDIDLE=0", "IMAP_UMASK=022", "IMAP_TRASHFOLDERNAME=Trash", "MAILDIRPATH=Maildir",
		"IMAP_STARTTLS=YES", "COURIERTLS=/usr/bin/couriertls", "TLS_PROTOCOL=TLSv1.2+", "TLS_CERTFILE=" + h.certFile, "TLS_VERIFYPEER=NONE",
		"USERDB=" + filepath.Join(h.dir, "courier/userdb"), "LOG_LEVEL=debug", "GORACE=halt_on_error=1 exitcode=66",
	}, more...)
}

// command is a program of that machine, in a process group of its own, as Courier's
// daemons expect it.
func (h *courierHouse) command(env []string, words ...string) *exec.Cmd {
	c := exec.Command(h.enter, append(append([]string{"env", "-i"}, h.environment(env)...), words...)...)
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return c
}

// start starts a daemon, and ends it and its children when the test does.
func (h *courierHouse) start(t *testing.T, env []string, words ...string) (*exec.Cmd, *output) {
	t.Helper()
	log := new(output)
	c := h.command(env, words...)
	c.Stderr = log
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		syscall.Kill(-c.Process.Pid, syscall.SIGTERM)
		kill := time.AfterFunc(20*time.Second, func() { syscall.Kill(-c.Process.Pid, syscall.SIGKILL) })
		defer kill.Stop()
		c.Wait() // its status is not ours to judge
		if said := log.String(); t.Failed() || strings.Contains(said, "panic") || strings.Contains(said, "DATA RACE") {
			t.Errorf("the log of %s:\n%s", words[0], said)
		}
	})
	return c, log
}

// authdaemond starts Courier's, over Courier's userdb.
func (h *courierHouse) authdaemond(t *testing.T) {
	t.Helper()
	if out, err := h.command(nil, "/usr/sbin/makeuserdb").CombinedOutput(); err != nil {
		t.Fatalf("makeuserdb: %v\n%s", err, out)
	}
	h.startAuthdaemond(t, "/usr/lib/courier/courier-authlib/authdaemond")
}

// startAuthdaemond starts one, and waits until it answers.
func (h *courierHouse) startAuthdaemond(t *testing.T, program string) {
	t.Helper()
	_, log := h.start(t, []string{"authdaemonvar=/run/courier/authdaemon"}, program)
	await(t, log, func() bool {
		c, err := net.Dial("unix", filepath.Join(h.dir, "run/courier/authdaemon/socket"))
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

// chain is a running couriertcpd.
type chain struct {
	*courierHouse
	port string
	cmd  *exec.Cmd
	log  *output
}

// listen starts couriertcpd, with the words that it starts for each connection.
func (h *courierHouse) listen(t *testing.T, tcpd string, env []string, words ...string) *chain {
	t.Helper()
	c := &chain{courierHouse: h, port: freePort(t)}
	options := []string{tcpd, "-address=127.0.0.1", "-nodnslookup", "-noidentlookup", "-maxprocs=40", "-maxperip=40", c.port}
	c.cmd, c.log = h.start(t, env, append(options, words...)...)
	await(t, c.log, func() bool {
		conn, err := net.Dial("tcp", "127.0.0.1:"+c.port)
		if err != nil {
			return false
		}
		defer conn.Close()
		_, err = bufio.NewReader(conn).ReadString('\n')
		return err == nil
	})
	return c
}

// await waits until something is so.
func await(t *testing.T, log fmt.Stringer, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !so(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it did not come about; the log:\n%s", log)
		}
	}
}
