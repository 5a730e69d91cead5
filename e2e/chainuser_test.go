package e2e_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestChainSystemUser: an account that is a user of the system has that user's ids and
// groups; one that says it is root has nothing.
func TestChainSystemUser(t *testing.T) {
	h := newCourierHouse(t)
	home := filepath.Join(h.dir, "data", h.account(t).user)
	whoami := filepath.Join(h.dir, "whoami")
	write(t, whoami, "#!/bin/sh\necho $(id -u) $(id -g) $(id -G) $(pwd)\n", 0o755)
	h.answers(t, map[string]string{
		"sys":   "USERNAME=postrider-sys\nGID=14400\nHOME=" + home + "\nADDRESS=sys\n.\n",
		"ids":   "UID=14300\nGID=14300\nHOME=" + home + "\nADDRESS=ids\n.\n",
		"root":  "USERNAME=root\nGID=14400\nHOME=" + home + "\nADDRESS=root\n.\n",
		"zero":  "UID=0\nGID=14400\nHOME=" + home + "\nADDRESS=zero\n.\n",
		"group": "UID=14300\nGID=0\nHOME=" + home + "\nADDRESS=group\n.\n",
		"gone":  "USERNAME=postrider-gone\nGID=14400\nHOME=" + home + "\nADDRESS=gone\n.\n",
		"lost":  "UID=14300\nGID=14300\nHOME=/nonexistent\nADDRESS=lost\n.\n",
	})
	for _, login := range []string{courierLogin, h.program("imaplogin")} {
		c := h.listen(t, courierTCPD, nil, login, whoami, "./Maildir")
		for user, wanted := range map[string]string{"sys": "14400 14400 14400 14402 " + home, "ids": "14300 14300 14300 " + home} {
			if got := c.loggedIn(t, user); got != wanted {
				t.Errorf("%s makes %s %q, not %q", filepath.Base(login), user, got, wanted)
			}
		}
	}
	c := h.listen(t, courierTCPD, nil, h.program("imaplogin"), whoami, "./Maildir")
	for user, wanted := range map[string]string{
		"root": "* BYE [UNAVAILABLE]", "gone": "* BYE [UNAVAILABLE]", "lost": "* BYE [UNAVAILABLE]",
		"zero": "t NO [CONTACTADMIN]", "group": "t NO [CONTACTADMIN]",
	} {
		if got := c.loggedIn(t, user); !strings.HasPrefix(got, wanted) {
			t.Errorf("%s gets %q, not %q", user, got, wanted)
		}
	}
	if strings.Contains(c.log.String(), "LOGIN FAILED") {
		t.Error("an account that cannot be served is logged as a wrong password")
	}
}

// loggedIn is the first line after a login.
func (c *chain) loggedIn(t *testing.T, user string) string {
	t.Helper()
	k := dial(t, c.port)
	k.line()
	fmt.Fprintf(k.c, "t LOGIN %s x\r\n", user)
	return k.line()
}

// answers plays an authdaemond that says this of each user.
func (h *courierHouse) answers(t *testing.T, records map[string]string) {
	t.Helper()
	socket := filepath.Join(h.dir, "run/courier/authdaemon/socket")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	if err := os.Chmod(socket, 0o777); err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			in := bufio.NewReader(c)
			var request []string
			for len(request) < 3 { // "imap", "login" and the user, after AUTH and lines of NAME=value
				line, err := in.ReadString('\n')
				if err != nil {
					break
				}
				line = strings.TrimSuffix(line, "\n")
				if !strings.HasPrefix(line, "AUTH ") && !strings.Contains(line, "=") {
					request = append(request, line)
				}
			}
			if len(request) == 3 {
				io.WriteString(c, records[request[2]])
			}
			c.Close()
		}
	}()
}
