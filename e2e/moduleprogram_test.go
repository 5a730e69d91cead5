package e2e_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// hmacMD5 is what userdbpw -hmac-md5 makes of tanstaaftanstaaf.
const hmacMD5 = "d06d4e1b26fccaa4b0b61801132340a354b21152711fb604ca3e035e7015116b"

// TestModuleProgram: authuserdb as a program, as Courier's imaplogin of the older form
// starts one: what the next program finds, or AUTHUSER.
func TestModuleProgram(t *testing.T) {
	h := newCourierHouse(t)
	a := h.account(t)
	cram := filepath.Join(h.dir, "courier/userdb")
	text, err := os.ReadFile(cram)
	if err != nil {
		t.Fatal(err)
	}
	write(t, cram, string(text)+fmt.Sprintf("crammer\tuid=%d|gid=%d|home=%s|hmac-md5pw=%s\n", mailID, mailID, filepath.Dir(a.maildir), hmacMD5), 0o600)
	next := filepath.Join(h.dir, "next")
	write(t, next, "#!/bin/sh\necho \"I am $0 $*\"; id; pwd; env | grep ^AUTH[EAF] | sort; [ -z \"$AUTHENTICATED\" ] && [ -e /proc/self/fd/3 ] && cat <&3\nexit 0\n", 0o755)
	id := strconv.Itoa(mailID)
	accepted := []string{"I am " + next + " more words", "uid=" + id, "gid=" + id, filepath.Dir(a.maildir), "AUTHENTICATED=" + a.user, "AUTHADDR=" + a.user}
	right := "imap\nlogin\n" + a.user + "\n" + password + "\n\n"
	wrong := "imap\nlogin\n" + a.user + "\nwrong\n\n"
	for _, c := range []struct {
		name, record string
		env          []string
		program      string
		wanted       []string
		not          string
	}{
		{name: "right", record: right, wanted: accepted, not: password},
		{name: "wrong", record: wrong, wanted: []string{"I am " + next + " more words", "uid=0", "AUTHENTICATED=\n", wrong}},
		{name: "unknown", record: "imap\nlogin\nnobody\nx\n\n", wanted: []string{"uid=0", "AUTHENTICATED=\n", "nobody\nx\n\n"}},
		{name: "accepted before", record: right, env: []string{"AUTHENTICATED=other"}, wanted: []string{"uid=0", "AUTHENTICATED=other"}},
		{name: "cram", record: "imap\ncram-md5\n" + cramRecord("crammer", "tanstaaftanstaaf"), wanted: []string{"uid=" + id, "AUTHENTICATED=crammer"}},
		{name: "cram, wrong", record: "imap\ncram-md5\n" + cramRecord("crammer", "wrong"), wanted: []string{"uid=0", "AUTHENTICATED=\n", "imap\ncram-md5\n"}},
		{name: "another kind", record: "imap\nplain\nx\ny\n\n", wanted: []string{"uid=0", "imap\nplain\nx\ny\n"}},
		{name: "nonsense", record: "x", wanted: []string{"uid=0", "AUTHENTICATED=\n", "x"}},
		{name: "accounts that cannot be asked", record: right, env: []string{"USERDB=/nowhere"}, wanted: []string{"I am " + next + " again and again", "uid=0"}, not: password},
		{name: "imapd at the end", record: right, program: "imapd", wanted: []string{"I am " + next + " again and again", "uid=0"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			if _, err := w.WriteString(c.record); err != nil {
				t.Fatal(err)
			}
			w.Close()
			program := h.program("authuserdb")
			if c.program != "" {
				program = h.program(c.program)
			}
			env := append([]string{"AUTHENTICATED=", "AUTHUSER=" + next, "AUTHARGC=4", "AUTHARGV0=imaplogin", "AUTHARGV1=again", "AUTHARGV2=and", "AUTHARGV3=again", "LOG_LEVEL=error"}, c.env...)
			words := []string{program, next, "more", "words"}
			if c.program != "" {
				words = []string{program, "./Maildir"}
			}
			cmd := h.command(env, words...)
			var out, log bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &log
			cmd.ExtraFiles = []*os.File{r}
			if err := cmd.Run(); err != nil {
				t.Fatalf("%v\n%s", err, log.String())
			}
			for _, wanted := range c.wanted {
				if !strings.Contains(out.String(), wanted) {
					t.Errorf("%q is missing in\n%s", wanted, out.String())
				}
			}
			if c.not != "" && strings.Contains(out.String(), c.not) {
				t.Errorf("the next program found %q", c.not)
			}
		})
	}
	for name, words := range map[string][]string{"no next program": {h.program("authuserdb")}, "no credentials": {h.program("authuserdb"), next}} {
		c := h.command([]string{"AUTHENTICATED="}, words...)
		out, err := c.CombinedOutput()
		if err == nil || !strings.Contains(string(out), "AUTHFAILURE") {
			t.Errorf("%s: %v, %s", name, err, out)
		}
	}
}

// cramRecord is a challenge and a client's response to it.
func cramRecord(user, secret string) string {
	const challenge = "<1896.697170952@postoffice.example.net>"
	encode := base64.StdEncoding.EncodeToString
	return encode([]byte(challenge)) + "\n" + encode([]byte(user+" "+hmacOf(secret, challenge))) + "\n"
}

// hmacOf is what CRAM-MD5 makes of a secret and a challenge (RFC 2195 2).
func hmacOf(secret, challenge string) string {
	mac := hmac.New(md5.New, []byte(secret))
	mac.Write([]byte(challenge))
	return hex.EncodeToString(mac.Sum(nil))
}
