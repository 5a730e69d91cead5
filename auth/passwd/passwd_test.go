package passwd

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"postrider/auth"
	"postrider/auth/conformance"
	"postrider/auth/password"
)

// files writes passwd and shadow with an account john, whose password is "secret",
// and others in every state.
func files(t *testing.T) (passwd, shadow string) {
	t.Helper()
	stored, err := exec.Command("openssl", "passwd", "-1", "-salt", "saltsalt", "secret").Output()
	if err != nil {
		t.Fatalf("openssl: %v", err)
	}
	h := strings.TrimSpace(string(stored))
	today := int(time.Now().Unix() / 86400)
	var p, s strings.Builder
	add := func(name, stored, dates string) {
		fmt.Fprintf(&p, "%s:x:1000:1001:John Q,Room 1:/home/%s:/usr/sbin/nologin\n", name, name)
		fmt.Fprintf(&s, "%s:%s:%s\n", name, stored, dates)
	}
	p.WriteString("# comment\n+nis::::::\n\nroot:x:0:0:root:/root:/bin/sh\n")
	s.WriteString("root:" + h + ":1::::::\n")
	add("john", h, fmt.Sprintf("%d:0:99999:7:::", today-10))
	add("locked", "!"+h, "1::::::")
	add("star", "*", "1::::::")
	add("empty", "", "1::::::")
	add("old", h, fmt.Sprintf("%d:0:30:7:::", today-31))
	add("young", h, fmt.Sprintf("%d:0:30:7:::", today-30))
	add("must", h, "0:0:99999:7:::")
	add("over", h, fmt.Sprintf("%d:::::%d:", today-10, today))
	add("soon", h, fmt.Sprintf("%d:::::%d:", today-10, today+1))
	p.WriteString("noshadow:" + h + ":1:1::/h:\n")
	dir := t.TempDir()
	passwd, shadow = filepath.Join(dir, "passwd"), filepath.Join(dir, "shadow")
	write(t, passwd, p.String())
	write(t, shadow, s.String())
	return passwd, shadow
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func move(t *testing.T, from, to string) func() {
	return func() {
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
}

func TestShadowConforms(t *testing.T) {
	conformance.Test(t, func(t *testing.T) conformance.Fixture {
		passwd, shadow := files(t)
		v := password.NewVerifier(password.Limits{})
		return conformance.Fixture{
			Backend: New(Options{Passwd: passwd, Shadow: shadow, Verifier: v}), Login: "john", Password: "secret",
			Locked: "locked", Expired: "old", Checks: v.Checks, Break: move(t, shadow, shadow+".away"), Mend: move(t, shadow+".away", shadow),
		}
	})
}

func TestPasswdConforms(t *testing.T) {
	conformance.Test(t, func(t *testing.T) conformance.Fixture {
		passwd, _ := files(t)
		v := password.NewVerifier(password.Limits{})
		return conformance.Fixture{
			Backend: New(Options{Passwd: passwd, Verifier: v}), Login: "noshadow", Password: "secret",
			Locked: "john", Checks: v.Checks, Break: move(t, passwd, passwd+".away"), Mend: move(t, passwd+".away", passwd),
		}
	})
}

// TestStates: who comes in, and why not.
func TestStates(t *testing.T) {
	passwd, shadow := files(t)
	db := New(Options{Passwd: passwd, Shadow: shadow, Verifier: password.NewVerifier(password.Limits{})})
	for login, want := range map[string]error{
		"john": nil, "young": nil, "soon": nil, "root": nil,
		"old": auth.ErrExpired, "must": auth.ErrExpired, "over": auth.ErrExpired,
		"locked": auth.ErrRejected, "star": auth.ErrRejected, "empty": auth.ErrRejected, "noshadow": auth.ErrRejected, "+nis": auth.ErrRejected, "# comment": auth.ErrRejected,
	} {
		id, err := db.Authenticate(t.Context(), auth.Request{Login: login}, "secret")
		if !errors.Is(err, want) {
			t.Errorf("%s: %v", login, err)
		}
		if login == "john" && (id.User != "john" || id.UID != 1000 || id.GID != 1001 || id.Name != "John Q" || id.Home != "/home/john") {
			t.Errorf("got %+v", id)
		}
	}
	guard := auth.Guard{Backend: db}
	if _, err := guard.Authenticate(t.Context(), auth.Request{Login: "root", TLS: true}, "secret"); !errors.Is(err, auth.ErrUnusable) {
		t.Errorf("root: %v", err)
	}
	if err := db.Check(); err != nil {
		t.Error(err)
	}
	if err := New(Options{Passwd: passwd + "x"}).Check(); err == nil {
		t.Error("a file that is missing")
	}
}

// TestChangesAreSeen: the next attempt sees what passwd(1) or usermod(8) wrote.
func TestChangesAreSeen(t *testing.T) {
	passwd, shadow := files(t)
	db := New(Options{Passwd: passwd, Shadow: shadow, Verifier: password.NewVerifier(password.Limits{})})
	r := auth.Request{Login: "john"}
	if _, err := db.Authenticate(t.Context(), r, "secret"); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(shadow)
	if err != nil {
		t.Fatal(err)
	}
	write(t, shadow+"+", strings.Replace(string(text), "john:$", "john:!$", 1))
	move(t, shadow+"+", shadow)()
	if _, err := db.Authenticate(t.Context(), r, "secret"); !errors.Is(err, auth.ErrRejected) {
		t.Errorf("locked: %v", err)
	}
}

func TestBadLines(t *testing.T) {
	dir := t.TempDir()
	passwd, shadow := filepath.Join(dir, "passwd"), filepath.Join(dir, "shadow")
	write(t, passwd, "short:x:1\nnoid:x:a:1:::\nnone:x:4294967295:1:::\n:x:1:1:::\na:x:1:1::/a:\na:x:2:2::/b:\nlast:x:3:3::/l:")
	write(t, shadow, "short\na:hidden:x::::::\nlast:hidden:1::::::\nlast:other:1::::::")
	var log bytes.Buffer
	db := New(Options{Passwd: passwd, Shadow: shadow, Verifier: password.NewVerifier(password.Limits{}), Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if id, err := db.Lookup(t.Context(), auth.Request{Login: "a"}); err != nil || id.Home != "/a" {
		t.Error(id, err)
	}
	if id, err := db.Lookup(t.Context(), auth.Request{Login: "last"}); err != nil || id.Hash.Reveal() != "hidden" {
		t.Error(id, err)
	}
	if s := log.String(); strings.Count(s, "file=passwd") != 4 || strings.Count(s, "file=shadow") != 2 || strings.Contains(s, "hidden") {
		t.Error(s)
	}
}

// FuzzParse: whatever the files hold, there is no panic and every account is usable.
func FuzzParse(f *testing.F) {
	f.Add("john:x:1:1:a,b:/h:/bin/sh", "john:$6$a$b:1:0:99999:7::-1:")
	f.Add("+::::::", "-:")
	f.Fuzz(func(t *testing.T, passwd, shadow string) {
		db := New(Options{})
		table, err := db.parse([]string{passwd, shadow})
		if err != nil {
			t.Fatal(err)
		}
		for name, a := range table.accounts {
			if name == "" || a.uid < 0 || a.gid < 0 || a.dates.changed < never || a.dates.maximum < never || a.dates.expires < never {
				t.Fatalf("%q: %+v", name, a)
			}
			_ = a.expired(time.Unix(0, 0))
		}
	})
}
