package e2e_test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// syslogd is a system log of the test's.
func syslogd(t *testing.T) (socket string, log *output) {
	t.Helper()
	socket, log = filepath.Join(publicDir(t), "log"), new(output)
	c, err := net.ListenPacket("unixgram", socket)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(socket, 0o666); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { c.Close(); <-done })
	go func() {
		defer close(done)
		for b := make([]byte, 8192); ; {
			n, _, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			fmt.Fprintf(log, "%s\n", b[:n])
		}
	}()
	return socket, log
}

// names are links to the program under test.
func names(t *testing.T) string {
	t.Helper()
	dir := publicDir(t)
	for _, name := range []string{"imaplogin", "imapd", "authuserdb", "couriertcpd", "couriertls", "courierlogger", "imapd.rc", "imapd-ssl", "imapd-ssl.rc", "mkimapdcert"} {
		if err := os.Symlink(binary, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestStartScripts: with Courier's files as Debian ships them, but for ports and paths,
// the scripts start both listeners, and stop them with their sessions.
func TestStartScripts(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("imaplogin becomes the account, which root alone can: run the tests as root")
	}
	s := &server{dir: publicDir(t)}
	s.writeAccounts(t)
	bin, etc := names(t), filepath.Join(s.dir, "courier")
	socket, log := syslogd(t)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the log:\n%s", log)
		}
	})
	if err := os.Mkdir(etc, 0o755); err != nil {
		t.Fatal(err)
	}
	port, tlsPort := freePort(t), freePort(t)
	write(t, filepath.Join(etc, "imapd"), strings.Join([]string{"##VERSION: $Id$", "##NAME: ADDRESS:0", "ADDRESS=127.0.0.1", "PORT=" + port, "MAXDAEMONS=40", "MAXPERIP=20",
		"PIDFILE=" + s.dir + "/run/imapd.pid", `TCPDOPTS="-nodnslookup -noidentlookup -denymsg=refused"`, "IMAPACCESSFILE=" + etc + "/imapaccess", `LOGGEROPTS="-name=imapd -syslog=` + socket + `"`,
		`IMAP_CAPABILITY="IMAP4rev1 UIDPLUS CHILDREN NAMESPACE THREAD=ORDEREDSUBJECT THREAD=REFERENCES SORT QUOTA IDLE"`, `IMAP_CAPABILITY_TLS="$IMAP_CAPABILITY AUTH=PLAIN"`,
		"IMAP_UMASK=022", "IMAP_ULIMITD=131072", "IMAP_ENHANCEDIDLE=0", "IMAPDSTART=YES", "MAILDIRPATH=Maildir", "USERDB=" + s.dir + "/userdb", "authdaemonvar=" + s.dir, ""}, "\n"), 0o644)
	write(t, filepath.Join(etc, "imapd-ssl"), strings.Join([]string{"SSLPORT=" + tlsPort, "SSLADDRESS=127.0.0.1", "SSLPIDFILE=" + s.dir + "/run/imapd-ssl.pid",
		`SSLLOGGEROPTS="-name=imapd-ssl -syslog=` + socket + `"`, "IMAPDSTARTTLS=YES", "COURIERTLS=/usr/bin/couriertls", `TLS_STARTTLS_PROTOCOL="$TLS_PROTOCOL"`,
		"TLS_CERTFILE=" + etc + "/imapd.pem", "TLS_TRUSTCERTS=/etc/ssl/certs/ca-certificates.crt", "TLS_VERIFYPEER=NONE", "MAILUSER=nobody", ""}, "\n"), 0o644)
	write(t, filepath.Join(etc, "imapaccess"), "127.0.0.2\tdeny\n*\tallow\n", 0o644)
	write(t, filepath.Join(etc, "imapd.cnf"), "organization = \"Test\"\ncountry = US\ncn = \"mail.example\"\nexpiration_days = 30\nemail = \"postmaster@example.com\"\n", 0o644)
	run := func(name string, words ...string) string {
		t.Helper()
		c := exec.Command(filepath.Join(bin, name), append([]string{"--courier", etc}, words...)...)
		c.Env = []string{"PATH=/usr/bin:/bin", "MAXPERIP=1"} // which the files' own win over
		out, err := c.CombinedOutput()
		if err != nil {
			t.Errorf("%s %v: %v\n%s", name, words, err, out)
		}
		return string(out)
	}
	run("mkimapdcert")
	if out, err := exec.Command(filepath.Join(bin, "mkimapdcert"), "--courier="+etc).CombinedOutput(); err == nil || string(out) != etc+"/imapd.pem already exists.\n" {
		t.Errorf("a second mkimapdcert: %v, %q", err, out)
	}
	if info, err := os.Stat(etc + "/imapd.pem"); err != nil || info.Mode() != 0o600 {
		t.Errorf("the certificate is %v, %v", info, err)
	}
	stop := func() {
		run("imapd", "stop")
		run("imapd-ssl", "stop")
	}
	t.Cleanup(stop)
	run("imapd", "start")
	run("imapd-ssl.rc", "start")
	run("imapd.rc", "start") // runs already
	await(t, log, func() bool { return listens(port) && listens(tlsPort) })
	trust, err := os.ReadFile(etc + "/imapd.pem")
	if err != nil {
		t.Fatal(err)
	}
	var sessions []*talk
	for _, p := range []string{port, tlsPort} {
		a := s.account(t)
		k := dialThrough(t, p, p == tlsPort, trust)
		k.line()
		if p == port {
			k.ok("STARTTLS")
			k = inTLS(t, k.c, trust)
		}
		k.ok("LOGIN " + a.user + " " + password)
		if err := a.deliver("INBOX", numbered("chain", 1)); err != nil {
			t.Fatal(err)
		}
		k.everyday()
		sessions = append(sessions, k)
		await(t, log, func() bool {
			return regexp.MustCompile(`(?m)^<22>.{15} imapd(-ssl)?: LOGIN, user=` + a.user + `, ip=\[::ffff:127\.0\.0\.1\], port=\[\d+\], protocol=IMAP(, starttls=1)?$`).MatchString(log.String())
		})
	}
	handshakers(t, filepath.Join(bin, "couriertls"), "nobody")
	r := &running{port: port}
	if got := r.hear(t, "127.0.0.2", "127.0.0.1"); got != "refused" {
		t.Errorf("the access file's denial is %q", got)
	}
	write(t, filepath.Join(etc, "imapaccess"), "127.0.0.3\tdeny\n", 0o644)
	run("imapd.rc", "restart")
	await(t, log, func() bool { return r.greeting(t, "127.0.0.3") == "refused" })
	sessions[0].ok("NOOP")
	stop()
	for i, k := range sessions {
		if line := k.line(); !strings.HasPrefix(line, "* BYE") {
			t.Errorf("session %d hears %q", i, line)
		}
	}
	if listens(port) || listens(tlsPort) {
		t.Error("they listen still")
	}
	run("imapd.rc", "stop") // nothing runs
	for _, line := range strings.Split(log.String(), "\n") {
		if strings.Contains(line, "panic") || strings.Contains(line, "ERR") || strings.HasPrefix(line, "<19>") {
			t.Errorf("the log says: %s", line)
		}
	}
}

// dialThrough connects, with TLS or without.
func dialThrough(t *testing.T, port string, secured bool, trust []byte) *talk {
	t.Helper()
	c, err := net.Dial("tcp", "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(30 * time.Second))
	if secured {
		return inTLS(t, c, trust)
	}
	return &talk{t: t, c: c, in: bufio.NewReader(c)}
}

// inTLS is a conversation in TLS with a server whose certificate stands in trust.
func inTLS(t *testing.T, c net.Conn, trust []byte) *talk {
	t.Helper()
	secured := tls.Client(c, &tls.Config{RootCAs: pool(t, trust), ServerName: "mail.example", NextProtos: []string{"imap"}})
	if err := secured.Handshake(); err != nil {
		t.Fatal(err)
	}
	return &talk{t: t, c: secured, in: bufio.NewReader(secured)}
}

// TestStartScriptSays: what keeps a listener from starting is told.
func TestStartScriptSays(t *testing.T) {
	bin, etc := names(t), t.TempDir()
	for text, want := range map[string]string{
		"PORT=1\nIMAPACCESSFILE=" + etc + "/nowhere\n": "nowhere is not there",
		"PORT=`id`\n":                         "imapd:1: PORT",
		"PORT=1\nIMAP_UMASK=99\n":             "IMAP_UMASK",
		"IMAPACCESSFILE=" + etc + "/compiled": "compiled database",
	} {
		write(t, filepath.Join(etc, "imapd"), text, 0o644)
		write(t, filepath.Join(etc, "compiled.dat"), "", 0o644)
		out, err := exec.Command(filepath.Join(bin, "imapd.rc"), "--courier", etc, "start").CombinedOutput()
		if err == nil || !strings.Contains(string(out), want) {
			t.Errorf("%q: %v, %q", text, err, out)
		}
	}
	out, err := exec.Command(filepath.Join(bin, "imapd.rc"), "begin").CombinedOutput()
	if err == nil || !strings.HasPrefix(string(out), "Usage: imapd.rc ") {
		t.Errorf("%v, %q", err, out)
	}
}

// handshakers checks that who speaks TLS is a user and nobody else.
func handshakers(t *testing.T, program, name string) {
	t.Helper()
	u, err := user.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	all, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, file := range all {
		line, err := os.ReadFile(file)
		if err != nil || !strings.HasPrefix(string(line), program+"\x00") {
			continue // another's, or ended
		}
		status, err := os.ReadFile(filepath.Join(filepath.Dir(file), "status"))
		if err != nil {
			t.Fatal(err)
		}
		found++
		for _, want := range []string{"Uid:" + strings.Repeat("\t"+u.Uid, 4) + "\n", "Gid:" + strings.Repeat("\t"+u.Gid, 4) + "\n", "Groups:\t" + u.Gid + " \n", "CapEff:\t0000000000000000\n"} {
			if !strings.Contains(string(status), want) {
				t.Errorf("couriertls runs without %q:\n%s", want, status)
			}
		}
	}
	if found != 1 {
		t.Errorf("%d processes speak TLS, not 1", found)
	}
}
