package userdb

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"postrider/auth"
	"postrider/auth/conformance"
	"postrider/auth/password"

	"github.com/google/go-cmp/cmp"
)

const ssha = "{SSHA}ii9pDmQrU2R0b0NTcyaJcRwvu+zRrQt3" // secret

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func account(name, more string) string {
	return name + "\tuid=990|gid=991|home=/home/vmail|systempw=" + ssha + more + "\n"
}

func TestConformance(t *testing.T) {
	conformance.Test(t, func(t *testing.T) conformance.Fixture {
		path := filepath.Join(t.TempDir(), "userdb")
		write(t, path, account("john@example.com", "|options=a=1,b")+account("off", "|options=disableimap=1"))
		v := password.NewVerifier(password.Limits{})
		db, err := Open(path, Options{Verifier: v})
		if err != nil {
			t.Fatal(err)
		}
		move := func(from, to string) func() {
			return func() {
				if err := os.Rename(from, to); err != nil {
					t.Fatal(err)
				}
			}
		}
		return conformance.Fixture{
			Backend: db, Login: "john@example.com", Password: "secret", Disabled: "off", Checks: v.Checks,
			Break: move(path, path+".away"), Mend: move(path+".away", path),
		}
	})
}

func TestRecord(t *testing.T) {
	key, rec, err := parseLine("john@example.com\tuid=990|gid=991|home=/h|shell|mail=/h/Maildir|quota=1000000S,9C|gecos=John Q,Room 1|options=group=staff,sharedgroup=12|pop3pw=p|systempw=s|uid=0\r")
	if err != nil {
		t.Fatal(err)
	}
	id, err := rec.identity(key)
	if err != nil {
		t.Fatal(err)
	}
	want := &auth.Identity{Login: "john@example.com", UID: 990, GID: 991, Home: "/h", Maildir: "/h/Maildir", Name: "John Q",
		Quota: "1000000S,9C", Options: auth.Options{{Name: "group", Value: "staff"}, {Name: "sharedgroup", Value: "12"}}}
	if diff := cmp.Diff(want, id, cmp.AllowUnexported(auth.Secret{})); diff != "" {
		t.Error(diff)
	}
	if rec.stored("pop3") != "p" || rec.stored("imap") != "s" || rec.stored("") != "s" {
		t.Error(rec.stored("pop3"), rec.stored("imap"), rec.stored(""))
	}
}

func TestBadLines(t *testing.T) {
	var log bytes.Buffer
	path := filepath.Join(t.TempDir(), "userdb")
	write(t, path, strings.Join([]string{
		"# comment\twith a tab", "", "no tab", "990=\tjohn",
		"john\tuid=990|gid=990|home=/h|systempw=" + ssha,
		"a\tuid=x|gid=1|home=/h|systempw=hidden", "b\tuid=1|gid=-1|home=/h", "c\tuid=1|gid=1", "d\tuid=4294967295|gid=1|home=/h",
		"\tuid=1|gid=1|home=/h", "john\tuid=1|gid=1|home=/other", "e\tuid=1|gid=1|home=/h\x00", strings.Repeat("f", 2000) + "\tuid=1|gid=1|home=/h",
		"g\tuid=1|gid=1|home=/h|x=" + strings.Repeat("y", maxLine), "last\tuid=1|gid=1|home=/last",
	}, "\n"))
	db, err := Open(path, Options{Verifier: password.NewVerifier(password.Limits{}), Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	for login, home := range map[string]string{"john": "/h", "last": "/last"} {
		if id, err := db.Lookup(t.Context(), auth.Request{Login: login}); err != nil || id.Home != home {
			t.Errorf("%s: %v, %v", login, id, err)
		}
	}
	if len(db.current.accounts) != 2 {
		t.Errorf("%d accounts", len(db.current.accounts))
	}
	for _, line := range []int{6, 7, 8, 9, 10, 11, 12, 13, 14} {
		if !strings.Contains(log.String(), fmt.Sprintf("file=%s line=%d reason=", path, line)) {
			t.Errorf("line %d is not reported", line)
		}
	}
	if strings.Contains(log.String(), "hidden") || strings.Contains(log.String(), "line=5 ") {
		t.Error(log.String())
	}
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "userdb")
	write(t, path, account("john", ""))
	link := filepath.Join(dir, "link")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	open := filepath.Join(dir, "open")
	write(t, open, "")
	if err := os.Chmod(open, 0o640); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{link, open, filepath.Join(dir, "missing"), os.DevNull} {
		if _, err := Open(bad, Options{}); err == nil {
			t.Errorf("%s was opened", bad)
		}
	}
}

func TestTree(t *testing.T) {
	top := filepath.Join(t.TempDir(), "userdb")
	sub := filepath.Join(top, "domains")
	if err := os.MkdirAll(sub, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(top, "system"), account("root-ish", ""))
	write(t, filepath.Join(sub, "example.com"), account("a@example.com", ""))
	write(t, filepath.Join(top, ".lock.system"), account("hidden", ""))
	if err := os.Symlink(filepath.Join(sub, "example.com"), filepath.Join(top, "link")); err != nil {
		t.Fatal(err)
	}
	db, err := Open(top, Options{Verifier: password.NewVerifier(password.Limits{})})
	if err != nil {
		t.Fatal(err)
	}
	expect := func(login string, want error) {
		t.Helper()
		if _, err := db.Authenticate(t.Context(), auth.Request{Login: login, Service: "imap"}, "secret"); !errors.Is(err, want) {
			t.Errorf("%s: %v", login, err)
		}
	}
	expect("root-ish", nil)
	expect("a@example.com", nil)
	expect("hidden", auth.ErrRejected)
	expect("b@example.org", auth.ErrRejected)
	write(t, filepath.Join(sub, "example.org"), account("b@example.org", ""))
	expect("b@example.org", nil)
	if err := os.Remove(filepath.Join(sub, "example.com")); err != nil {
		t.Fatal(err)
	}
	expect("a@example.com", auth.ErrRejected)
}

// TestChanges: a file that was written in place or replaced counts at the next
// attempt, and what did not change is not read again.
func TestChanges(t *testing.T) {
	path := filepath.Join(t.TempDir(), "userdb")
	write(t, path, account("john", ""))
	db, err := Open(path, Options{Verifier: password.NewVerifier(password.Limits{})})
	if err != nil {
		t.Fatal(err)
	}
	expect := func(login string, want error) {
		t.Helper()
		if _, err := db.Lookup(t.Context(), auth.Request{Login: login}); !errors.Is(err, want) {
			t.Errorf("%s: %v", login, err)
		}
	}
	before := db.current
	expect("john", nil)
	if db.current != before {
		t.Error("an unchanged file was read again")
	}
	write(t, path, account("john", "")+account("jane", ""))
	expect("jane", nil)
	write(t, path+".new", account("jack", ""))
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	expect("jack", nil)
	expect("jane", auth.ErrRejected)
	if err := os.Chmod(path, 0o604); err != nil {
		t.Fatal(err)
	}
	expect("jack", auth.ErrTemporary)
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	expect("jack", nil)
}

// TestYoungFileIsReadAgain: a file that was read within the grain of its time
// stamps is read once more when they have aged.
func TestYoungFileIsReadAgain(t *testing.T) {
	tab := &table{source: &source{newest: time.Now()}}
	if !tab.fresh() {
		t.Error("not fresh within the grain")
	}
	tab.source.newest = time.Now().Add(-grain)
	if tab.fresh() {
		t.Error("still fresh after it")
	}
	tab.settled = true
	if !tab.fresh() {
		t.Error("not fresh although settled")
	}
}

// TestLocked: stored text that no password can match is a rejection which does
// the work.
func TestLocked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "userdb")
	write(t, path, "star\tuid=1|gid=1|home=/h|systempw=*\nnone\tuid=1|gid=1|home=/h\nempty\tuid=1|gid=1|home=/h|imappw=|systempw="+ssha+"\n")
	v := password.NewVerifier(password.Limits{})
	db, err := Open(path, Options{Verifier: v})
	if err != nil {
		t.Fatal(err)
	}
	for i, login := range []string{"star", "none", "empty"} {
		for _, pass := range []string{"*", "secret"} {
			if _, err := db.Authenticate(t.Context(), auth.Request{Login: login, Service: "imap"}, pass); !errors.Is(err, auth.ErrRejected) {
				t.Errorf("%s: %v", login, err)
			}
		}
		if v.Checks() != int64(2*i+2) {
			t.Errorf("%s: %d checks", login, v.Checks())
		}
	}
}

// TestHuge: 100,000 accounts cost their text and little more.
func TestHuge(t *testing.T) {
	path := filepath.Join(t.TempDir(), "userdb")
	var b strings.Builder
	for i := range 100_000 {
		b.WriteString(account(fmt.Sprintf("user%d@example.com", i), ""))
	}
	write(t, path, b.String())
	size := int64(b.Len())
	b = strings.Builder{}
	used := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := used()
	db, err := Open(path, Options{Verifier: password.NewVerifier(password.Limits{})})
	if err != nil {
		t.Fatal(err)
	}
	if cost := used() - before; cost > size+100_000*120 {
		t.Errorf("%d bytes for a file of %d", cost, size)
	}
	if _, err := db.Authenticate(t.Context(), auth.Request{Login: "user99999@example.com", Service: "imap"}, "secret"); err != nil {
		t.Error(err)
	}
}

// FuzzParseLine: every line is an account that can be used, nothing, or an
// error that tells nothing of it.
func FuzzParseLine(f *testing.F) {
	f.Add("john@example.com\tuid=990|gid=990|home=/h|systempw=" + ssha)
	f.Add("990=\tjohn")
	f.Add("# x\ty")
	f.Add("a\tuid=1|gid|home=/")
	f.Add("\t\t|||=|=")
	f.Fuzz(func(t *testing.T, line string) {
		key, rec, err := parseLine(line)
		if err != nil || key == "" {
			if key != "" || rec != "" {
				t.Fatalf("%q with %v", key, err)
			}
			return
		}
		id, err := rec.identity(key)
		if err != nil || id.Login != key || id.UID < 0 || id.GID < 0 || !strings.HasPrefix(id.Home, "/") {
			t.Fatalf("%+v, %v", id, err)
		}
		if !strings.HasPrefix(line, key+"\t") {
			t.Fatalf("key %q", key)
		}
		rec.stored("imap")
	})
}
