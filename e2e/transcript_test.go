package e2e_test

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"postrider/transcript"
)

// scripts are the transcripts of testdata/imap, by name.
func scripts(t *testing.T) map[string]*transcript.Script {
	t.Helper()
	files, err := filepath.Glob("../testdata/imap/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	all := make(map[string]*transcript.Script)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		s, err := transcript.Parse(filepath.Base(file), string(text))
		if err != nil {
			t.Fatal(err)
		}
		all[strings.TrimSuffix(filepath.Base(file), ".txt")] = s
	}
	return all
}

// TestTranscripts runs every transcript with the server, each in an account of
// its own.
func TestTranscripts(t *testing.T) {
	s := startServer(t)
	for name, script := range scripts(t) {
		t.Run(name, func(t *testing.T) {
			a := s.account(t)
			on := &transcript.Server{
				Name: "postrider", User: a.user, Password: password, Deliver: a.deliver,
				Dial: func() (net.Conn, error) { return net.Dial("tcp", "127.0.0.1:"+s.port) },
				TLS:  trusting(t, s.dir),
			}
			if err := script.Run(on); err != nil {
				t.Error(err)
			}
		})
	}
}

// trusting is a client's TLS that trusts the certificate made in dir.
func trusting(t *testing.T, dir string) *tls.Config {
	t.Helper()
	authority, err := os.ReadFile(filepath.Join(dir, "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	return &tls.Config{RootCAs: roots, ServerName: "localhost"}
}
