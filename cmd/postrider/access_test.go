package main

import (
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"postrider/config"
	"postrider/serve"
)

// Whom the access file denies is not served, and the next client is.
func TestAccessFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "imapaccess")
	if err := os.WriteFile(file, []byte("127.0.0.9\tdeny\n*\tallow\nno rule\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	var log strings.Builder
	listeners := []serve.Listener{{Listener: plain}}
	logger := slog.New(slog.NewTextHandler(&log, nil))
	access, err := readGate(&config.Config{AccessFile: file}, logger)
	if err != nil {
		t.Fatal(err)
	}
	guardListeners(access, listeners, logger)
	if !strings.Contains(log.String(), file+":3") {
		t.Errorf("the log does not name the line that is no rule: %s", &log)
	}
	come := func(from string) net.Conn {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: 10 * time.Second}
		c, err := d.Dial("tcp", plain.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	denied, allowed := come("127.0.0.9"), come("127.0.0.8")
	conn, err := listeners[0].Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if got, want := conn.RemoteAddr().String(), allowed.LocalAddr().String(); got != want {
		t.Errorf("accepted is %s, not %s", got, want)
	}
	denied.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := denied.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("who is denied reads %v", err)
	}
	if !strings.Contains(log.String(), "ip=127.0.0.9") {
		t.Errorf("the log does not say who was refused: %s", &log)
	}
}

// An access file of which only Courier's table is there is an error that says what to do;
// where there is none, everybody is let in.
func TestAccessFileMissing(t *testing.T) {
	quiet := slog.New(slog.DiscardHandler)
	name := filepath.Join(t.TempDir(), "imapaccess")
	for _, file := range []string{"", name} {
		if access, err := readGate(&config.Config{AccessFile: file}, quiet); access != nil || err != nil {
			t.Error(access, err)
		}
	}
	if err := os.WriteFile(name+".dat", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := readGate(&config.Config{AccessFile: name}, quiet)
	if err == nil || !strings.Contains(err.Error(), "make it") {
		t.Errorf("%v", err)
	}
}

// serve refuses to take a proxy's address for the client's.
func TestProxied(t *testing.T) {
	err := servable(&config.Config{Proxied: true}, false)
	if err == nil || !strings.Contains(err.Error(), "-haproxy") {
		t.Errorf("%v", err)
	}
}

// Rules that the front of many processes does not know keep it from starting; a file
// without any, such as Debian's empty directory, does not.
func TestAccessFileSplit(t *testing.T) {
	dir := t.TempDir()
	c := &config.Config{AccessFile: dir}
	if err := servable(c, true); err != nil {
		t.Error(err)
	}
	for _, rule := range []string{"10\tdeny\n", "*\tdeny\n", "*.143\tdeny\n", "192.0.2.1.143\tdeny\n"} {
		if err := os.WriteFile(filepath.Join(dir, "rules"), []byte(rule), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := servable(c, true); err == nil || !strings.Contains(err.Error(), "IMAPACCESSFILE: "+dir) {
			t.Errorf("%q, split: %v", rule, err)
		}
		if err := servable(c, false); err != nil {
			t.Errorf("%q, one process: %v", rule, err)
		}
	}
}
