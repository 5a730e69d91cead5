package pam_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"postrider/auth"
	"postrider/auth/conformance"
	"postrider/auth/pam"
)

// inside names, in a mount name space of the tests' own, the folder of the test's
// files: pam.d lies over /etc/pam.d there, passwd and shadow over the system's.
const inside = "POSTRIDER_TEST_PAM"

// TestMain builds the program and runs the tests where PAM, for all that it is
// Debian's own, finds services and accounts of theirs.
func TestMain(m *testing.M) {
	if os.Getenv(inside) != "" {
		os.Exit(m.Run())
	}
	status, err := enter()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		status = 1
	}
	os.Exit(status)
}

func enter() (status int, err error) {
	dir, err := os.MkdirTemp("", "postrider-pam")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "postrider-pam"), "postrider/cmd/postrider-pam")
	build.Env = append(os.Environ(), "CGO_ENABLED=1")
	if out, err := build.CombinedOutput(); err != nil {
		return 1, fmt.Errorf("%w: %s; scripts/setup.sh installs libpam0g-dev", err, out)
	}
	if err := os.Mkdir(filepath.Join(dir, "pam.d"), 0o755); err != nil {
		return 1, err
	}
	if err := accounts(dir); err != nil {
		return 1, err
	}
	unshare := []string{"-m"}
	if os.Geteuid() != 0 {
		unshare = []string{"-rm"}
	}
	const script = `mount --make-rprivate / && cd "$0" && mount --bind pam.d /etc/pam.d && mount --bind passwd /etc/passwd && mount --bind shadow /etc/shadow && cd "$1" && shift && exec "$@"`
	here, err := os.Getwd()
	if err != nil {
		return 1, err
	}
	tests := exec.Command("unshare", append(append(unshare, "/bin/sh", "-c", script, dir, here), os.Args...)...)
	tests.Env = append(os.Environ(), inside+"="+dir)
	tests.Stdin, tests.Stdout, tests.Stderr = os.Stdin, os.Stdout, os.Stderr
	err = tests.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode(), nil
	}
	return 0, err
}

const service = `# as /etc/pam.d/imap, without the pause after a wrong password
auth     required pam_unix.so nodelay
account  required pam_unix.so
`

// options ask the program as it is installed.
func options(t *testing.T) pam.Options {
	t.Helper()
	write(t, "imap", service)
	return pam.Options{Command: []string{program()}}
}

func program() string { return filepath.Join(os.Getenv(inside), "postrider-pam") }

func move(t *testing.T, from, to string) func() {
	return func() {
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
}

// write makes a service file.
func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(os.Getenv(inside), "pam.d", name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// accounts are john, whose password is "secret", and others in every state.
func accounts(dir string) error {
	out, err := exec.Command("openssl", "passwd", "-1", "-salt", "saltsalt", "secret").Output()
	if err != nil {
		return err
	}
	hash := strings.TrimSpace(string(out))
	today := int(time.Now().Unix() / 86400)
	var passwd, shadow strings.Builder
	passwd.WriteString("root:x:0:0:root:/root:/bin/sh\n")
	for name, line := range map[string]string{
		"john":   fmt.Sprintf("%s:%d:0:99999:7:::", hash, today-10),
		"locked": fmt.Sprintf("!%s:%d:0:99999:7:::", hash, today-10),
		"old":    fmt.Sprintf("%s:%d:0:30:7:::", hash, today-40),
		"over":   fmt.Sprintf("%s:%d:0:99999:7::%d:", hash, today-10, today-1),
		"must":   hash + ":0:0:99999:7:::",
		"empty":  ":1:0:99999:7:::",
	} {
		fmt.Fprintf(&passwd, "%s:x:1000:1001:John Q,Room 1:/home/%s:/usr/sbin/nologin\n", name, name)
		fmt.Fprintf(&shadow, "%s:%s\n", name, line)
	}
	return errors.Join(
		os.WriteFile(filepath.Join(dir, "passwd"), []byte(passwd.String()), 0o644),
		os.WriteFile(filepath.Join(dir, "shadow"), []byte(shadow.String()), 0o600))
}

// TestConforms: pam_unix, and while it stalls a program that pam_exec waits for.
func TestConforms(t *testing.T) {
	conformance.Test(t, func(t *testing.T) conformance.Fixture {
		set := func(text string) func() { return func() { write(t, "imap", text) } }
		return conformance.Fixture{
			Backend: pam.New(options(t)), Login: "john", Password: "secret", Locked: "locked", Expired: "old",
			Break: move(t, program(), program()+".away"), Mend: move(t, program()+".away", program()),
			Stall: set("auth required pam_exec.so /bin/sleep 60\n"), Resume: set(service),
		}
	})
}

// TestStates: who comes in, and why not.
func TestStates(t *testing.T) {
	write(t, "permit", "auth required pam_permit.so\naccount required pam_permit.so\n")
	write(t, "deny", "auth required pam_deny.so\n")
	write(t, "closed", "auth required pam_permit.so\naccount required pam_deny.so\n")
	write(t, "prints", "auth required pam_exec.so stdout /bin/echo accepted\nauth required pam_unix.so nodelay\naccount required pam_permit.so\n")
	write(t, "broken", "auth required pam_no_such_module.so\n")
	b := pam.New(options(t))
	for _, c := range []struct {
		service, login, password string
		want                     error
	}{
		{"imap", "john", "secret", nil},
		{"", "john", "secret", nil},
		{"imap", "must", "secret", auth.ErrExpired},
		{"imap", "over", "secret", auth.ErrExpired},
		{"imap", "over", "wrong", auth.ErrRejected},
		{"imap", "empty", "", auth.ErrRejected},
		{"imap", "empty", "x", auth.ErrRejected},
		{"permit", "john", "anything", nil},
		{"permit", "nobody-at-all", "anything", auth.ErrRejected},
		{"deny", "john", "secret", auth.ErrRejected},
		{"closed", "john", "secret", auth.ErrDisabled},
		{"prints", "john", "secret", nil},
		{"prints", "john", "wrong", auth.ErrRejected},
		{"broken", "john", "secret", auth.ErrTemporary},
		{"../pam.d/permit", "john", "secret", auth.ErrTemporary},
		{"permit/", "john", "secret", auth.ErrTemporary},
	} {
		id, err := b.Authenticate(t.Context(), auth.Request{Login: c.login, Service: c.service, Remote: netip.MustParseAddrPort("192.0.2.1:1")}, c.password)
		if !errors.Is(err, c.want) || (id == nil) != (c.want != nil) {
			t.Errorf("%s for %s: got %v, %v", c.service, c.login, id, err)
		}
		if id != nil && (id.User != "john" || id.UID != 1000 || id.GID != 1001 || id.Home != "/home/john" || id.Name != "John Q") {
			t.Errorf("got %+v", id)
		}
	}
}

// TestProcess: a helper that is missing, dies, says nonsense or nothing is a passing
// problem; one that leaves children behind is not waited for.
func TestProcess(t *testing.T) {
	for what, script := range map[string]string{
		"missing":        "",
		"dies":           "exit 1",
		"is killed":      "kill -9 $$",
		"nonsense":       "echo accepted >&3",
		"too much":       "head -c 100000 /dev/zero >&3",
		"half an answer": `printf 'postrider-pam 1\0accepted\0' >&3`,
		"another word":   `printf 'postrider-pam 1\0perhaps\0\0john\0001\0001\0\0/h\0' >&3`,
		"silent":         "exec sleep 60",
		"reads nothing":  "exec 0<&-; exit 0",
	} {
		t.Run(what, func(t *testing.T) {
			command := []string{"/bin/sh", "-c", script}
			if script == "" {
				command = []string{"/nonexistent/postrider-pam"}
			}
			b := pam.New(pam.Options{Command: command, Timeout: time.Second})
			start := time.Now()
			_, err := b.Authenticate(t.Context(), auth.Request{Login: "john"}, "secret")
			if !errors.Is(err, auth.ErrTemporary) || errors.Is(err, auth.ErrRejected) || strings.Contains(err.Error(), "secret") {
				t.Errorf("got %v", err)
			}
			if took := time.Since(start); took > 20*time.Second {
				t.Errorf("after %v", took)
			}
		})
	}
	b := pam.New(pam.Options{Command: []string{"/bin/sh", "-c", `sleep 60 & printf 'postrider-pam 1\0accepted\0\0john\0001\0001\0\0/h\0' >&3; exec 3>&-; kill $!`}})
	if id, err := b.Authenticate(t.Context(), auth.Request{Login: "john"}, "secret"); err != nil || id.User != "john" {
		t.Errorf("got %v, %v", id, err)
	}
}

// TestPlacesAreBounded: with all places taken an attempt waits until its context
// ends.
func TestPlacesAreBounded(t *testing.T) {
	started := filepath.Join(t.TempDir(), "started")
	if err := exec.Command("mkfifo", started).Run(); err != nil {
		t.Fatal(err)
	}
	b := pam.New(pam.Options{Command: []string{"/bin/sh", "-c", "echo x >" + started + "; exec sleep 60"}, Processes: 1})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := b.Authenticate(ctx, auth.Request{Login: "john"}, "secret")
		done <- err
	}()
	if _, err := os.ReadFile(started); err != nil {
		t.Fatal(err)
	}
	short, stop := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer stop()
	if _, err := b.Authenticate(short, auth.Request{Login: "john"}, "secret"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// FuzzExchange: what is read is what was written, or is refused.
func FuzzExchange(f *testing.F) {
	f.Add([]byte("postrider-pam 1\x00authenticate\x00imap\x00john\x00secret\x00192.0.2.1\x00"))
	f.Add([]byte("postrider-pam 1\x00accepted\x00\x00john\x001\x001\x00\x00/h\x00"))
	f.Fuzz(func(t *testing.T, message []byte) {
		if r, err := pam.ReadRequest(bytes.NewReader(message)); err == nil {
			if b, err := r.Encode(); err != nil || !bytes.Equal(b, message) {
				t.Fatalf("%q, %v", b, err)
			}
		}
		if a, err := pam.ReadAnswer(bytes.NewReader(message)); err == nil {
			b, err := a.Encode()
			if err != nil {
				t.Fatal(err)
			}
			if again, err := pam.ReadAnswer(bytes.NewReader(b)); err != nil || again != a {
				t.Fatalf("%+v, %v", again, err)
			}
		}
	})
}
