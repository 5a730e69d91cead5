package imaplogin

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"postrider/auth"
)

// TestMain is the end of the chain, too, where the tests below start this program as
// such.
func TestMain(m *testing.M) {
	for _, arg := range os.Args[1:] {
		if outcome, ok := strings.CutPrefix(arg, reportFlag); ok {
			if err := Report(outcome, os.Environ()); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			os.Exit(0)
		}
	}
	os.Exit(m.Run())
}

// scripted is a chain whose only module is a shell script.
func scripted(t *testing.T, text string) *chain {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	module := filepath.Join(t.TempDir(), "authscript")
	if err := os.WriteFile(module, []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return &chain{modules: []string{module}, self: self, maildir: "./Maildir", limit: 20 * time.Second, env: environment{"PATH=" + os.Getenv("PATH"), "KEPT=1"}}
}

// TestChainCredentials: a module finds the record on descriptor 3 and its end, the rest
// of the command line behind it, and what it sets arrives.
func TestChainCredentials(t *testing.T) {
	dir := t.TempDir()
	c := scripted(t, `cat <&3 >`+dir+`/record; exec 3<&-; printf '%s\n' "$AUTHUSER" "$AUTHARGC" "$2" >`+dir+`/words
		cd `+dir+`; export AUTHENTICATED=joe AUTHADDR=joe@example.org AUTHFULLNAME='Joe Q' MAILDIR=M OPTIONS=a=1 MORE=2; exec "$@"`)
	id, err := c.Authenticate(t.Context(), auth.Request{Login: "joe", Service: "imap"}, "pass word")
	if os.Getuid() == 0 {
		// Nobody here has become anybody, so root is what is reported; who asks refuses it.
		if err != nil || id.UID != 0 {
			t.Fatalf("%+v, %v", id, err)
		}
	} else if err != nil {
		t.Fatal(err)
	}
	if id.Login != "joe@example.org" || id.Name != "Joe Q" || id.Maildir != "M" || id.Home != dir || id.Options.Int("a") != 1 {
		t.Errorf("it is %+v", id)
	}
	if c.env.get("MORE") != "2" || c.env.get("KEPT") != "1" {
		t.Errorf("the environment is %q", c.env)
	}
	record, err := os.ReadFile(filepath.Join(dir, "record"))
	if err != nil || string(record) != "imap\nlogin\njoe\npass word\n\n" {
		t.Errorf("the record is %q, %v", record, err)
	}
	words, err := os.ReadFile(filepath.Join(dir, "words"))
	if err != nil || string(words) != c.self+"\n2\nimaplogin\n" {
		t.Errorf("the words are %q, %v", words, err)
	}
}

// TestChainOutcomes: a rejection is one, and everything else that is no success passes.
func TestChainOutcomes(t *testing.T) {
	for name, c := range map[string]struct {
		text   string
		wanted error
	}{
		"rejects":        {`exec "$@"`, auth.ErrRejected},
		"begins anew":    {`exec "$AUTHUSER" imaplogin "$AUTHARGV1"`, auth.ErrTemporary},
		"dies":           {`kill -KILL $$`, auth.ErrTemporary},
		"ends":           {`exit 0`, auth.ErrTemporary},
		"fails":          {`exit 1`, auth.ErrTemporary},
		"talks nonsense": {`echo nonsense >&4; exit 0`, auth.ErrTemporary},
		"talks too much": {`printf '{"Outcome":"accepted","Dir":"' >&4; head -c 2000000 /dev/zero 2>/dev/null | tr "\\0" x >&4 2>/dev/null; exec sleep 100`, auth.ErrTemporary},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			id, err := scripted(t, c.text).Authenticate(t.Context(), auth.Request{Login: "joe", Service: "imap"}, "pass")
			if !errors.Is(err, c.wanted) {
				t.Errorf("got %v, %v", id, err)
			}
		})
	}
}

// TestChainHangs: a module is given up after its time, or when the login ends, with all
// that it started.
func TestChainHangs(t *testing.T) {
	for _, by := range []string{"limit", "context"} {
		t.Run(by, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "pid")
			c := scripted(t, `sleep 1000 & echo $! >`+file+`; wait`)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if by == "limit" {
				c.limit = 300 * time.Millisecond
			} else {
				time.AfterFunc(300*time.Millisecond, cancel)
			}
			if _, err := c.Authenticate(ctx, auth.Request{Login: "joe"}, "pass"); !errors.Is(err, auth.ErrTemporary) {
				t.Errorf("got %v", err)
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
			if err != nil {
				t.Fatal(err)
			}
			for deadline := time.Now().Add(10 * time.Second); running(pid); time.Sleep(time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatal("what the module started still runs")
				}
			}
		})
	}
}

// running reports whether a process is there and has not ended.
func running(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, after, _ := strings.Cut(string(text), ") ")
	return err == nil && !strings.HasPrefix(after, "Z")
}

// TestWhoIs: a process with several ids is nobody.
func TestWhoIs(t *testing.T) {
	p, err := whoIs(os.Getpid(), "/home")
	if os.Getuid() == 0 && err != nil && strings.Contains(err.Error(), "group of root") {
		err = nil // as it should
	}
	if err != nil || p.uid != os.Getuid() || p.gid != os.Getgid() {
		t.Errorf("we are %+v, %v", p, err)
	}
	for _, text := range []string{"1 0 1 1", "1 1 1", "1 1 1 1 1", "", "a b c d", "1 1 1 0"} {
		if id, err := allEqual(text); err == nil {
			t.Errorf("%q is %d", text, id)
		}
	}
}

// TestPerson: nobody is root, whatever an account says.
func TestPerson(t *testing.T) {
	for name, id := range map[string]*auth.Identity{
		"uid 0":     {UID: 0, GID: 1000, Home: "/"},
		"gid 0":     {UID: 1000, GID: 0, Home: "/"},
		"root":      {User: "root", UID: auth.Unknown, GID: 1000, Home: "/"},
		"no uid":    {UID: auth.Unknown, GID: 1000, Home: "/"},
		"no gid":    {UID: 1000, GID: auth.Unknown, Home: "/"},
		"not there": {User: "nobody-by-that-name", UID: auth.Unknown, GID: auth.Unknown, Home: "/"},
	} {
		if p, err := personOf(id); err == nil {
			t.Errorf("%s: %+v", name, p)
		}
	}
	p, err := personOf(&auth.Identity{UID: os.Getuid() + 1, GID: 1000})
	if (os.Getuid() == 0) != (err == nil) {
		t.Errorf("another uid: %+v, %v", p, err)
	}
	if err == nil && !slices.Equal(p.groups, []int{1000}) {
		t.Errorf("its groups are %v", p.groups)
	}
}

// TestEnvironment: what couriertcpd says of the client counts, and a name stands once.
func TestEnvironment(t *testing.T) {
	e := environment{"A=1", "AUTHARGC=3", "AUTHARGV0=x", "AUTHARGV11=y", "TCPREMOTEIP=::ffff:192.0.2.7", "TCPREMOTEPORT=N/A", "IMAP_STARTTLS=yes", "IMAP_TLS=01"}
	if got := e.with("A", "2").withoutChain(); got.get("A") != "2" || len(got) != 5 || e.get("A") != "1" {
		t.Errorf("got %q", got)
	}
	if r := e.remote(); r.String() != "192.0.2.7:0" {
		t.Errorf("the client is %v", r)
	}
	if !e.yes("IMAP_STARTTLS") || !e.on("IMAP_TLS") || e.yes("A") || e.on("NOTHING") {
		t.Error("the switches are wrong")
	}
}
