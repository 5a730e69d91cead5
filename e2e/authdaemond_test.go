package e2e_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"postrider/auth"
	"postrider/auth/authdaemon"
	"postrider/auth/conformance"
)

// The accounts of these tests: john's CRAM secrets are of the password "secret".
const (
	cramMD5 = "cd3ba7deaad6e5ca23448ba42e379747a9e0f7f1fbc00c8a81bbaac395731b56"
	md5Hash = "$1$St.lYcz.$BwQRwMZNCrQ9JjCCNkw3d1"
)

const courierAuthdaemond = "/usr/lib/courier/courier-authlib/authdaemond"

// socket is authdaemond's in this house.
func (h *courierHouse) socket() string { return filepath.Join(h.dir, "run/courier/authdaemon/socket") }

// accounts writes the userdb anew. Secrets of the other hashes come from Courier's own
// program.
func (h *courierHouse) accounts(t *testing.T) {
	t.Helper()
	id := strconv.Itoa(mailID)
	user := "|uid=" + id + "|gid=" + id + "|systempw=" + md5Hash
	john := "john@example.com\thome=" + filepath.Join(h.dir, "data/u1") + "|mail=Maildir|quota=1000000S|gecos=John Q,room 5|options=sharedgroup=12,group=staff" + user +
		"|hmac-md5pw=" + cramMD5
	for _, hash := range []string{"sha1", "sha256"} {
		john += "|hmac-" + hash + "pw=" + strings.TrimSpace(h.run(t, "secret\n", "/usr/sbin/userdbpw", "-hmac-"+hash))
	}
	text := john + "\n" +
		"jane\thome=" + filepath.Join(h.dir, "data/u2") + "|mail=" + filepath.Join(h.dir, "data/u2/Maildir") + "|imappw=" + md5Hash + "|uid=" + id + "|gid=" + id + "|systempw={SHA256}x\n" +
		"shut\thome=/nonexistent|options=disableimap=1" + user + "\n" +
		"locked\thome=/nonexistent|uid=5|gid=6|systempw=*\n" +
		"root1\thome=/root|uid=0|gid=0|systempw=" + md5Hash + "\n" +
		"with space\thome=/nonexistent" + user + "\n"
	write(t, filepath.Join(h.dir, "courier/userdb"), text, 0o600)
}

// run runs a program of that machine, which must end well.
func (h *courierHouse) run(t *testing.T, in string, words ...string) string {
	t.Helper()
	c := h.command(nil, words...)
	c.Stdin = strings.NewReader(in)
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	if err := c.Run(); err != nil {
		t.Fatalf("%q: %v\n%s%s", words, err, out.String(), errs.String())
	}
	return out.String()
}

// ourAuthdaemond starts ours, from Courier's files, in the foreground.
func (h *courierHouse) ourAuthdaemond(t *testing.T, env ...string) *output {
	t.Helper()
	_, log := h.start(t, env, h.program("authdaemond"))
	awaitSocket(t, h.socket(), log)
	return log
}

func awaitSocket(t *testing.T, path string, log *output) {
	t.Helper()
	await(t, log, func() bool {
		c, err := net.Dial("unix", path)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

// askSocket is the whole answer to a request.
func askSocket(t *testing.T, path, request string) string {
	t.Helper()
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	io.WriteString(c, request)
	answer, _ := io.ReadAll(c) // a daemon that does not read all resets the connection
	return string(answer)
}

func authRequest(service, kind, first, second string) string {
	data := service + "\n" + kind + "\n" + first + "\n" + second + "\n"
	return fmt.Sprintf("AUTH %d\n%s", len(data), data)
}

// TestAskingCouriersAuthdaemond: Courier's daemon as our source of accounts passes what
// every source must.
func TestAskingCouriersAuthdaemond(t *testing.T) {
	conformance.Test(t, func(t *testing.T) conformance.Fixture {
		h := newCourierHouse(t)
		h.accounts(t)
		h.run(t, "", "/usr/sbin/makeuserdb")
		var group int
		start := func() {
			c, log := h.start(t, nil, courierAuthdaemond)
			group = -c.Process.Pid
			awaitSocket(t, h.socket(), log)
		}
		// stop returns when nobody takes connections any more.
		stop := func() {
			syscall.Kill(group, syscall.SIGKILL)
			await(t, new(output), func() bool {
				c, err := net.Dial("unix", h.socket())
				if err == nil {
					c.Close()
				}
				return err != nil
			})
		}
		start()
		return conformance.Fixture{
			Backend: authdaemon.NewBackend(authdaemon.Options{Socket: h.socket()}),
			Login:   "john@example.com", Password: "secret", Disabled: "shut", Locked: "locked", Changes: true,
			Break: stop, Mend: start,
			Stall:  func() { syscall.Kill(group, syscall.SIGSTOP) },
			Resume: func() { syscall.Kill(group, syscall.SIGCONT) },
		}
	})
}

// TestAuthdaemondsAnswer: ours and Courier's answer the same accounts with the same bytes.
func TestAuthdaemondsAnswer(t *testing.T) {
	theirs, ours := newCourierHouse(t), newCourierHouse(t)
	theirs.accounts(t)
	text, err := os.ReadFile(filepath.Join(theirs.dir, "courier/userdb"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(ours.dir, "courier/userdb"), string(text), 0o600)
	const more = "authmodulelist=\"authuserdb\"\ndaemons=3\nDEFAULTOPTIONS=\"wbnodsn=1,group=all\"\n"
	for _, h := range []*courierHouse{theirs, ours} {
		write(t, filepath.Join(h.dir, "courier/authdaemonrc"), more, 0o644)
	}
	theirs.run(t, "", "/usr/sbin/makeuserdb")
	_, log := theirs.start(t, []string{"DEFAULTOPTIONS=wbnodsn=1,group=all"}, courierAuthdaemond) // its script exports it
	awaitSocket(t, theirs.socket(), log)
	ours.ourAuthdaemond(t)

	wrong := base64.StdEncoding.EncodeToString([]byte("john@example.com 00000000000000000000000000000000"))
	for _, request := range []string{
		authRequest("imap", "login", "john@example.com", "secret"),
		"TCPREMOTEIP=192.0.2.1\n" + authRequest("imap", "login", "jane", "secret"),
		authRequest("pop3", "login", "jane", "secret"),
		authRequest("imap", "login", "john@example.com", "wrong"),
		authRequest("imap", "login", "john@example.com", ""),
		authRequest("imap", "login", "", "secret"),
		authRequest("imap", "login", "nobody", "secret"),
		authRequest("imap", "login", "locked", "secret"),
		authRequest("imap", "login", "shut", "secret"),
		authRequest("imap", "login", "root1", "secret"),
		authRequest("imap", "login", "\n\njohn@example.com\n", "\nsecret\nmore"),
		authRequest("imap", "cram-md5", "PGFAYj4=", wrong),
		authRequest("imap", "cram-md5", "!", "?"),
		authRequest("imap", "what", "john@example.com", "secret"),
		"AUTH 39\nimap\nlogin\njohn@example.com\nsecret",
		"AUTH 4\nimap", "AUTH 11\nimap\nlogin\n", "AUTH 0\n", "AUTH x\n", "AUTH 9000\n" + strings.Repeat("x", 9000),
		"PRE . imap john@example.com\n", "PRE authuserdb  pop3 jane\n", "PRE authpam imap jane\n", "PRE . imap with space\n",
		"PRE . imap nobody\n", "PRE . imap\n", "PRE . imap \n", "PRE . imap jane \n", "PRE . imap a=b\n", "PRE\t.\timap\tjane\n",
		"PRE . imap " + strings.Repeat("j", 8190-11) + "\n", "PRE . imap " + strings.Repeat("j", 8191-11) + "\n",
		"PASSWD imap\tjane\twrong\tnew\n", "PASSWD imap\tjane\twrong\n", "PASSWD imap\tja\x01ne\twrong\tnew\n",
		"ENUMERATE\n", "NOTHING\n", "\n", " PRE . imap jane\n",
	} {
		want, got := askSocket(t, theirs.socket(), request), askSocket(t, ours.socket(), request)
		if request == "ENUMERATE\n" { // Courier's order is its database's
			want, got = sorted(want), sorted(got)
		}
		want = strings.ReplaceAll(want, theirs.dir, ours.dir)
		if got = strings.ReplaceAll(got, theirs.dir, ours.dir); got != want {
			t.Errorf("%.60q: ours answers %q, Courier's %q", request, got, want)
		}
	}
}

func sorted(text string) string {
	lines := strings.Split(text, "\n")
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// TestCouriersProgramsAskUs: authtest, authenumerate, imaplogin and maildrop, Courier's
// own, with our authdaemond.
func TestCouriersProgramsAskUs(t *testing.T) {
	h := newCourierHouse(t)
	h.accounts(t)
	write(t, filepath.Join(h.dir, "courier/authdaemonrc"), "authmodulelist=\"authuserdb\"\ndaemons=5\nDEBUG_LOGIN=2\nauthdaemonvar=/run/courier/authdaemon\n", 0o644)
	log := h.ourAuthdaemond(t)

	t.Run("authtest", func(t *testing.T) {
		want := "Authentication succeeded.\n\n     Authenticated: john@example.com  (uid " + strconv.Itoa(mailID) + ", gid " + strconv.Itoa(mailID) + ")\n" +
			"    Home Directory: " + h.dir + "/data/u1\n           Maildir: Maildir\n             Quota: 1000000S\nEncrypted Password: " + md5Hash + "\n" +
			"Cleartext Password: secret\n           Options: sharedgroup=12,group=staff\n"
		if got := h.run(t, "", "/usr/sbin/authtest", "-s", "imap", "john@example.com", "secret"); got != want {
			t.Errorf("got\n%s\nnot\n%s", got, want)
		}
		if got := h.run(t, "", "/usr/sbin/authtest", "john@example.com"); !strings.Contains(got, "Cleartext Password: (none)") {
			t.Errorf("a look-up says\n%s", got)
		}
		out, err := h.command(nil, "/usr/sbin/authtest", "john@example.com", "wrong").CombinedOutput()
		if err == nil || !strings.Contains(string(out), "Authentication FAILED: Operation not permitted") {
			t.Errorf("a wrong password: %v, %s", err, out)
		}
	})
	t.Run("authenumerate", func(t *testing.T) {
		got := h.run(t, "", "/usr/sbin/authenumerate", "-o")
		if !strings.Contains(got, "john@example.com\t"+strconv.Itoa(mailID)+"\t"+strconv.Itoa(mailID)+"\t"+h.dir+"/data/u1\tMaildir\tsharedgroup=12,group=staff\n") || strings.Count(got, "\n") != 5 {
			t.Errorf("got\n%s", got)
		}
	})
	t.Run("imaplogin", func(t *testing.T) {
		c := h.listen(t, courierTCPD, nil, courierLogin, courierImapd, "./Maildir")
		k := dial(t, c.port)
		k.line()
		if all := k.do("LOGIN john@example.com wrong"); !strings.HasPrefix(all[len(all)-1], "t NO ") {
			t.Errorf("a wrong password gets %q", all)
		}
		k.ok("LOGIN john@example.com secret")
		k.ok("SELECT INBOX")
		k.ok("LOGOUT")
	})
	t.Run("maildrop", func(t *testing.T) {
		h.run(t, "Subject: by maildrop\n\nhello\n", "/usr/bin/maildrop", "-d", "jane")
		files, err := filepath.Glob(filepath.Join(h.dir, "data/u2/Maildir/new/*"))
		if err != nil || len(files) != 1 {
			t.Fatalf("jane's Maildir has %v, %v", files, err)
		}
		info, err := os.Stat(files[0])
		if err != nil || info.Sys().(*syscall.Stat_t).Uid != mailID {
			t.Errorf("it belongs to %+v, %v", info.Sys(), err)
		}
	})
	t.Run("authtest changes a password", func(t *testing.T) {
		h.run(t, "", "/usr/sbin/authtest", "-s", "imap", "jane", "secret", "fresh")
		h.run(t, "", "/usr/sbin/authtest", "-s", "imap", "jane", "fresh")
		if err := h.command(nil, "/usr/sbin/authtest", "-s", "imap", "jane", "secret").Run(); err == nil {
			t.Error("the old password is still good")
		}
	})
	said := log.String()
	for _, line := range []string{"DEBUG: received auth request, service=imap, authtype=login\n", "DEBUG: authuserdb: trying this module\n",
		"Authenticated: sysusername=<null>, sysuserid=" + strconv.Itoa(mailID), "DEBUG: authuserdb: REJECT - try next module\n"} {
		if !strings.Contains(said, line) {
			t.Errorf("%q is missing in\n%s", line, said)
		}
	}
	for _, secret := range []string{"secret", "fresh", md5Hash} {
		if strings.Contains(said, secret) {
			t.Errorf("%q is in the log", secret)
		}
	}
}

// TestAuthdaemondReload: SIGHUP has the settings read again; mistakes change nothing.
func TestAuthdaemondReload(t *testing.T) {
	h := newCourierHouse(t)
	h.accounts(t)
	rc := filepath.Join(h.dir, "courier/authdaemonrc")
	c, log := h.start(t, nil, h.program("authdaemond"))
	awaitSocket(t, h.socket(), log)
	jane := func() string { return askSocket(t, h.socket(), "PRE . imap jane\n") }
	if got := jane(); strings.Contains(got, "OPTIONS=") {
		t.Fatalf("got %q", got)
	}
	again := func(text, says string) {
		t.Helper()
		before := strings.Count(log.String(), says)
		write(t, rc, text, 0o644)
		c.Process.Signal(syscall.SIGHUP)
		await(t, log, func() bool { return strings.Count(log.String(), says) > before })
	}
	again("authmodulelist=authuserdb\nDEFAULTOPTIONS=new=1\n", "settings were read again")
	if got := jane(); !strings.Contains(got, "\nOPTIONS=new=1\n") {
		t.Errorf("got %q", got)
	}
	again("authmodulelist=authuserdb\nDEFAULTOPTIONS=$(date)\n", "settings cannot be used")
	if got := jane(); !strings.Contains(got, "\nOPTIONS=new=1\n") {
		t.Errorf("after a mistake: %q", got)
	}
	again("authmodulelist=authdaemon\n", "cannot ask itself")
	c.Process.Signal(syscall.SIGTERM)
	if err := c.Wait(); err != nil {
		t.Errorf("it ended with %v", err)
	}
	if _, err := os.Lstat(h.socket()); err == nil {
		t.Error("the socket is left behind")
	}
}

// TestServeAsksAuthdaemond: our server with Courier's daemon for its accounts, because it
// is told so, and because it does not know a module.
func TestServeAsksAuthdaemond(t *testing.T) {
	h := newCourierHouse(t)
	h.accounts(t)
	h.authdaemond(t)
	for _, modules := range []string{"authdaemon", "authvchkpw authuserdb"} {
		t.Run(modules, func(t *testing.T) {
			s := startServer(t, "authmodulelist='"+modules+"'", "authdaemonvar="+filepath.Dir(h.socket()))
			k := dial(t, s.port)
			k.line()
			if all := k.do("LOGIN jane wrong"); !strings.Contains(all[len(all)-1], "AUTHENTICATIONFAILED") {
				t.Errorf("a wrong password gets %q", all)
			}
			k.ok("LOGIN jane secret")
			k.ok("LOGOUT")
			if said := s.log.String(); !strings.Contains(said, "authdaemond") {
				t.Errorf("the log does not say who was asked:\n%s", said)
			}
		})
	}
}

// TestServeAnswersForAuthdaemond: one process is the server, authdaemond, and Dovecot for
// mail servers.
func TestServeAnswersForAuthdaemond(t *testing.T) {
	h := newCourierHouse(t)
	dovecot := filepath.Join(h.dir, "dovecot-auth")
	s := startServer(t, "SERVE_SOCKETS='authdaemon dovecot'", "authdaemonvar="+filepath.Dir(h.socket()), "DOVECOT_AUTH_SOCKET="+dovecot, "AUTH_CACHE_TTL=600")
	a := s.account(t)
	h.run(t, "", "/usr/sbin/authtest", a.user, password)
	if info, err := os.Stat(dovecot); err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("%v, %v", info, err)
	}
	k := dial(t, s.port)
	k.line()
	k.ok("LOGIN " + a.user + " " + password)
	k.ok("LOGOUT")
	b := authdaemon.NewBackend(authdaemon.Options{Socket: h.socket()})
	n := 0
	if err := b.Enumerate(context.WithoutCancel(t.Context()), func(*auth.Identity) error { n++; return nil }); err != nil || n != users {
		t.Errorf("%d accounts are listed, %v", n, err)
	}
}
