package e2e_test

import (
	"encoding/base64"
	"fmt"
	"net"
	"net/smtp"
	"net/textproto"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The ids of the mail servers in these tests.
const (
	postfixID  = 14302
	postdropID = 14303
	eximID     = 14304
)

// mailServers adds the users that Debian's Postfix and Exim want to find.
func (h *courierHouse) mailServers(t *testing.T) {
	t.Helper()
	for name, more := range map[string]string{
		"passwd": "postfix:x:14302:14302::/nonexistent:/bin/sh\nDebian-exim:x:14304:14304::/nonexistent:/bin/sh\n",
		"group":  "postfix:x:14302:\npostdrop:x:14303:\nDebian-exim:x:14304:\n",
	} {
		path := filepath.Join(h.dir, "etc", name)
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		write(t, path, more+string(text), 0o644)
	}
}

func own(t *testing.T, path string, mode os.FileMode, uid, gid int) {
	t.Helper()
	if err := os.MkdirAll(path, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(path, uid, gid); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

// TestPostfix: Debian's Postfix lets people send whose passwords our server knows, by the
// socket that the server opens for it in Postfix's own folder.
func TestPostfix(t *testing.T) {
	h := newCourierHouse(t)
	h.mailServers(t)
	dir := filepath.Join(h.dir, "postfix")
	spool := filepath.Join(dir, "spool")
	own(t, dir, 0o755, 0, 0)
	own(t, filepath.Join(dir, "lib"), 0o755, postfixID, postfixID)
	own(t, spool, 0o755, 0, 0)
	own(t, filepath.Join(spool, "pid"), 0o755, 0, 0)
	for _, name := range []string{"active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private", "saved"} {
		own(t, filepath.Join(spool, name), 0o700, postfixID, 0)
	}
	own(t, filepath.Join(spool, "maildrop"), 0o730, postfixID, postdropID)
	own(t, filepath.Join(spool, "public"), 0o710, postfixID, postdropID)
	socket := filepath.Join(spool, "private/auth")
	s := startServer(t, "SERVE_SOCKETS=dovecot", "DOVECOT_AUTH_SOCKET="+socket, "DOVECOT_AUTH_OWNER=14302:14302")
	port := freePort(t)
	write(t, filepath.Join(dir, "main.cf"), strings.Join([]string{
		"compatibility_level=3.6", "queue_directory=" + spool, "data_directory=" + dir + "/lib", "daemon_directory=/usr/lib/postfix/sbin", "command_directory=/usr/sbin",
		"myhostname=mx.example.com", "mydestination=", "local_recipient_maps=", "alias_maps=", "alias_database=", "inet_interfaces=127.0.0.1",
		"maillog_file=" + dir + "/log", "maillog_file_prefixes=" + dir, "smtpd_relay_restrictions=permit_sasl_authenticated,reject",
		"smtpd_sasl_auth_enable=yes", "smtpd_sasl_type=dovecot", "smtpd_sasl_path=private/auth", // where Postfix's documents put it
	}, "\n")+"\n", 0o644)
	write(t, filepath.Join(dir, "master.cf"), "127.0.0.1:"+port+" inet n - n - - smtpd\npostlog unix-dgram n - n - 1 postlogd\nanvil unix - - n - 1 anvil\n"+
		"rewrite unix - - n - - trivial-rewrite\nproxymap unix - - n - - proxymap\ncleanup unix n - n - 0 cleanup\n", 0o644)
	_, log := h.start(t, nil, "/usr/lib/postfix/sbin/master", "-d", "-c", dir)
	t.Cleanup(func() {
		if said, err := os.ReadFile(filepath.Join(dir, "log")); t.Failed() {
			t.Logf("Postfix's log: %v\n%s", err, said)
		}
	})
	await(t, log, func() bool {
		c, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	a := s.account(t)
	c := dialSMTP(t, port)
	if _, offered := c.Extension("AUTH"); offered != "PLAIN LOGIN" {
		t.Errorf("Postfix offers %q", offered)
	}
	expectSMTP(t, c, 554, "RCPT TO:<x@example.org>", "MAIL FROM:<a@example.com>")
	expectSMTP(t, c, 535, "AUTH PLAIN "+plain(a.user, "wrong"), "RSET")
	expectSMTP(t, c, 535, "AUTH PLAIN "+plain("nobody", password))
	expectSMTP(t, c, 235, "AUTH PLAIN "+plain(a.user, password))
	expectSMTP(t, c, 250, "RCPT TO:<x@example.org>", "MAIL FROM:<a@example.com>")
	c = dialSMTP(t, port)
	if err := os.Chmod(filepath.Join(s.dir, "userdb"), 0o644); err != nil { // then nobody can be told
		t.Fatal(err)
	}
	expectSMTP(t, c, 454, "AUTH PLAIN "+plain(a.user, password))
	if err := os.Chmod(filepath.Join(s.dir, "userdb"), 0o600); err != nil {
		t.Fatal(err)
	}
	expectSMTP(t, c, 334, "AUTH LOGIN")
	expectSMTP(t, c, 334, base64.StdEncoding.EncodeToString([]byte(a.user)))
	expectSMTP(t, c, 235, base64.StdEncoding.EncodeToString([]byte(password)))
}

// TestExim: Debian's Exim, with our authdaemond.
func TestExim(t *testing.T) {
	h := newCourierHouse(t)
	h.mailServers(t)
	h.accounts(t)
	socket := filepath.Join(h.dir, "run/exim-auth")
	h.ourAuthdaemond(t, "DOVECOT_AUTH_SOCKET=/run/exim-auth", "DOVECOT_AUTH_MODE=600", "DOVECOT_AUTH_OWNER=Debian-exim")
	if _, err := os.Stat(socket); err != nil {
		t.Fatal(err)
	}
	own(t, filepath.Join(h.dir, "exim"), 0o755, eximID, eximID)
	conf := filepath.Join(h.dir, "exim.conf")
	authenticator := func(name string) string {
		return name + ":\n driver = dovecot\n public_name = " + strings.ToUpper(name) + "\n server_socket = /run/exim-auth\n server_set_id = $auth1\n"
	}
	write(t, conf, "exim_user = Debian-exim\nexim_group = Debian-exim\nkeep_environment =\nspool_directory = "+h.dir+"/exim\nlog_file_path = "+h.dir+"/exim/%slog\n"+
		"primary_hostname = mx.example.com\nacl_smtp_rcpt = check\nauth_advertise_hosts = *\nbegin acl\ncheck:\n accept authenticated = *\n deny\nbegin authenticators\n"+
		authenticator("plain")+authenticator("login"), 0o644)
	talk := []string{"EHLO client.example.com", "AUTH PLAIN " + plain("john@example.com", "wrong"), "MAIL FROM:<a@example.com>", "RCPT TO:<x@example.org>", "RSET",
		"AUTH PLAIN " + plain("john@example.com", "secret"), "MAIL FROM:<a@example.com>", "RCPT TO:<x@example.org>", "QUIT", ""}
	said := h.run(t, strings.Join(talk, "\r\n"), "/usr/sbin/exim4", "-C", conf, "-oMa", "192.0.2.7.4711", "-bs")
	at := 0
	for _, want := range []string{"\n250-AUTH PLAIN LOGIN\r\n", "\n535 ", "\n250 ", "\n550 ", "\n250 ", "\n235 ", "\n250 ", "\n250 ", "\n221 "} {
		i := strings.Index(said[at:], want)
		if i < 0 {
			t.Fatalf("%q does not follow in\n%s", want, said)
		}
		at += i + 1
	}
	if err := os.Chmod(filepath.Join(h.dir, "courier/userdb"), 0o644); err != nil { // then nobody can be told
		t.Fatal(err)
	}
	said = h.run(t, strings.Join(talk, "\r\n"), "/usr/sbin/exim4", "-C", conf, "-oMa", "192.0.2.7.4711", "-bs")
	if strings.Contains(said, "\n535 ") || !strings.Contains(said, "\n435 ") {
		t.Errorf("where nobody can tell, Exim says\n%s", said)
	}
}

func plain(user, pass string) string {
	return base64.StdEncoding.EncodeToString([]byte("\x00" + user + "\x00" + pass))
}

func dialSMTP(t *testing.T, port string) *smtp.Client {
	t.Helper()
	conn, err := net.Dial("tcp", "127.0.0.1:"+port)
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.SetDeadline(time.Now().Add(60 * time.Second)); err != nil {
		t.Fatal(err)
	}
	c, err := smtp.NewClient(conn, "mx.example.com")
	if err == nil {
		err = c.Hello("client.example.com")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// expectSMTP gives commands, the last of which must be answered with a number.
func expectSMTP(t *testing.T, c *smtp.Client, want int, last string, before ...string) {
	t.Helper()
	for _, line := range append(before, last) {
		if err := c.Text.PrintfLine("%s", line); err != nil {
			t.Fatal(err)
		}
		code, text, err := c.Text.ReadResponse(0)
		if _, protocol := err.(*textproto.Error); err != nil && !protocol {
			t.Fatal(err)
		}
		if line == last && code != want {
			t.Errorf("%q is answered %d %s, not %d", line, code, text, want)
		}
	}
}

// TestAuthdaemondInBackground: start, restart and stop, by our own program, and by
// Courier's courierlogger as Courier's script calls it.
func TestAuthdaemondInBackground(t *testing.T) {
	for _, c := range []struct {
		name  string
		words func(h *courierHouse, verb string) []string
	}{
		{"ours", func(h *courierHouse, verb string) []string { return []string{h.program("authdaemond"), verb} }},
		{"ours with a dash", func(h *courierHouse, verb string) []string { return []string{h.program("authdaemond"), "-" + verb} }},
		{"Courier's", func(h *courierHouse, verb string) []string {
			return []string{"/usr/sbin/courierlogger", "-pid=/run/courier/authdaemon/pid", "-" + verb, h.program("authdaemond")}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newCourierHouse(t)
			h.accounts(t)
			rc := filepath.Join(h.dir, "courier/authdaemonrc")
			write(t, rc, "authmodulelist=\"authuserdb\"\nLOGGEROPTS=\"-facility=mail\"\n", 0o644)
			h.run(t, "", c.words(h, "start")...)
			pidFile := filepath.Join(filepath.Dir(h.socket()), "pid")
			t.Cleanup(func() { h.command(nil, c.words(h, "stop")...).Run() })
			awaitSocket(t, h.socket(), new(output))
			text, err := os.ReadFile(pidFile)
			if pid, e := strconv.Atoi(strings.TrimSpace(string(text))); err != nil || e != nil || pid < 2 {
				t.Errorf("the pid file has %q: %v", text, err)
			}
			h.run(t, "", "/usr/sbin/authtest", "-s", "imap", "jane", "secret")
			write(t, rc, "authmodulelist=\"authuserdb\"\nDEFAULTOPTIONS=new=1\n", 0o644)
			h.run(t, "", c.words(h, "restart")...)
			await(t, new(output), func() bool {
				return strings.Contains(askSocket(t, h.socket(), "PRE . imap jane\n"), "OPTIONS=new=1")
			})
			h.run(t, "", c.words(h, "stop")...)
			if _, err := net.Dial("unix", h.socket()); err == nil {
				t.Error("it still answers")
			}
			h.run(t, "", c.words(h, "stop")...)
		})
	}
}

// TestAuthdaemondWords: what it does not know, it says.
func TestAuthdaemondWords(t *testing.T) {
	h := newCourierHouse(t)
	for _, words := range [][]string{{"begin"}, {"--config"}, {"--config", "/nonexistent"}, {"--config=/x", "--courier=/y"}} {
		out, err := h.command(nil, append([]string{h.program("authdaemond")}, words...)...).CombinedOutput()
		if err == nil || !strings.Contains(string(out), "postrider: ") {
			t.Errorf("%q: %v, %s", words, err, out)
		}
	}
	write(t, filepath.Join(h.dir, "courier/authdaemonrc"), "LOGGEROPTS='-pid=/x'\n", 0o644)
	if out, err := h.command(nil, h.program("authdaemond"), "start").CombinedOutput(); err == nil || !strings.Contains(string(out), "LOGGEROPTS") {
		t.Errorf("%v, %s", err, fmt.Sprint(string(out)))
	}
}
