package e2e_test

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestModules: what the modules of the old form can do to a login. The first is a
// program that is none of ours.
func TestModules(t *testing.T) {
	h := newCourierHouse(t)
	own := h.program("authuserdb")
	for name, c := range map[string]struct {
		module string // the script's text
		right  string // what the right password gets
		wrong  string // what a wrong one gets, if that is another thing
	}{
		"rejects": {`exec "$@"`, "t OK", "t NO [AUTHENTICATIONFAILED]"},
		"reads and hands on": {`r=$(cat <&3; echo x)
			exec 3<<-END
			$(printf %s "${r%xx}")

			END
			exec "$@"`, "t OK", "t NO [AUTHENTICATIONFAILED]"},
		"dies":               {`kill -SEGV $$`, "t NO [UNAVAILABLE]", ""},
		"ends":               {`exit 0`, "t NO [UNAVAILABLE]", ""},
		"cannot tell":        {`exec "$AUTHUSER" imaplogin "$AUTHARGV1"`, "t NO [UNAVAILABLE]", ""},
		"is not there":       {"", "t NO [UNAVAILABLE]", ""},
		"accepts as root":    {`export AUTHENTICATED=root AUTHADDR=root; cd /; exec "$@"`, "t NO [CONTACTADMIN]", ""},
		"keeps root's group": {`export AUTHENTICATED=x AUTHADDR=x; exec setpriv --reuid=` + strconv.Itoa(mailID) + ` --regid=` + strconv.Itoa(mailID) + ` --groups=0 "$@"`, "t NO [UNAVAILABLE]", ""},
		"takes all":          {`export AUTHENTICATED=x AUTHADDR=x MAILDIR=Maildir; cd ` + h.dir + `/data/u1; exec setpriv --reuid=` + strconv.Itoa(mailID) + ` --regid=` + strconv.Itoa(mailID) + ` --clear-groups "$@"`, "t OK", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			module := filepath.Join(publicDir(t), "authforeign")
			if c.module != "" {
				write(t, module, "#!/bin/bash\n"+c.module+"\n", 0o755)
			}
			a := h.account(t)
			s := h.listen(t, courierTCPD, nil, h.program("imaplogin"), module, own, h.program("imapd"), "./Maildir")
			for pass, wanted := range map[string]string{password: c.right, "wrong": c.wrong} {
				if wanted == "" {
					continue
				}
				k := dial(t, s.port)
				k.line()
				got := k.do("LOGIN " + a.user + " " + pass)
				if last := got[len(got)-1]; !strings.HasPrefix(last, wanted) {
					t.Errorf("the password %s gets %q, not %q", pass, last, wanted)
				}
				k.c.Close()
			}
			if strings.Contains(c.right, "UNAVAILABLE") && strings.Contains(s.log.String(), "LOGIN FAILED") {
				t.Error("a failure that passes is logged as a wrong password")
			}
		})
	}
}

// TestModulesCRAM: a challenge and its response go through modules that are programs, and
// AUTHENTICATE as a whole.
func TestModulesCRAM(t *testing.T) {
	h := newCourierHouse(t)
	home := filepath.Join(h.dir, "data", h.account(t).user)
	userdb := filepath.Join(h.dir, "courier/userdb")
	write(t, userdb, fmt.Sprintf("crammer\tuid=%d|gid=%d|home=%s|hmac-md5pw=%s\n", mailID, mailID, home, hmacMD5), 0o600)
	c := h.listen(t, courierTCPD, []string{"AUTH_MECHANISMS=PLAIN CRAM-MD5"}, h.program("imaplogin"), "/usr/bin/env", h.program("authuserdb"), h.program("imapd"), "./Maildir")
	for _, secret := range []string{"wrong", "tanstaaftanstaaf"} {
		k := dial(t, c.port)
		if line := k.line(); !strings.Contains(line, "AUTH=CRAM-MD5") {
			t.Errorf("the greeting is %q", line)
		}
		asked := k.ok("AUTHENTICATE CRAM-MD5")
		challenge, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(asked[0], "+ "))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(k.c, "%s\r\n", base64.StdEncoding.EncodeToString([]byte("crammer "+hmacOf(secret, string(challenge)))))
		wanted := "t NO [AUTHENTICATIONFAILED]"
		if secret != "wrong" {
			wanted = "t OK"
		}
		if line := k.line(); !strings.HasPrefix(line, wanted) {
			t.Errorf("with %s comes %q", secret, line)
		}
	}
	c.logged(t, `^INFO: LOGIN FAILED, method=CRAM-MD5, ip=`)
	c.logged(t, `^INFO: LOGIN, user=crammer, ip=`)
}

// TestChainEnvironment: a program in imapd's place finds what it finds behind Courier's
// imaplogin, and what the modules of the old form set.
func TestChainEnvironment(t *testing.T) {
	h := newCourierHouse(t)
	h.authdaemond(t)
	dump := filepath.Join(h.dir, "dump")
	write(t, dump, "#!/bin/sh\necho \"argv $0 $*\"; echo \"cwd $(pwd)\"; echo \"id $(id)\"; echo \"umask $(umask)\"\n"+
		"for f in 0 1 2; do [ -e /proc/self/fd/$f ] && echo fd $f; done; [ -e /proc/self/fd/3 ] && [ ! -d /proc/self/fd/3 ] && echo fd 3\n"+
		"cat /proc/self/status | grep -E '^(Sig(Blk|Ign)|Groups)'; echo tty; env | sort; echo end\n", 0o755)
	a := h.account(t)
	run := func(words ...string) map[string]string {
		t.Helper()
		c := h.listen(t, courierTCPD, []string{"RIGHT=kept"}, append(words, dump, "./Maildir")...)
		k := dial(t, c.port)
		k.line()
		fmt.Fprintf(k.c, "tag LOGIN %s %s\r\n", a.user, password)
		found := make(map[string]string)
		for line := k.line(); line != "end"; line = k.line() {
			if line == "" {
				t.Fatalf("%s: the connection ended", words)
			}
			name, value, _ := strings.Cut(line, "=")
			if value == "" {
				name, value, _ = strings.Cut(line, " ")
			}
			found[name] = value
		}
		return found
	}
	courier := run(courierLogin)
	home := filepath.Join(h.dir, "data", a.user)
	more := map[string]string{"AUTHADDR": a.user, "HOME": home, "MAILDIR": a.maildir, "AUTHFULLNAME": ""}
	for name, ours := range map[string]map[string]string{
		"ours": run(h.program("imaplogin")), "modules": run(h.program("imaplogin"), "/usr/bin/env", h.program("authuserdb")),
	} {
		for key, value := range courier {
			if !slices.Contains([]string{"TCPREMOTEPORT", "TCPLOCALPORT", "fd"}, key) && ours[key] != value {
				t.Errorf("%s: %s is %q, with Courier %q", name, key, ours[key], value)
			}
		}
		for key, value := range ours {
			if _, too := courier[key]; !too && more[key] != value {
				t.Errorf("%s: %s is %q, and Courier has none", name, key, value)
			}
		}
		for key, value := range more {
			if ours[key] != value {
				t.Errorf("%s: %s is %q, not %q", name, key, ours[key], value)
			}
		}
	}
}

// TestSmuggling: the octets of a literal are never a command, whatever becomes of the
// login that they belong to.
func TestSmuggling(t *testing.T) {
	h := newCourierHouse(t)
	c := h.listen(t, courierTCPD, nil, h.program("imaplogin"), h.program("imapd"), "./Maildir")
	a := h.account(t)
	smuggled := fmt.Sprintf("x LOGIN %s %s\r\n", a.user, password)
	for name, text := range map[string]string{
		"password":       fmt.Sprintf("t LOGIN %s {%d+}\r\n%s\r\n", a.user, len(smuggled), smuggled),
		"too large":      fmt.Sprintf("t LOGIN %s {%d+}\r\n%s\r\n", a.user, 100000+len(smuggled), strings.Repeat("z", 99998)+"\r\n"+smuggled),
		"synchronising":  fmt.Sprintf("t LOGIN {%d}\r\n%s %s\r\n", len(smuggled), smuggled, password),
		"before refusal": fmt.Sprintf("t NONSENSE {%d+}\r\n%s\r\n", len(smuggled), smuggled),
		"initial":        fmt.Sprintf("t AUTHENTICATE PLAIN {%d+}\r\n%s\r\n", len(smuggled), smuggled),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := dial(t, c.port)
			k.line()
			k.c.Write([]byte(text + "y LOGOUT\r\n"))
			for line := k.line(); line != ""; line = k.line() {
				if strings.HasPrefix(line, "x ") {
					t.Fatalf("the literal was a command: %q", line)
				}
				if strings.HasPrefix(line, "y OK") {
					return
				}
			}
		})
	}
	// Where the login succeeds, what follows its literal is the next program's.
	k := dial(t, c.port)
	k.line()
	fmt.Fprintf(k.c, "t LOGIN %s {%d+}\r\n%s\r\ns SELECT {5+}\r\nINBOX\r\nu LOGOUT\r\n", a.user, len(password), password)
	for _, tag := range []string{"t", "s", "u"} {
		k.until(tag + " OK")
	}
}

// TestModuleHangs: a module that does not answer costs its own login the time that it
// may take, and is ended.
func TestModuleHangs(t *testing.T) {
	h := newCourierHouse(t)
	module := filepath.Join(h.dir, "authhangs")
	pid := filepath.Join(h.dir, "pid")
	write(t, module, "#!/bin/sh\necho $$ >"+pid+"\nexec sleep 1000\n", 0o755)
	c := h.listen(t, courierTCPD, []string{"LOGIN_TIMEOUT=2"}, h.program("imaplogin"), module, h.program("imapd"), "./Maildir")
	k := dial(t, c.port)
	k.line()
	fmt.Fprintf(k.c, "t LOGIN %s %s\r\n", h.account(t).user, password)
	if line := k.line(); !strings.HasPrefix(line, "* BYE [UNAVAILABLE]") && !strings.HasPrefix(line, "t NO [UNAVAILABLE]") {
		t.Errorf("a module that hangs gets %q", line)
	}
	text, err := os.ReadFile(pid)
	if err != nil {
		t.Fatal(err)
	}
	await(t, c.log, func() bool {
		_, err := os.Stat("/proc/" + strings.TrimSpace(string(text)))
		return os.IsNotExist(err)
	})
	if strings.Contains(c.log.String(), "LOGIN FAILED") {
		t.Error("a module that hangs is logged as a wrong password")
	}
}
