package authdaemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/scrypt"

	"postrider/auth"
	"postrider/auth/conformance"
)

// example is the program of docs/auth-program.md with accounts to serve.
type example struct{ program, accounts string }

func newExample(t *testing.T) example {
	t.Helper()
	text, err := os.ReadFile("../../docs/auth-program.md")
	if err != nil {
		t.Fatal(err)
	}
	_, code, found := strings.Cut(string(text), "```python\n")
	code, _, ended := strings.Cut(code, "```")
	if !found || !ended {
		t.Fatal("docs/auth-program.md has no example")
	}
	dir := t.TempDir()
	e := example{filepath.Join(dir, "program"), filepath.Join(dir, "accounts.json")}
	if err := os.WriteFile(e.program, []byte(code), 0o700); err != nil {
		t.Fatal(err)
	}
	key, err := scrypt.Key([]byte("secret"), []byte("salt"), 1024, 8, 1, 32)
	if err != nil {
		t.Fatal(err)
	}
	stored := fmt.Sprintf("%x$%x", "salt", key)
	accounts := map[string]any{}
	for _, name := range []string{"john", "old"} {
		accounts[name] = map[string]any{"uid": 1000, "gid": 1001, "home": "/home/" + name, "password": stored, "expired": name == "old"}
	}
	b, err := json.Marshal(accounts)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(e.accounts, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return e
}

// pipe asks a shell script or a program, until the test ends.
func pipe(t *testing.T, o PipeOptions) *Pipe {
	t.Helper()
	p := NewPipe(o)
	t.Cleanup(p.Close)
	return p
}

// TestExampleConforms: the documented program, with the documented protocol.
func TestExampleConforms(t *testing.T) {
	conformance.Test(t, func(t *testing.T) conformance.Fixture {
		e := newExample(t)
		move := func(from, to string) func() {
			return func() {
				if err := os.Rename(from, to); err != nil {
					t.Fatal(err)
				}
			}
		}
		stall := func() {
			move(e.accounts, e.accounts+".away")()
			if err := syscall.Mkfifo(e.accounts, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return conformance.Fixture{
			Backend: pipe(t, PipeOptions{Command: []string{e.program, e.accounts}, Extended: true}), Login: "john", Password: "secret", Expired: "old", ClearOnly: true,
			Break: move(e.accounts, e.accounts+".away"), Mend: move(e.accounts+".away", e.accounts),
			Stall: stall, Resume: move(e.accounts+".away", e.accounts),
		}
	})
}

// TestAuthpipe: a program that knows the old form alone.
func TestAuthpipe(t *testing.T) {
	e := newExample(t)
	b := pipe(t, PipeOptions{Command: []string{e.program, e.accounts}, Processes: 2})
	id, err := b.Authenticate(t.Context(), auth.Request{Login: "john", Service: "imap"}, "secret")
	if err != nil || id.UID != 1000 || id.GID != 1001 || id.Home != "/home/john" || id.Login != "john" {
		t.Errorf("got %+v, %v", id, err)
	}
	if _, err := b.Authenticate(t.Context(), auth.Request{Login: "john", Service: "imap"}, "wrong"); !errors.Is(err, auth.ErrRejected) {
		t.Error(err)
	}
	if err := b.Enumerate(t.Context(), func(*auth.Identity) error { return nil }); !errors.Is(err, errors.ErrUnsupported) {
		t.Error(err)
	}
	if err := b.ChangePassword(t.Context(), auth.Request{Login: "john"}, "secret", "new"); !errors.Is(err, auth.ErrRejected) {
		t.Error(err)
	}
}

const goodRecord = `ADDRESS=john\nUID=1\nGID=1\nHOME=/h\n.\n`

// TestProgramMisbehaves: whatever a program does that was not asked for is a passing
// problem, and never the answer to the next request.
func TestProgramMisbehaves(t *testing.T) {
	for what, c := range map[string]struct {
		script   string
		extended bool
		first    error
	}{
		"missing":         {"", false, auth.ErrTemporary},
		"ends":            {"exit 0", false, auth.ErrTemporary},
		"ends after":      {`read a; read b; exit 0`, false, auth.ErrTemporary},
		"half a record":   {`read a; printf 'UID=1\n'; exit 0`, false, auth.ErrTemporary},
		"unusable record": {`read a; printf 'UID=1\n.\n'; cat >/dev/null`, false, auth.ErrTemporary},
		"uid of words":    {`read a; printf 'UID=x\nGID=1\nHOME=/h\n.\n'; cat >/dev/null`, false, auth.ErrTemporary},
		"too long":        {`read a; head -c 100000 /dev/zero; cat >/dev/null`, false, auth.ErrTemporary},
		"many lines":      {`read a; yes x; cat >/dev/null`, false, auth.ErrTemporary},
		"silent":          {"cat >/dev/null", false, auth.ErrTemporary},
		"reads nothing":   {"exec sleep 60", false, auth.ErrTemporary},
		"no number":       {`read a; printf '` + goodRecord + `'; cat >/dev/null`, true, auth.ErrTemporary},
		"another number":  {`read a; printf 'ID=x\n` + goodRecord + `'; cat >/dev/null`, true, auth.ErrTemporary},
		"speaks first":    {`printf 'ID=x\n` + goodRecord + `'; cat >/dev/null`, true, auth.ErrTemporary},
		"temporary":       {`read v; read i; printf '%s\nTEMPORARY the disk\n' "$i"; cat >/dev/null`, true, auth.ErrTemporary},
		"expired":         {`read v; read i; printf '%s\nEXPIRED\n' "$i"; cat >/dev/null`, true, auth.ErrExpired},
		"disabled":        {`read v; read i; printf '%s\nDISABLED no\n' "$i"; cat >/dev/null`, true, auth.ErrDisabled},
	} {
		t.Run(what, func(t *testing.T) {
			command := []string{"/bin/sh", "-c", c.script}
			if c.script == "" {
				command = []string{"/nonexistent/program"}
			}
			b := pipe(t, PipeOptions{Command: command, Extended: c.extended, Processes: 1, Timeout: 500 * time.Millisecond})
			_, err := b.Authenticate(t.Context(), auth.Request{Login: "john", Service: "imap"}, "secret")
			if !errors.Is(err, c.first) || errors.Is(err, auth.ErrRejected) || strings.Contains(err.Error(), "secret") {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestAnswerTwice: what a program says too much is not taken for the answer to the
// next request, which is asked of a new process.
func TestAnswerTwice(t *testing.T) {
	dir := t.TempDir()
	script := fmt.Sprintf(`while read a; do case $a in AUTH*) read s; read k; read u; read p;; esac
		if [ -e %[1]s/asked ]; then printf 'FAIL\n'; else touch %[1]s/asked; printf 'FAIL\n%[2]s'; fi; done`, dir, goodRecord)
	b := pipe(t, PipeOptions{Command: []string{"/bin/sh", "-c", script}, Processes: 1})
	for i := range 3 {
		if id, err := b.Authenticate(t.Context(), auth.Request{Login: "john", Service: "imap"}, "secret"); !errors.Is(err, auth.ErrRejected) {
			t.Errorf("attempt %d: %v, %v", i, id, err)
		}
	}
}

// TestGivenUp: a request that is given up leaves no answer behind for another.
func TestGivenUp(t *testing.T) {
	started := filepath.Join(t.TempDir(), "started")
	if err := syscall.Mkfifo(started, 0o600); err != nil {
		t.Fatal(err)
	}
	script := `while read a; do case $a in AUTH*) read s; read k; read u; read p;; esac
		case $u in slow) echo x >` + started + `; sleep 60; printf '` + goodRecord + `';; *) printf 'FAIL\n';; esac; done`
	b := pipe(t, PipeOptions{Command: []string{"/bin/sh", "-c", script}, Processes: 1})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := b.Authenticate(ctx, auth.Request{Login: "slow", Service: "imap"}, "secret")
		done <- err
	}()
	if _, err := os.ReadFile(started); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := b.Authenticate(t.Context(), auth.Request{Login: "john", Service: "imap"}, "secret"); !errors.Is(err, auth.ErrRejected) {
		t.Error(err)
	}
}

// TestCloseEndsPrograms: a program whose input ends, ends.
func TestCloseEndsPrograms(t *testing.T) {
	mark := filepath.Join(t.TempDir(), "ended")
	b := NewPipe(PipeOptions{Command: []string{"/bin/sh", "-c", "while read a; do printf 'FAIL\\n'; done; touch " + mark}, Processes: 1})
	if _, err := b.Lookup(t.Context(), auth.Request{Login: "john", Service: "imap"}); !errors.Is(err, auth.ErrRejected) {
		t.Fatal(err)
	}
	b.Close()
	if _, err := os.Stat(mark); err != nil {
		t.Error(err)
	}
}
