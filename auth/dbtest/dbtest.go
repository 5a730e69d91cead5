// Package dbtest starts the databases of accounts that tests ask: Debian's MariaDB and
// PostgreSQL, each with data of its own in a temporary directory, stopped when the test
// ends. What is missing on the machine fails the test, and is named.
package dbtest

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// startTime is how long a database may take to answer first.
const startTime = 60 * time.Second

// Daemon is a database that runs for a test. Stop and Start make it unreachable and
// reachable again.
type Daemon struct {
	Dir  string // where it has its data and its socket
	Port string // on 127.0.0.1

	t     testing.TB
	args  []string
	owner *syscall.SysProcAttr
	cmd   *exec.Cmd
	said  bytes.Buffer
	ready func() error
}

// directory makes a directory that belongs to whom a database runs as: a system user
// where the test is root, since databases refuse to be root.
func directory(t testing.TB, name string) (dir string, owner *syscall.SysProcAttr) {
	t.Helper()
	dir, err := os.MkdirTemp("", "postrider-db-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if os.Geteuid() != 0 {
		return dir, nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		t.Fatalf("%v: scripts/setup.sh installs what is missing", err)
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	if err := os.Chown(dir, uid, gid); err != nil {
		t.Fatal(err)
	}
	return dir, &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
}

// run runs a program as the database's user, to its end.
func run(t testing.TB, owner *syscall.SysProcAttr, dir string, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.SysProcAttr, cmd.Dir = owner, dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s(scripts/setup.sh installs what is missing)", name, err, out)
	}
}

// Start starts the daemon, which was stopped.
func (d *Daemon) Start() {
	d.t.Helper()
	d.said.Reset()
	d.cmd = exec.Command(d.args[0], d.args[1:]...)
	d.cmd.SysProcAttr, d.cmd.Dir = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}, d.Dir
	if d.owner != nil {
		d.cmd.SysProcAttr.Credential = d.owner.Credential
	}
	d.cmd.Stdout, d.cmd.Stderr = &d.said, &d.said
	if err := d.cmd.Start(); err != nil {
		d.t.Fatalf("%v (scripts/setup.sh installs what is missing)", err)
	}
	for deadline := time.Now().Add(startTime); ; time.Sleep(20 * time.Millisecond) {
		err := d.ready()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			d.Stop()
			d.t.Fatalf("%s does not answer: %v\n%s", d.args[0], err, d.said.String())
		}
	}
}

// Stop stops the daemon at once; its data stay.
func (d *Daemon) Stop() {
	if d.cmd == nil {
		return
	}
	syscall.Kill(-d.cmd.Process.Pid, syscall.SIGKILL)
	d.cmd.Wait()
	d.cmd = nil
}

// Stall makes the daemon take no notice of anybody until Resume.
func (d *Daemon) Stall() {
	d.t.Helper()
	d.signal(syscall.SIGSTOP)
	for deadline := time.Now().Add(startTime); !d.stopped(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			d.t.Fatalf("%s does not stop", d.args[0])
		}
	}
}

// stopped reports whether all of the daemon's processes are.
func (d *Daemon) stopped() bool {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		d.t.Fatal(err)
	}
	for _, name := range stats {
		text, _ := os.ReadFile(name) // of a process that has ended: empty
		// "PID (NAME) STATE PARENT GROUP ...", and NAME may hold anything.
		fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
		if len(fields) > 2 && string(fields[2]) == strconv.Itoa(d.cmd.Process.Pid) && string(fields[0]) != "T" && string(fields[0]) != "Z" {
			return false
		}
	}
	return true
}

// Resume lets it go on.
func (d *Daemon) Resume() { d.signal(syscall.SIGCONT) }

// signal is for the daemon and the processes that it made.
func (d *Daemon) signal(s syscall.Signal) {
	d.t.Helper()
	if err := syscall.Kill(-d.cmd.Process.Pid, s); err != nil {
		d.t.Fatal(err)
	}
}

// begin starts a daemon for the first time, and has it stopped when the test ends.
func (d *Daemon) begin() {
	d.t.Helper()
	d.t.Cleanup(d.Stop)
	d.Start()
}

func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// MariaDB starts one, and runs statements in it as its administrator.
func MariaDB(t testing.TB, statements string) *Daemon {
	t.Helper()
	dir, owner := directory(t, "mysql")
	data, socket := filepath.Join(dir, "data"), filepath.Join(dir, "socket")
	run(t, owner, dir, "mariadb-install-db", "--no-defaults", "--datadir="+data, "--auth-root-authentication-method=normal", "--skip-test-db")
	d := &Daemon{Dir: dir, Port: freePort(t), t: t, owner: owner}
	d.args = []string{"/usr/sbin/mariadbd", "--no-defaults", "--datadir=" + data, "--socket=" + socket, "--bind-address=127.0.0.1", "--port=" + d.Port,
		"--pid-file=" + filepath.Join(dir, "pid")}
	d.ready = func() error {
		return exec.Command("mariadb-admin", "--no-defaults", "--socket="+socket, "-uroot", "ping").Run()
	}
	d.begin()
	feed(t, statements, exec.Command("mariadb", "--no-defaults", "--socket="+socket, "-uroot"))
	return d
}

// PostgreSQL starts one, and runs statements in it as its administrator.
func PostgreSQL(t testing.TB, statements string) *Daemon {
	t.Helper()
	programs, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	if err != nil || len(programs) == 0 {
		t.Fatal("PostgreSQL is missing: scripts/setup.sh installs it")
	}
	bin := programs[len(programs)-1]
	dir, owner := directory(t, "postgres")
	data := filepath.Join(dir, "data")
	run(t, owner, dir, bin+"/initdb", "-D", data, "-U", "postgres", "--auth=trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
	d := &Daemon{Dir: dir, Port: freePort(t), t: t, owner: owner}
	d.args = []string{bin + "/postgres", "-D", data, "-p", d.Port, "-h", "127.0.0.1", "-k", dir}
	d.ready = func() error {
		return exec.Command(bin+"/pg_isready", "-q", "-h", "127.0.0.1", "-p", d.Port).Run()
	}
	d.begin()
	feed(t, statements, exec.Command(bin+"/psql", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", d.Port, "-U", "postgres"))
	return d
}

func feed(t testing.TB, statements string, client *exec.Cmd) {
	t.Helper()
	client.Stdin = bytes.NewReader([]byte(statements))
	if out, err := client.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", client.Path, err, out)
	}
}

// Settings writes a settings file of courier-authlib's form.
func Settings(t testing.TB, lines ...string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "authrc")
	var b bytes.Buffer
	fmt.Fprintln(&b, "##NAME: MARKER:0")
	for _, l := range lines {
		fmt.Fprintln(&b, l)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Accounts are statements that make a table of accounts, all with the password "secret":
// some that work, one of them under an odd login, and some that are closed, inactive,
// root's, or to be changed.
func Accounts() string {
	return `CREATE TABLE users (id VARCHAR(128) PRIMARY KEY, crypt VARCHAR(128), clear VARCHAR(128), name VARCHAR(128), uid INTEGER, gid INTEGER, home VARCHAR(255), maildir VARCHAR(255), quota VARCHAR(255), options VARCHAR(255), active INTEGER);
INSERT INTO users VALUES ('jane@example.com', '{SHA256}K7gNU3sdo+OL0wNhqoVWhr3g6s1xYv72ol/pe/Unols=', NULL, 'Jane Doe', 14300, 14300, '/home/jane', 'Maildir', '1000000S', 'group=staff', 1);
INSERT INTO users VALUES ('o''neil "x" \ %_@example.com', NULL, 'secret', '', 14301, 14301, '/home/oneil', '', '', '', 1);
INSERT INTO users VALUES ('closed@example.com', NULL, 'secret', '', 14302, 14302, '/home/closed', '', '', 'disableimap=1', 1);
INSERT INTO users VALUES ('left@example.com', NULL, 'secret', '', 14303, 14303, '/home/left', '', '', '', 0);
INSERT INTO users VALUES ('moves@example.com', '{SHA256}K7gNU3sdo+OL0wNhqoVWhr3g6s1xYv72ol/pe/Unols=', 'secret', '', 14304, 14304, '/home/moves', '', '', '', 1);
INSERT INTO users VALUES ('root@example.com', NULL, 'secret', '', 0, 0, '/root', '', '', '', 1);
`
}
