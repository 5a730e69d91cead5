package certificate

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// signer makes certificates; the zero value signs each by itself.
type signer struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func (s signer) make(t *testing.T, subject pkix.Name) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: subject, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IsCA: s.cert == nil, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	parent, by := template, key
	if s.cert != nil {
		parent, by = s.cert, s.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), by)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	k, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	text := "text\n" + string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})) + "-----BEGIN DH PARAMETERS-----\nAAAA\n-----END DH PARAMETERS-----\n" +
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: k}))
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, text
}

func put(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(name+".new", name); err != nil {
		t.Fatal(err)
	}
}

// shake does a handshake of both sides.
func shake(server, client *tls.Config) (tls.ConnectionState, tls.ConnectionState, error) {
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	client.InsecureSkipVerify = true
	s, c := tls.Server(a, server), tls.Client(b, client)
	failed := make(chan error, 1)
	go func() {
		err := c.Handshake()
		if err == nil {
			_, err = c.Read(make([]byte, 1)) // in TLS 1.3 the server judges afterwards
		}
		failed <- err
	}()
	err := s.Handshake()
	if err != nil {
		a.Close()
		<-failed
		return s.ConnectionState(), c.ConnectionState(), err
	}
	if _, err := s.Write([]byte{0}); err != nil {
		return s.ConnectionState(), c.ConnectionState(), err
	}
	return s.ConnectionState(), c.ConnectionState(), <-failed
}

// The name asked for comes before the address, which comes before the main certificate;
// what comes, changes or goes counts at the next handshake; and no name is a path.
func TestChoice(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "imapd.pem")
	cert := func(name, cn string) {
		_, text := signer{}.make(t, pkix.Name{CommonName: cn})
		put(t, name, text)
	}
	cert(file, "main")
	cert(file+".192.0.2.1", "address")
	cert(file+".old", "old")
	cert(filepath.Join(dir, "secret.example"), "secret")
	var log strings.Builder
	s, err := Open(Files{Cert: file, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	local := netip.MustParseAddr("::ffff:192.0.2.1")
	want := func(name string, local netip.Addr, cn string) {
		t.Helper()
		_, c, err := shake(s.ConfigAt(local), &tls.Config{ServerName: name})
		if err != nil {
			t.Fatal(err)
		}
		if got := c.PeerCertificates[0].Subject.CommonName; got != cn {
			t.Errorf("for %q at %v: %s, not %s", name, local, got, cn)
		}
	}
	want("", netip.Addr{}, "main")
	want("new.example", netip.Addr{}, "main")
	want("new.example", local, "address")
	cert(file+".new.example", "new")
	want("new.example", local, "new")
	want("NEW.example", netip.Addr{}, "new")
	cert(file+".new.example", "newer")
	want("new.example", local, "newer")
	put(t, file+".new.example", "half written")
	want("new.example", local, "newer")
	if err := os.Remove(file + ".new.example"); err != nil {
		t.Fatal(err)
	}
	want("new.example", local, "address")
	want("old", netip.Addr{}, "main")
	put(t, file+".broken.example", "nothing")
	want("broken.example", netip.Addr{}, "main")
	if !strings.Contains(log.String(), "broken.example") {
		t.Errorf("the log says %s", log.String())
	}
	for _, name := range []string{"../secret.example", "/etc/passwd", ".example", "a..b", "a/b.c", "x\x00.y", strings.Repeat("a.", 200), "A.b"} {
		if isHostName(name) {
			t.Errorf("%q passes for a name", name)
		}
	}
	if len(s.named) != 1 {
		t.Errorf("it remembers %d names", len(s.named))
	}
}

// A client's certificate is asked for as the setting says, and its subject told only if
// it was verified.
func TestVerify(t *testing.T) {
	dir := t.TempDir()
	file, trust := filepath.Join(dir, "imapd.pem"), filepath.Join(dir, "trust")
	_, text := signer{}.make(t, pkix.Name{CommonName: "main"})
	put(t, file, text)
	root, rootText := signer{}.make(t, pkix.Name{CommonName: "root"})
	if err := os.Mkdir(trust, 0o755); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(trust, "0123.0"), rootText)
	subject := pkix.Name{CommonName: "joe", Organization: []string{"Acme"}, OrganizationalUnit: []string{"A", "B"}, Locality: []string{"evil\nline"}}
	right, _ := signer{root.Leaf, root.PrivateKey.(*ecdsa.PrivateKey)}.make(t, subject)
	wrong, _ := signer{}.make(t, subject)
	for _, c := range []struct {
		verify  Verify
		shown   *tls.Certificate
		fields  map[string]string
		refusal string
	}{
		{VerifyNone, &right, map[string]string{}, ""},
		{VerifyPeer, nil, map[string]string{}, ""},
		{VerifyPeer, &right, map[string]string{"CN": "joe", "O": "Acme", "OU": "B"}, ""},
		{VerifyPeer, &wrong, nil, "Peer's certificate not signed by a trusted authority"},
		{VerifyRequired, nil, nil, "Certificate is required."},
		{VerifyRequired, &right, map[string]string{"CN": "joe", "O": "Acme", "OU": "B"}, ""},
	} {
		s, err := Open(Files{Cert: file, Verify: c.verify, Trust: trust})
		if err != nil {
			t.Fatal(err)
		}
		client := &tls.Config{GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			if c.shown == nil {
				return new(tls.Certificate), nil
			}
			return c.shown, nil
		}}
		state, _, err := shake(s.Config(), client)
		name := fmt.Sprintf("%d with %v", c.verify, c.shown != nil)
		switch {
		case c.refusal != "" && (err == nil || Refusal(err) != c.refusal):
			t.Errorf("%s: %v", name, err)
		case c.refusal == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.refusal == "":
			if d := cmp.Diff(c.fields, Subject(state)); d != "" {
				t.Errorf("%s: %s", name, d)
			}
		}
	}
	if _, err := Open(Files{Cert: file, Verify: VerifyPeer}); err == nil {
		t.Error("clients are asked, and nobody is trusted to sign")
	}
	if _, err := Open(Files{Cert: file, Verify: VerifyPeer, Trust: t.TempDir()}); err == nil {
		t.Error("an empty directory is trusted")
	}
}

// Protocols that a client names must be ours; one that names none is served.
func TestProtocols(t *testing.T) {
	file := filepath.Join(t.TempDir(), "imapd.pem")
	_, text := signer{}.make(t, pkix.Name{CommonName: "main"})
	put(t, file, text)
	s, err := Open(Files{Cert: file, Protocols: []string{"imap"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		protocols []string
		ok        bool
	}{{nil, true}, {[]string{"imap"}, true}, {[]string{"http/1.1"}, false}} {
		if _, _, err := shake(s.Config(), &tls.Config{NextProtos: c.protocols}); (err == nil) != c.ok {
			t.Errorf("%q: %v", c.protocols, err)
		}
	}
}

func TestGiven(t *testing.T) {
	s := Given(Files{})
	if _, _, err := shake(s.Config(), &tls.Config{}); err == nil {
		t.Error("a handshake without a certificate")
	}
	text := map[string]string{}
	for _, name := range []string{"", "a.example"} {
		_, text[name] = signer{}.make(t, pkix.Name{CommonName: "for " + name})
		if err := s.Give(name, []byte(text[name]), []byte(text[name])); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Give("", []byte("nonsense"), nil); err == nil {
		t.Error("nonsense is a certificate")
	}
	for asked, want := range map[string]string{"": "for ", "a.example": "for a.example", "b.example": "for "} {
		_, client, err := shake(s.Config(), &tls.Config{ServerName: asked})
		if err != nil || client.PeerCertificates[0].Subject.CommonName != want {
			t.Errorf("%q got %v, %v", asked, client.PeerCertificates, err)
		}
	}
	s.Withdraw("a.example")
	if _, client, err := shake(s.Config(), &tls.Config{ServerName: "a.example"}); err != nil || client.PeerCertificates[0].Subject.CommonName != "for " {
		t.Error("a certificate that was withdrawn is used", err)
	}
}
