package authdaemond

import (
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"postrider/config"
)

func listen(t *testing.T, c *config.Config) *Sockets {
	t.Helper()
	s, err := Listen(c, true, true, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func settings(t *testing.T) *config.Config {
	dir := t.TempDir()
	return &config.Config{AuthdaemonDir: filepath.Join(dir, "run/authdaemon"), DovecotSockets: []string{filepath.Join(dir, "a"), filepath.Join(dir, "b")}, DovecotMode: 0o640}
}

func mode(t *testing.T, path string) fs.FileMode {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode()
}

// TestModes: who may connect, and the umask afterwards.
func TestModes(t *testing.T) {
	c := settings(t)
	before := syscall.Umask(0o027)
	defer syscall.Umask(before)
	s := listen(t, c)
	if m := mode(t, filepath.Join(c.AuthdaemonDir, "socket")); m != fs.ModeSocket|0o777 {
		t.Errorf("authdaemon's socket has %v", m)
	}
	if m := mode(t, c.AuthdaemonDir); m != fs.ModeDir|0o750 {
		t.Errorf("its folder has %v", m)
	}
	for _, path := range c.DovecotSockets {
		if m := mode(t, path); m != fs.ModeSocket|0o640 {
			t.Errorf("%s has %v", path, m)
		}
	}
	if now := syscall.Umask(0o027); now != 0o027 {
		t.Errorf("the umask is %o", now)
	}
	if got := len(s.Paths()); got != 3 {
		t.Errorf("%d sockets", got)
	}
}

// TestSuccessor: a process that takes the place of another gets every connection, and
// keeps its socket when the other ends.
func TestSuccessor(t *testing.T) {
	c := settings(t)
	old := listen(t, c)
	next := listen(t, c)
	old.Close()
	path := filepath.Join(c.AuthdaemonDir, "socket")
	client, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	conn, err := next.authdaemon.Accept()
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	next.Close()
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		t.Errorf("the last one leaves it behind: %v", err)
	}
	listen(t, c) // over nothing
}

// TestInTheWay: a file that is no socket is not removed, and what was opened before it is
// closed.
func TestInTheWay(t *testing.T) {
	c := settings(t)
	if err := os.WriteFile(c.DovecotSockets[1], []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(c, true, true, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "no socket") {
		t.Errorf("got %v", err)
	}
	if text, err := os.ReadFile(c.DovecotSockets[1]); err != nil || string(text) != "precious" {
		t.Errorf("%q, %v", text, err)
	}
	for _, path := range []string{c.DovecotSockets[0], filepath.Join(c.AuthdaemonDir, "socket")} {
		if _, err := os.Lstat(path); err == nil {
			t.Errorf("%s is left behind", path)
		}
	}
}

func TestOwner(t *testing.T) {
	for text, want := range map[string][2]int{"": {-1, -1}, "5": {5, -1}, "5:6": {5, 6}, ":6": {-1, 6}, "root:root": {0, 0}, "root": {0, -1}} {
		if uid, gid, err := owner(text); err != nil || uid != want[0] || gid != want[1] {
			t.Errorf("%q: %d, %d, %v", text, uid, gid, err)
		}
	}
	for _, text := range []string{"nobody-of-this-name", "root:no-group-of-this-name", "-1"} {
		if _, _, err := owner(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}

func TestInBackground(t *testing.T) {
	c := &config.Config{AuthdaemonDir: "/run/x", LoggerOptions: []string{"-facility=local1", "-name=y"}}
	words, err := InBackground(c, "start", []string{"/bin/p", "authdaemond"})
	if got := strings.Join(words, " "); err != nil || got != "courierlogger -pid=/run/x/pid -name=authdaemond -facility=local1 -name=y -start /bin/p authdaemond" {
		t.Errorf("%q, %v", got, err)
	}
	words, err = InBackground(c, "stop", []string{"/bin/p"})
	if got := strings.Join(words, " "); err != nil || !strings.HasSuffix(got, " -stop") {
		t.Errorf("%q, %v", got, err)
	}
	for _, bad := range []string{"-pid=/other", "rm"} {
		c.LoggerOptions = []string{bad}
		if _, err := InBackground(c, "start", nil); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}
