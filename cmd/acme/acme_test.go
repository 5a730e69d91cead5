package acme_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/letsencrypt/pebble/v2/ca"
	"github.com/letsencrypt/pebble/v2/db"
	"github.com/letsencrypt/pebble/v2/va"
	"github.com/letsencrypt/pebble/v2/wfe"
	"github.com/miekg/dns"

	"postrider/cmd/acme"
)

// authority is Let's Encrypt's small server for tests, which asks for challenges at port.
func authority(t *testing.T, port int) (directory, caFile string) {
	t.Helper()
	t.Setenv("PEBBLE_VA_NOSLEEP", "1")
	t.Setenv("PEBBLE_WFE_NONCEREJECT", "0")
	quiet := log.New(io.Discard, "", 0)
	store := db.NewMemoryStore()
	issuer := ca.New(quiet, store, "", "ecdsa", 0, 1, map[string]ca.Profile{"default": {Description: "default"}})
	front := wfe.New(quiet, store, va.New(quiet, port, 0, false, resolver(t), store), issuer, []string{"pebble.test"}, false, false, 1, 1)
	server := httptest.NewTLSServer(front.Handler())
	t.Cleanup(server.Close)
	caFile = filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(caFile, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return server.URL + wfe.DirectoryPath, caFile
}

// resolver says of every name that it is this machine.
func resolver(t *testing.T) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &dns.Server{Listener: l, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetReply(q)
		if q.Question[0].Qtype == dns.TypeA {
			m.Answer = append(m.Answer, &dns.A{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET}, A: net.IPv4(127, 0, 0, 1)})
		}
		w.WriteMsg(m)
	})}
	go s.ActivateAndServe()
	t.Cleanup(func() { s.Shutdown() })
	return l.Addr().String()
}

// Certificates are got for each name, written where they are read, and are there again
// after a restart.
func TestCertificates(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "imapd.pem")
	names := []string{"mail.example.test", "imap.example.test"}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	directory, caFile := authority(t, l.Addr().(*net.TCPAddr).Port)
	o := acme.Options{Names: names, Directory: directory, CACert: caFile, Dir: filepath.Join(dir, "acme"), File: file, Listener: l, Logger: slog.New(slog.NewTextHandler(t.Output(), nil))}
	keep := func() {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
		defer cancel()
		k, err := acme.Start(ctx, o)
		if err != nil {
			t.Fatal(err)
		}
		defer k.Close()
		if err := k.Wait(ctx); err != nil {
			t.Fatal(err)
		}
	}
	keep()
	for name, path := range map[string]string{names[0]: file + "." + names[0], names[1]: file + "." + names[1], "": file} {
		pair, err := tls.LoadX509KeyPair(path, path)
		if err != nil {
			t.Fatal(err)
		}
		cert, err := x509.ParseCertificate(pair.Certificate[0])
		if err != nil {
			t.Fatal(err)
		}
		if name == "" {
			name = names[0]
		}
		if err := cert.VerifyHostname(name); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", path, info, err)
		}
	}
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if o.Listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	keep()
	if again, err := os.ReadFile(file); err != nil || string(again) != string(before) {
		t.Errorf("after a restart the certificate is another: %v", err)
	}
}
