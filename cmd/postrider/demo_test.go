package main

import (
	"bytes"
	"crypto/tls"
	"net/mail"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestDemoAccount: every message of the demonstration is one, and a second start
// adds none.
func TestDemoAccount(t *testing.T) {
	root := filepath.Join(t.TempDir(), "Maildir")
	now := time.Date(2026, 4, 1, 12, 0, 0, 0, time.UTC)
	for range 2 {
		if err := makeDemoAccount(root, now); err != nil {
			t.Fatal(err)
		}
	}
	var files []string
	for _, pattern := range []string{"cur/*", "new/*", ".*/cur/*", ".*/new/*"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	if len(files) != len(letters()) || len(files) < 24 {
		t.Errorf("%d files for %d letters", len(files), len(letters()))
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		m, err := mail.ReadMessage(bytes.NewReader(text))
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if _, err := m.Header.Date(); err != nil || m.Header.Get("Subject") == "" {
			t.Errorf("%s: date %v, subject %q", file, err, m.Header.Get("Subject"))
		}
	}
}

func TestDeliverNew(t *testing.T) {
	root := filepath.Join(t.TempDir(), "Maildir")
	if err := makeMaildir(root, false); err != nil {
		t.Fatal(err)
	}
	if _, err := deliverNew(root, time.Now()); err != nil {
		t.Fatal(err)
	}
	if found, _ := filepath.Glob(filepath.Join(root, "new/*")); len(found) != 1 {
		t.Errorf("new holds %q", found)
	}
}

func TestMakeCertificate(t *testing.T) {
	cert, key := filepath.Join(t.TempDir(), "d", "cert.pem"), ""
	key = filepath.Join(filepath.Dir(cert), "key.pem")
	if err := makeCertificate(cert, key, time.Now()); err != nil {
		t.Fatal(err)
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	if err := pair.Leaf.VerifyHostname("127.0.0.1"); err != nil {
		t.Error(err)
	}
	before, _ := os.ReadFile(cert)
	if err := makeCertificate(cert, key, time.Now()); err != nil {
		t.Fatal(err)
	}
	if after, _ := os.ReadFile(cert); !bytes.Equal(before, after) {
		t.Error("a good certificate was replaced")
	}
	if err := makeCertificate(cert, key, time.Now().AddDate(1, 0, 0)); err != nil {
		t.Fatal(err)
	}
	if after, _ := os.ReadFile(cert); bytes.Equal(before, after) {
		t.Error("an old certificate was kept")
	}
}
