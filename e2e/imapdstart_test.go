package e2e_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// imapdRun is one run of imapd: what it said to the client and to the log, and how it
// ended.
type imapdRun struct {
	out, log string
	status   int
}

// imapd runs an imapd as the owner of the mail, in a directory, with a client that says
// its text and goes.
func (h *courierHouse) imapd(t *testing.T, program, dir, client string, env []string, args ...string) imapdRun {
	t.Helper()
	id := strconv.Itoa(mailID)
	words := append([]string{"setpriv", "--reuid=" + id, "--regid=" + id, "--clear-groups", "env", "-C", dir, program}, args...)
	c := h.command(env, words...)
	var out, log bytes.Buffer
	c.Stdin, c.Stdout, c.Stderr = strings.NewReader(client), &out, &log
	err := c.Run()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		t.Fatal(err)
	}
	return imapdRun{out.String(), log.String(), c.ProcessState.ExitCode()}
}

// TestImapdStart: what imapd does before there is a session, as Courier's does it.
func TestImapdStart(t *testing.T) {
	h := newCourierHouse(t)
	login := []string{"AUTHENTICATED=u1", "TCPREMOTEIP=::ffff:192.0.2.7", "TCPREMOTEPORT=77", "PROTOCOL=IMAP"}
	tagged := append([]string{"IMAPLOGINTAG=x1"}, login...)
	for _, c := range []struct {
		name    string
		env     []string
		args    []string
		prepare func(home string) error
		ours    string // how our answer differs: what it is
	}{
		{name: "shell", args: []string{"./Maildir"}},
		{name: "shell, default"},
		{name: "shell, argument before MAILDIR", env: []string{"MAILDIR=./nowhere"}, args: []string{"./Maildir"}},
		{name: "shell, MAILDIR", env: []string{"MAILDIR=./Maildir"}},
		{name: "after a login", env: tagged, args: []string{"./Maildir"}},
		{name: "after a login, no argument", env: tagged},
		// The manual page has MAILDIR first, Courier 4 and later the argument.
		{name: "after a login, MAILDIR before argument", env: append([]string{"MAILDIR=./Maildir"}, tagged...), args: []string{"./nowhere"}, ours: "x1 OK LOGIN Ok.\n"},
		{name: "login without a name", env: []string{"IMAPLOGINTAG=x1"}, args: []string{"./Maildir"}},
		{name: "a chain that ends with nobody", env: []string{"AUTHENTICATED="}, args: []string{"./Maildir"}, ours: "* BYE AUTHENTICATED environment variable not set.\n"},
		{name: "no Maildir", args: []string{"./nowhere"}},
		{name: "no Maildir after a login", env: tagged, args: []string{"./nowhere"}},
		{name: "a home that is locked", args: []string{"./Maildir"}, prepare: func(home string) error { return os.Chmod(home, 0o700|os.ModeSticky) }},
		{name: "a home that is locked after a login", args: []string{"./Maildir"}, env: tagged, ours: "* BYE Your account is temporarily unavailable (+t bit set on home directory).\nx1 NO [CONTACTADMIN] Your account is temporarily unavailable (+t bit set on home directory).\n", prepare: func(home string) error { return os.Chmod(home, 0o700|os.ModeSticky) }},
		{name: "a Maildir with the sticky bit", args: []string{"./Maildir"}, env: tagged, prepare: func(home string) error { return os.Chmod(home+"/Maildir", 0o700|os.ModeSticky) }},
		{name: "of another user", args: []string{"./Maildir"}, prepare: func(home string) error { return os.Chown(home+"/Maildir", 14399, mailID) }},
		{name: "of another group", args: []string{"./Maildir"}, env: tagged, prepare: func(home string) error { return os.Chown(home+"/Maildir", mailID, 14399) }},
		{name: "of another group, unchecked", args: []string{"./Maildir"}, env: append([]string{"IMAP_MAILBOX_SANITY_CHECK=0"}, tagged...), prepare: func(home string) error { return os.Chown(home+"/Maildir", mailID, 14399) }},
		{name: "disabled", args: []string{"./Maildir"}, env: append([]string{"OPTIONS=a=1,disableimap=1"}, tagged...), ours: "* BYE IMAP access disabled for this account.\nx1 NO [CONTACTADMIN] IMAP access disabled for this account.\n"},
		{name: "disabled in clear", args: []string{"./Maildir"}, env: append([]string{"OPTIONS=disableinsecureimap"}, tagged...), ours: "* BYE IMAP access disabled via insecure connection.\nx1 NO [CONTACTADMIN] IMAP access disabled via insecure connection.\n"},
		{name: "disabled in clear, TLS", args: []string{"./Maildir"}, env: append([]string{"IMAP_TLS=1", "OPTIONS=disableinsecureimap"}, tagged...)},
		{name: "other options", args: []string{"./Maildir"}, env: append([]string{"OPTIONS=group=staff,sharedgroup=x,wbnodsn=1,disablepop3"}, tagged...)},
	} {
		t.Run(c.name, func(t *testing.T) {
			var answers []string
			var runs []imapdRun
			for _, program := range []string{courierImapd, h.program("imapd")} {
				home := filepath.Join(h.dir, "data", h.account(t).user)
				if c.prepare != nil {
					if err := c.prepare(home); err != nil {
						t.Fatal(err)
					}
				}
				r := h.imapd(t, program, home, "", c.env, c.args...)
				runs, answers = append(runs, r), append(answers, neutral(r.out))
			}
			wanted := answers[0]
			if c.ours != "" {
				wanted = c.ours
				runs[1].status = runs[0].status
			}
			if answers[1] != wanted || runs[1].status != runs[0].status {
				t.Errorf("we say %q and end with %d\nCourier says %q and ends with %d\nour log: %s", answers[1], runs[1].status, answers[0], runs[0].status, runs[1].log)
			}
		})
	}
}

// neutral is a server's answers without what may differ.
func neutral(s string) string {
	s = strings.ReplaceAll(s, "\r", "")
	return regexp.MustCompile(`\[CAPABILITY [^]]*\] `).ReplaceAllString(s, "")
}

// TestImapdLines: the log of a session is Courier's, to the letter.
func TestImapdLines(t *testing.T) {
	h := newCourierHouse(t)
	for name, c := range map[string]struct{ client, tls string }{
		"logout":       {"a NOOP\r\nb LOGOUT\r\n", "0"},
		"disconnected": {"a NOOP\r\n", "0"},
		"tls":          {"a NOOP\r\nb LOGOUT\r\n", "1"},
	} {
		t.Run(name, func(t *testing.T) {
			var logs []string
			for _, program := range []string{courierImapd, h.program("imapd")} {
				env := []string{"IMAPLOGINTAG=x1", "AUTHENTICATED=joe", "TCPREMOTEIP=::ffff:192.0.2.7", "TCPREMOTEPORT=77", "PROTOCOL=IMAP", "IMAP_TLS=" + c.tls, "LOG_LEVEL=info"}
				r := h.imapd(t, program, filepath.Join(h.dir, "data", h.account(t).user), c.client, env, "./Maildir")
				// Since 5.2.6 Courier has starttls=1 in the line of a login, too; and it sends
				// other texts.
				log := strings.Replace(r.log, "protocol=IMAP, starttls=1", "protocol=IMAP", 1)
				logs = append(logs, regexp.MustCompile(`sent=\d+`).ReplaceAllString(log, "sent=N"))
			}
			if logs[0] != logs[1] {
				t.Errorf("we log\n%sCourier logs\n%s", logs[1], logs[0])
			}
		})
	}
}

// TestImapdSignals: each of them has the client told, and the process end well.
func TestImapdSignals(t *testing.T) {
	h := newCourierHouse(t)
	for _, signal := range []string{"TERM", "HUP", "INT"} {
		t.Run(signal, func(t *testing.T) {
			home := filepath.Join(h.dir, "data", h.account(t).user)
			id := strconv.Itoa(mailID)
			c := h.command([]string{"IMAPLOGINTAG=x1", "AUTHENTICATED=joe"}, "setpriv", "--reuid="+id, "--regid="+id, "--clear-groups", "env", "-C", home, h.program("imapd"))
			in, err := c.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			defer in.Close()
			said, log := new(output), new(output)
			c.Stdout, c.Stderr = said, log
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			await(t, log, func() bool { return strings.Contains(said.String(), "x1 OK") })
			if out, err := exec.Command("kill", "-"+signal, strconv.Itoa(c.Process.Pid)).CombinedOutput(); err != nil {
				t.Fatal(err, string(out))
			}
			if err := c.Wait(); err != nil {
				t.Error(err)
			}
			if !strings.Contains(said.String(), "* BYE ") || !strings.Contains(log.String(), "NOTICE: Disconnected during shutdown by signal, user=joe, ip=[") {
				t.Errorf("it said %q and logged %q", said, log)
			}
		})
	}
}

// TestLoginExec: a Maildir's own program is run where the settings allow it, before the
// session, and once if it ends well.
func TestLoginExec(t *testing.T) {
	h := newCourierHouse(t)
	login := []string{"IMAPLOGINTAG=x1", "AUTHENTICATED=joe"}
	for _, c := range []struct {
		name, text, env string
		mode            os.FileMode
		runs, stays     bool
	}{
		{"off", "echo '* OK ran'", "0", 0o700, false, true},
		{"ends well", "echo '* OK ran'", "1", 0o700, true, false},
		{"fails", "echo '* OK ran'; exit 3", "1", 0o700, true, true},
		{"no program", "echo '* OK ran'", "1", 0o600, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := h.account(t)
			name := filepath.Join(a.maildir, "loginexec")
			write(t, name, "#!/bin/sh\n"+c.text+"\n", c.mode)
			give(t, name)
			r := h.imapd(t, h.program("imapd"), filepath.Dir(a.maildir), "", append([]string{"IMAP_LOGINEXEC=" + c.env}, login...), "./Maildir")
			if ran := strings.HasPrefix(r.out, "* OK ran\n"); ran != c.runs || !strings.Contains(r.out, "x1 OK") {
				t.Errorf("it says %q", r.out)
			}
			if _, err := os.Stat(name); (err == nil) != c.stays {
				t.Errorf("the file: %v", err)
			}
		})
	}
}

// TestDebugFile: what is said stands in the file that IMAPDEBUGFILE names, if somebody
// made it; a link leads nowhere.
func TestDebugFile(t *testing.T) {
	h := newCourierHouse(t)
	a := h.account(t)
	env := []string{"IMAPLOGINTAG=x1", "AUTHENTICATED=joe", "IMAPDEBUGFILE=debug"}
	name, elsewhere := filepath.Join(a.maildir, "debug"), filepath.Join(a.maildir, "elsewhere")
	run := func() {
		h.imapd(t, h.program("imapd"), filepath.Dir(a.maildir), "a NOOP\r\nb LOGOUT\r\n", env, "./Maildir")
	}
	run()
	if _, err := os.Stat(name); !os.IsNotExist(err) {
		t.Errorf("the file was made: %v", err)
	}
	for _, f := range []string{name, elsewhere} {
		write(t, f, "", 0o600)
		give(t, f)
	}
	run()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for _, wanted := range []string{"S: x1 OK", "C: a NOOP\r\n", "C: b LOGOUT\r\n", "S: b OK LOGOUT"} {
		if !strings.Contains(string(text), wanted) {
			t.Errorf("%q is missing in %q", wanted, text)
		}
	}
	if err := errors.Join(os.Remove(name), os.Symlink("elsewhere", name)); err != nil {
		t.Fatal(err)
	}
	run()
	if text, err := os.ReadFile(elsewhere); err != nil || len(text) > 0 {
		t.Errorf("behind a link stands %q, %v", text, err)
	}
}

// TestMemoryLimit: a session works within what Debian's Courier sets.
func TestMemoryLimit(t *testing.T) {
	h := newCourierHouse(t)
	a := h.account(t)
	for i := range 300 {
		if err := a.deliver("INBOX", numbered("limit", i)+strings.Repeat("text ", 2000)); err != nil {
			t.Fatal(err)
		}
	}
	r := h.imapd(t, h.program("imapd"), filepath.Dir(a.maildir), "a SELECT INBOX\r\nb FETCH 1:* (ENVELOPE BODYSTRUCTURE BODY.PEEK[])\r\nc SEARCH TEXT nowhere\r\nd LOGOUT\r\n",
		[]string{"IMAPLOGINTAG=x1", "AUTHENTICATED=joe", "IMAP_ULIMITD=131072"})
	if r.status != 0 || !strings.Contains(r.out, "\nd OK") {
		t.Errorf("it ends with %d: %.2000s", r.status, r.log)
	}
}
