package e2e_test

import (
	"regexp"
	"slices"
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
	env   []string
}

func (h *courierHouse) mixes() []mix {
	ourLogin, ourImapd := h.program("imaplogin"), h.program("imapd")
	return []mix{
		{"Courier in front", courierTCPD, []string{courierLogin}, ourImapd, nil},
		{"Courier behind", courierTCPD, []string{ourLogin}, courierImapd, nil},
		{"ours", courierTCPD, []string{ourLogin}, ourImapd, nil},
		{"ours with a module", courierTCPD, []string{ourLogin, h.program("authuserdb")}, ourImapd, nil},
		{"modules as programs", courierTCPD, []string{ourLogin, "/usr/bin/env", h.program("authuserdb")}, ourImapd, nil},
		{"all ours", h.program("couriertcpd"), []string{ourLogin}, ourImapd, nil},
		{"all ours with a module", h.program("couriertcpd"), []string{ourLogin, h.program("authuserdb")}, ourImapd, nil},
		{"the manual page", h.program("couriertcpd"), []string{ourLogin, h.program("authuserdb")}, ourImapd, nil},
		{"all ours with modules as programs", h.program("couriertcpd"), []string{ourLogin, "/usr/bin/env", h.program("authuserdb")}, ourImapd, nil},
		{"our couriertcpd", h.program("couriertcpd"), []string{courierLogin}, courierImapd, nil},
		{"our couriertcpd and imaplogin", h.program("couriertcpd"), []string{ourLogin}, courierImapd, nil},
		{"modules as programs, Courier behind", courierTCPD, []string{ourLogin, "/usr/bin/env", h.program("authuserdb")}, courierImapd, nil},
	}
}

// start starts a mix.
func (m mix) start(t *testing.T, h *courierHouse, env ...string) *chain {
	t.Helper()
	return h.listen(t, m.tcpd, append(env, m.env...), append(append([]string{}, m.login...), m.imapd, "./Maildir")...)
}

// TestChain: each program of the chain works between Courier's, and logs the same lines.
func TestChain(t *testing.T) {
	h := newCourierHouse(t)
	h.authdaemond(t)
	for _, m := range h.mixes() {
		h.conversation(t, m)
	}
}

// TestChainOurAccounts: the accounts are those of our authdaemond, and without one those
// of the settings.
func TestChainOurAccounts(t *testing.T) {
	h := newCourierHouse(t)
	h.startAuthdaemond(t, h.program("authdaemond"))
	h.conversation(t, mix{"Courier in front", courierTCPD, []string{courierLogin}, h.program("imapd"), nil})
	h.conversation(t, mix{"all Courier's", courierTCPD, []string{courierLogin}, courierImapd, nil})
	h.conversation(t, mix{"ours", courierTCPD, []string{h.program("imaplogin")}, h.program("imapd"), []string{"USERDB=/nowhere"}})
	h.conversation(t, mix{"the module", courierTCPD, []string{h.program("imaplogin"), h.program("authdaemon")}, h.program("imapd"), []string{"USERDB=/nowhere"}})
	other := newCourierHouse(t)
	other.conversation(t, mix{"no daemon", courierTCPD, []string{other.program("imaplogin")}, other.program("imapd"), nil})
}

// conversation is one client's, from a wrong password to LOGOUT.
func (h *courierHouse) conversation(t *testing.T, m mix) {
	t.Helper()
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
		if m.imapd != courierImapd { // once for each way to ask: it takes five seconds
			if all := k.do("LOGIN " + a.user + " wrong"); !strings.HasPrefix(all[len(all)-1], "t NO ") {
				t.Errorf("a wrong password gets %q", all)
			}
			c.logged(t, `^INFO: LOGIN FAILED, user=`+a.user+`, ip=\[::ffff:127\.0\.0\.1\], port=\[\d+\]$`)
		}
		if all := k.ok("LOGIN " + a.user + " " + password); !strings.HasSuffix(all[len(all)-1], "LOGIN Ok.") {
			t.Errorf("the login is answered %q", all)
		}
		k.everyday()
		k.ok("LOGOUT")
		if line := k.line(); line != "" {
			t.Errorf("after LOGOUT comes %q", line)
		}
		c.logged(t, `^INFO: LOGIN, user=`+a.user+`, ip=\[::ffff:127\.0\.0\.1\], port=\[\d+\], protocol=IMAP$`)
		c.logged(t, `^INFO: LOGOUT, user=`+a.user+`, ip=\[::ffff:127\.0\.0\.1\], port=\[\d+\], headers=\d+, body=\d+, rcvd=\d+, sent=\d+, time=\d+$`)
	})
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

// TestChainCapabilities: before and after the login the same is announced, without what
// IMAP_CAPABILITY hides of what Courier knew, and with what it never knew; in front of
// Courier's imapd what that can do. Of the mechanisms that Courier knew those are offered
// that it names and some account can use.
func TestChainCapabilities(t *testing.T) {
	h := newCourierHouse(t)
	for imapd, c := range map[string]struct{ has, lacks string }{
		h.program("imapd"): {"IMAP4rev1 UIDPLUS MOVE LITERAL+ SPECIAL-USE", "IDLE SORT NAMESPACE CHILDREN THREAD=REFERENCES"},
		courierImapd:       {"IMAP4rev1 UIDPLUS ACL", "IDLE SORT MOVE LITERAL+ SPECIAL-USE"},
	} {
		s := h.listen(t, courierTCPD, []string{"IMAP_CAPABILITY=IMAP4rev1 UIDPLUS AUTH=CRAM-SHA1 AUTH=PLAIN"}, h.program("imaplogin"), imapd, "./Maildir")
		k := dial(t, s.port)
		greeting := k.line()
		before := k.ok("CAPABILITY")[0]
		k.ok("LOGIN " + h.account(t).user + " " + password)
		after := k.ok("CAPABILITY")[0]
		for what, words := range map[string][]string{"greeting": strings.Fields(strings.Replace(greeting, "]", " ]", 1)), "before": strings.Fields(before), "after": strings.Fields(after)} {
			for _, w := range strings.Fields(c.has) {
				if !slices.Contains(words, w) {
					t.Errorf("%s, %s: %s is missing in %s", imapd, what, w, words)
				}
			}
			for _, w := range strings.Fields(c.lacks) {
				if slices.Contains(words, w) {
					t.Errorf("%s, %s: there is %s in %s", imapd, what, w, words)
				}
			}
		}
		if strings.Contains(before, "CRAM-SHA1") || !strings.Contains(before, "AUTH=PLAIN") || strings.Contains(before, "AUTH=LOGIN") {
			t.Errorf("the ways to log in are %s", before)
		}
	}
}
