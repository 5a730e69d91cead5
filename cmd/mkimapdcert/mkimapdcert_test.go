package mkimapdcert

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Both forms of imapd.cnf give the certificate that they describe.
func TestForms(t *testing.T) {
	openssl := "RANDFILE = /dev/urandom\n\n[ req ]\ndefault_bits = 1024\nencrypt_key = yes\ndistinguished_name = req_dn\nx509_extensions = cert_type\nprompt = no\n\n" +
		"[ req_dn ]\nC=US\nST=NY\nL=New York\nO=Courier Mail Server\n0.OU=One\n1.OU=Two\nCN=mail.example\nemailAddress=postmaster@example.com\n\n[ cert_type ]\nnsCertType = server\nCN=no\n"
	certtool := "organization = \"Courier Mail Server\"\nunit = One\nunit = Two\nlocality = \"New York\"\nstate = \"NY\"\ncountry = US\ncn = \"mail.example\"\n" +
		"serial = 001\nexpiration_days = 365\nemail = \"postmaster@example.com\"\ntls_www_server\n"
	for name, text := range map[string]string{"OpenSSL": openssl, "certtool": certtool} {
		r, err := parse(text)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		now := time.Now()
		content, err := r.generate(now)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(string(content), "-----BEGIN PRIVATE KEY") {
			t.Errorf("%s: the key does not come first", name)
		}
		pair, err := tls.X509KeyPair(content, content)
		if err != nil {
			t.Fatal(err)
		}
		c, err := x509.ParseCertificate(pair.Certificate[0])
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Subject.String(); got != "CN=mail.example,OU=One+OU=Two,O=Courier Mail Server,L=New York,ST=NY,C=US,1.2.840.113549.1.9.1=#0c16706f73746d6173746572406578616d706c652e636f6d" {
			t.Errorf("%s: subject %s", name, got)
		}
		if err := c.VerifyHostname("mail.example"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if days := c.NotAfter.Sub(now).Hours() / 24; days < 364 || days > 366 {
			t.Errorf("%s: good for %v days", name, days)
		}
	}
}

func TestMistakes(t *testing.T) {
	for text, want := range map[string]string{"": "no common name", "cn = x\nexpiration_days = 0\n": "line 2", "[req]\nnonsense\n": "line 2"} {
		if _, err := parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// What is there stays, a link to nowhere included, and no half of a file is left behind.
func TestNeverOver(t *testing.T) {
	dir := t.TempDir()
	cnf, file := filepath.Join(dir, "imapd.cnf"), filepath.Join(dir, "imapd.pem")
	if err := os.WriteFile(cnf, []byte("cn = a.example\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := makeFile(file, cnf); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	dangling := filepath.Join(dir, "dangling.pem")
	if err := os.Symlink(filepath.Join(dir, "nowhere"), dangling); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{file, dangling} {
		if err := makeFile(name, cnf); err == nil || err.Error() != name+" already exists." {
			t.Errorf("%v", err)
		}
	}
	if after, err := os.ReadFile(file); err != nil || string(after) != string(before) {
		t.Errorf("it was written over: %v", err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 3 {
		t.Errorf("%v, %v", entries, err)
	}
}

func FuzzSettings(f *testing.F) {
	f.Add("[req]\ndistinguished_name=a\n[a]\nCN=x\n")
	f.Add("cn = \"x\nunit=\n0.OU=b")
	f.Fuzz(func(t *testing.T, text string) {
		if r, err := parse(text); err == nil && (r.name.CommonName == "" || r.days < 1 || r.bits > 16384) {
			t.Fatalf("%q gives %+v", text, r)
		}
	})
}
