package e2e_test

import (
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// mix is who stands where in the chain. Of imaplogin's words only those before imapd's
// are told; accounts of Courier's imaplogin are those of its authdaemond.
type mix struct {
	name  string
	tcpd  string
	login []string
	imapd string
}

func (h *courierHouse) mixes() []mix {
	ourLogin, ourImapd := h.program("imaplogin"), h.program("imapd")
	return []mix{
		{"Courier in front", courierTCPD, []string{courierLogin}, ourImapd},
		{"Courier behind", courierTCPD, []string{ourLogin}, courierImapd},
		{"ours", courierTCPD, []string{ourLogin}, ourImapd},
		{"ours with a module", courierTCPD, []string{ourLogin, h.program("authuserdb")}, ourImapd},
		{"modules as programs", courierTCPD, []string{ourLogin, "/usr/bin/env", h.program("authuserdb")}, ourImapd},
		{"modules as programs, Courier behind", courierTCPD, []string{ourLogin, "/usr/bin/env", h.program("authuserdb")}, courierImapd},
	}
}

// start starts a mix.
func (m mix) start(t *testing.T, h *courierHouse, env ...string) *chain {
	t.Helper()
	return h.listen(t, m.tcpd, env, append(append([]string{}, m.login...), m.imapd, "./Maildir")...)
}

// TestChain: each program of the chain works between Courier's, and logs the same lines.
func TestChain(t *testing.T) {
	h := newCourierHouse(t)
	h.authdaemond(t)
	for _, m := range h.mixes() {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			c := m.start(t, h)
			a := h.account(t)
			if err := a.deliver("INBOX", numbered("chain", 1)); err != nil {
				t.Fatal(err)
			}
			k := dial(t, c.port)
			if line := k.line(); !strings.HasPrefix(line, "* OK [CAPABILITY IMAP4rev1 ") {
				t.Fatalf("the greeting is %q", line)
			}
			if all := k.do("LOGIN " + a.user + " wrong"); !strings.HasPrefix(all[len(all)-1], "t NO ") {
				t.Errorf("a wrong password gets %q", all)
			}
			if all := k.ok("LOGIN " + a.user + " " + password); !strings.HasSuffix(all[len(all)-1], "LOGIN Ok.") {
				t.Errorf("the login is answered %q", all)
			}
			k.everyday()
			k.ok("LOGOUT")
			if line := k.line(); line != "" {
				t.Errorf("after LOGOUT comes %q", line)
			}
			c.logged(t, `^INFO: LOGIN FAILED, user=`+a.user+`, ip=\[::ffff:127\.0\.0\.1\], port=\[\d+\]$`)
			c.logged(t, `^INFO: LOGIN, user=`+a.user+`, ip=\[::ffff:127\.0\.0\.1\], port=\[\d+\], protocol=IMAP$`)
			c.logged(t, `^INFO: LOGOUT, user=`+a.user+`, ip=\[::ffff:127\.0\.0\.1\], port=\[\d+\], headers=\d+, body=\d+, rcvd=\d+, sent=\d+, time=\d+$`)
		})
	}
}

// everyday is what a client does with the one message of a folder.
func (k *talk) everyday() {
	k.t.Helper()
	if got := strings.Join(k.ok("SELECT INBOX"), "\n"); !strings.Contains(got, "* 1 EXISTS") {
		k.t.Errorf("SELECT says %s", got)
	}
	if got := strings.Join(k.ok("FETCH 1 (FLAGS ENVELOPE)"), "\n"); !strings.Contains(got, "chain message 1") {
		k.t.Errorf("FETCH says %s", got)
	}
	if got := k.ok("IDLE"); !strings.HasPrefix(got[len(got)-1], "+ entering") {
		k.t.Errorf("IDLE says %q", got)
	}
	k.c.Write([]byte("DONE\r\n"))
	for line := k.line(); !strings.HasPrefix(line, "t OK"); line = k.line() {
		if line == "" {
			k.t.Fatal("the connection ended in IDLE")
		}
	}
}

// logged waits until the log has a line of that form.
func (c *chain) logged(t *testing.T, form string) {
	t.Helper()
	re := regexp.MustCompile("(?m)" + form)
	await(t, c.log, func() bool { return re.MatchString(c.log.String()) })
}

// TestPipelinedLogin: what a client sends together with its login is answered by who
// comes after the login, and the sequence of commands is kept.
func TestPipelinedLogin(t *testing.T) {
	h := newCourierHouse(t)
	for _, m := range h.mixes() {
		if m.login[0] == courierLogin {
			continue // which loses what came with the login
		}
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			c, a := m.start(t, h), h.account(t)
			k := dial(t, c.port)
			k.line()
			k.c.Write([]byte("a NOOP\r\nb LOGIN {" + strconv.Itoa(len(a.user)) + "+}\r\n" + a.user + " {4+}\r\n" + password + "\r\nc SELECT INBOX\r\nd NOOP\r\ne LOGOUT\r\n"))
			for _, tag := range []string{"a", "b", "c", "d", "e"} {
				k.until(tag + " OK")
			}
			if line := k.line(); line != "" {
				t.Errorf("after LOGOUT comes %q", line)
			}
		})
	}
}

// until reads lines up to one that begins so; no other tagged line may come before.
func (k *talk) until(prefix string) string {
	k.t.Helper()
	for {
		line := k.line()
		switch {
		case strings.HasPrefix(line, prefix):
			return line
		case !strings.HasPrefix(line, "* ") && !strings.HasPrefix(line, "+ "):
			k.t.Fatalf("instead of %q comes %q", prefix, line)
		}
	}
}
