package accounts_test

import (
	"bytes"
	"errors"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"postrider/auth"
	"postrider/cmd/accounts"
	"postrider/config"
)

// TestDaemonInstead: a daemon that runs is asked for all accounts where authmodulelist
// names a module that only it may have, and nowhere else; the log says so.
func TestDaemonInstead(t *testing.T) {
	dir := t.TempDir()
	userdb := filepath.Join(t.TempDir(), "none") // opening it would fail
	c := &config.Config{Modules: []string{"authvchkpw", "authuserdb"}, Userdb: userdb, AuthdaemonDir: dir}
	if _, err := accounts.Open(c, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("without a daemon the userdb is not missed")
	}
	l, err := net.Listen("unix", filepath.Join(dir, "socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var log bytes.Buffer
	b, err := accounts.Open(c, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	if said := log.String(); !strings.Contains(said, "authvchkpw") || !strings.Contains(said, dir) {
		t.Errorf("the log says %s", said)
	}
	go func() {
		if conn, err := l.Accept(); err == nil {
			conn.Read(make([]byte, 100))
			conn.Write([]byte("FAIL\n"))
			conn.Close()
		}
	}()
	if _, err := b.Lookup(t.Context(), auth.Request{Login: "x", Service: "imap"}); !errors.Is(err, auth.ErrRejected) {
		t.Errorf("got %v", err)
	}
	// What opens modules for a daemon of its own never does that.
	if _, err := accounts.OpenModules(c, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("OpenModules asked the daemon")
	}
	c.Modules = []string{"authuserdb"}
	if _, err := accounts.Open(c, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("the daemon is asked though every module is there")
	}
}
