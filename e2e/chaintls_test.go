package e2e_test

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// startTLS goes over to TLS and returns the conversation in it.
func (k *talk) startTLS(config *tls.Config) *talk {
	k.t.Helper()
	k.ok("STARTTLS")
	c := tls.Client(k.c, config)
	if err := c.Handshake(); err != nil {
		k.t.Fatal(err)
	}
	return &talk{t: k.t, c: c, in: bufio.NewReader(c)}
}

// TestChainTLS: STARTTLS between all of them, and what was pipelined behind a login in
// TLS is not lost.
func TestChainTLS(t *testing.T) {
	h := newCourierHouse(t)
	h.authdaemond(t)
	for _, m := range h.mixes() {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			c, a := m.start(t, h, "IMAP_TLS_REQUIRED=1"), h.account(t)
			if err := a.deliver("INBOX", numbered("chain", 1)); err != nil {
				t.Fatal(err)
			}
			k := dial(t, c.port)
			if line := k.line(); !strings.Contains(line, "STARTTLS") || !strings.Contains(line, "LOGINDISABLED") {
				t.Errorf("the greeting is %q", line)
			}
			if got := k.do("LOGIN " + a.user + " " + password); !strings.HasPrefix(got[len(got)-1], "t NO") {
				t.Errorf("a login in clear gets %q", got)
			}
			k = k.startTLS(trusting(t, h.dir))
			if got := strings.Join(k.ok("CAPABILITY"), " "); strings.Contains(got, "STARTTLS") || strings.Contains(got, "LOGINDISABLED") {
				t.Errorf("in TLS there is %s", got)
			}
			if m.login[0] == courierLogin {
				k.ok("LOGIN " + a.user + " " + password)
			} else {
				fmt.Fprintf(k.c, "a LOGIN %s %s\r\nb NOOP\r\n", a.user, password)
				k.until("a OK")
				k.until("b OK")
			}
			k.everyday()
			k.ok("LOGOUT")
			if line := k.line(); line != "" {
				t.Errorf("after LOGOUT comes %q", line)
			}
			c.logged(t, `^INFO: LOGOUT, user=`+a.user+`,.*time=\d+, starttls=1$`)
		})
	}
}

// TestChainImplicitTLS: on the port that begins with TLS couriertls is in front.
func TestChainImplicitTLS(t *testing.T) {
	h := newCourierHouse(t)
	h.authdaemond(t)
	for _, m := range h.mixes() {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			engine := "/usr/bin/couriertls"
			if m.tcpd != courierTCPD {
				engine = h.program("couriertls")
			}
			words := append([]string{engine, "-server", "-tcpd", "-user=courier"}, append(m.login, m.imapd, "./Maildir")...)
			port := freePort(t)
			_, log := h.start(t, []string{"IMAP_TLS=1", "IMAP_STARTTLS=NO"}, append([]string{m.tcpd, "-address=127.0.0.1", "-nodnslookup", "-noidentlookup", "-maxprocs=40", "-maxperip=40", port}, words...)...)
			c, a := &chain{courierHouse: h, port: port, log: log}, h.account(t)
			if err := a.deliver("INBOX", numbered("chain", 1)); err != nil {
				t.Fatal(err)
			}
			var k *talk
			await(t, log, func() bool {
				under, err := tls.Dial("tcp", "127.0.0.1:"+port, trusting(t, h.dir))
				if err == nil {
					k = newTalk(t, under)
				}
				return err == nil
			})
			if line := k.line(); strings.Contains(line, "STARTTLS") || !strings.HasPrefix(line, "* OK") {
				t.Errorf("the greeting is %q", line)
			}
			k.ok("LOGIN " + a.user + " " + password)
			k.everyday()
			k.ok("LOGOUT")
			c.logged(t, `^INFO: LOGOUT, user=`+a.user+`,.*time=\d+, starttls=1$`)
		})
	}
}

// TestChainProcesses: with TLS the session belongs to the account, and what has the key
// of the certificate to nobody; neither can get root back.
func TestChainProcesses(t *testing.T) {
	h := newCourierHouse(t)
	m := h.mixes()[2]
	c, a := m.start(t, h), h.account(t)
	clear, secured := dial(t, c.port), dial(t, c.port)
	for _, k := range []*talk{clear, secured} {
		k.line()
	}
	clear.ok("LOGIN " + a.user + " " + password)
	secured = secured.startTLS(trusting(t, h.dir))
	secured.ok("LOGIN " + a.user + " " + password)
	await(t, c.log, func() bool { // until those of the connections before have gone
		names := strings.Join(slices.Collect(maps.Values(c.sessions(t))), " ")
		return strings.Count(names, "imapd") == 2 && strings.Count(names, "imaplogin") == 1
	})
	for pid, name := range c.sessions(t) {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			t.Fatal(err)
		}
		who := map[string]string{"imapd": strconv.Itoa(mailID), "imaplogin": "65534"}[name]
		for _, wanted := range []string{"Uid:" + strings.Repeat("\t"+who, 4), "Gid:" + strings.Repeat("\t"+who, 4), "Groups:\t" + who + " ", "CapPrm:\t0000000000000000"} {
			if !strings.Contains(string(status), wanted+"\n") {
				t.Errorf("%s runs with\n%s", name, status)
			}
		}
	}
	// The couriertcpd ends its process group; every client is told.
	syscall.Kill(-c.cmd.Process.Pid, syscall.SIGTERM)
	for _, k := range []*talk{clear, secured} {
		if line := k.line(); !strings.HasPrefix(line, "* BYE") {
			t.Errorf("after SIGTERM comes %q", line)
		}
		if line := k.line(); line != "" {
			t.Errorf("after BYE comes %q", line)
		}
	}
}

// sessions are the processes that couriertcpd's connections have now, and their names.
func (c *chain) sessions(t *testing.T) map[int]string {
	t.Helper()
	all := make(map[int]string)
	for _, pid := range descendants(t, c.cmd.Process.Pid) {
		line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if err == nil && len(line) > 0 { // else it has ended
			all[pid] = filepath.Base(strings.Split(string(line), "\x00")[0])
		}
	}
	return all
}

// descendants are the processes that a process started, and theirs.
func descendants(t *testing.T, pid int) (all []int) {
	t.Helper()
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		t.Fatal(err)
	}
	var text []byte
	for _, task := range tasks {
		more, err := os.ReadFile(task)
		if err != nil && !errors.Is(err, os.ErrNotExist) && !errors.Is(err, syscall.ESRCH) { // a thread that has ended
			t.Fatal(err)
		}
		text = append(append(text, ' '), more...)
	}
	for _, word := range strings.Fields(string(text)) {
		n, err := strconv.Atoi(word)
		if err != nil {
			t.Fatal(err)
		}
		all = append(append(all, n), descendants(t, n)...)
	}
	return all
}

// TestChainInjection: what somebody put into the connection before encryption is not
// taken for the client's after it.
func TestChainInjection(t *testing.T) {
	h := newCourierHouse(t)
	for _, m := range h.mixes()[1:3] {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			c, a := m.start(t, h), h.account(t)
			k := dial(t, c.port)
			k.line()
			fmt.Fprintf(k.c, "t STARTTLS\r\nx LOGIN %s %s\r\n", a.user, password)
			k.until("t OK")
			under := tls.Client(k.c, trusting(t, h.dir))
			if err := under.Handshake(); err == nil {
				k = &talk{t: t, c: under, in: bufio.NewReader(under)}
				fmt.Fprint(under, "y NOOP\r\n")
				if line := k.line(); !strings.HasPrefix(line, "y OK") {
					t.Errorf("after TLS comes %q", line)
				}
			}
			c.logged(t, `^DEBUG: Disconnected, ip=.*, time=\d+`)
			if strings.Contains(c.log.String(), "LOGIN, user=") {
				t.Error("what came before TLS logged in")
			}
		})
	}
}
