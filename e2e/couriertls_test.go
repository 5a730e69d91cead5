package e2e_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// authority signs certificates for a test.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string
}

func newAuthority(t *testing.T, dir, name string) *authority {
	t.Helper()
	a := &authority{file: filepath.Join(dir, name+".pem")}
	var err error
	if a.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, a.key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	write(t, a.file, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), 0o644)
	return a
}

// sign makes a certificate; what has a DNS name is a server's.
func (a *authority) sign(t *testing.T, subject pkix.Name, names ...string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: subject, DNSNames: names,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// file writes a certificate and its key as Courier wants them, with what else may stand
// there.
func certificateFile(t *testing.T, name string, c tls.Certificate) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	write(t, name, "some text\n"+string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))+"more text\n"+
		string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]})), 0o600)
	return name
}

// courierTLS is couriertls behind couriertcpd, both ours, or both Courier's.
func (d tcpd) courierTLS(t *testing.T, env []string, options, program []string) *running {
	t.Helper()
	d.env = append(append([]string{}, d.env...), env...)
	path := filepath.Join(filepath.Dir(filepath.Dir(d.program)), "bin/couriertls")
	options = append([]string{"-server", "-tcpd"}, options...)
	if d.isOurs() {
		path, options = binary, append([]string{"couriertls"}, options...)
	}
	return d.start(t, []string{"-address=127.0.0.1", "-nodnslookup", "-noidentlookup", "-maxperip=40"}, append(append([]string{path}, options...), program...))
}

// shake does a handshake as a client.
func (r *running) shake(t *testing.T, c *tls.Config) (*tls.Conn, error) {
	t.Helper()
	c.InsecureSkipVerify = true
	conn := tls.Client(r.connect(t, "127.0.0.1", "127.0.0.1"), c)
	return conn, conn.Handshake()
}

// TestCourierTLS: in front of a program, couriertls tells it of the protocol and of a
// client's certificate as Courier's does, and refuses the same clients.
func TestCourierTLS(t *testing.T) {
	dir := t.TempDir()
	trusted, other := newAuthority(t, dir, "trusted"), newAuthority(t, dir, "other")
	server := certificateFile(t, filepath.Join(dir, "server.pem"), other.sign(t, pkix.Name{CommonName: "localhost"}, "localhost"))
	joe := pkix.Name{Country: []string{"US"}, Organization: []string{"Acme"}, OrganizationalUnit: []string{"B"}, CommonName: "joe", SerialNumber: "7",
		ExtraNames: []pkix.AttributeTypeAndValue{{Type: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 1}, Value: asn1.RawValue{Tag: asn1.TagIA5String, Bytes: []byte("joe@example.com")}}}}
	const program = "read x; env | grep -E '^TLS_(CONN|SUBJ)' | sort; echo got $x"
	both := tcpds(t)
	for _, verify := range []string{"NONE", "PEER", "REQUIREPEER"} {
		for name, shown := range map[string]*tls.Certificate{"none": nil, "trusted": ptr(trusted.sign(t, joe)), "another's": ptr(other.sign(t, joe))} {
			for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
				var heard [2]string
				for i, d := range both {
					r := d.courierTLS(t, []string{"TLS_CERTFILE=" + server, "TLS_TRUSTCERTS=" + trusted.file, "TLS_VERIFYPEER=" + verify, "TLS_SUBJECT_CN=liar"}, nil, []string{"/bin/sh", "-c", program})
					config := &tls.Config{MinVersion: version, MaxVersion: version}
					if shown != nil {
						config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return shown, nil }
					}
					if c, err := r.shake(t, config); err == nil {
						fmt.Fprint(c, "hello\n")
						for in := bufio.NewScanner(c); in.Scan(); {
							heard[i] += in.Text() + "\n"
						}
					}
					if !strings.Contains(heard[i], "got") { // in TLS 1.3 the client's side is done before the server's
						await(t, r.log, func() bool { return strings.Contains(r.log.String(), "ip=[") })
					}
					r.stop(t)
					heard[i] = strings.ReplaceAll(heard[i]+r.log.String(), "No certificate was found.", "Certificate is required.")
				}
				if !strings.Contains(heard[1], "got hello") && !strings.Contains(heard[1], "ip=[") {
					t.Errorf("%s, certificate %s: nothing comes", verify, name)
				}
				if withoutChoice(heard[0], version) != withoutChoice(heard[1], version) {
					t.Errorf("%s, certificate %s, %x: Courier's says\n%sand ours\n%s", verify, name, version, heard[0], heard[1])
				}
				if strings.Contains(heard[1], "liar") {
					t.Errorf("%s, certificate %s: what was in the environment before is believed", verify, name)
				}
			}
		}
	}
}

func ptr[T any](v T) *T { return &v }

// withoutChoice leaves out what was in the environment before, which Courier's keeps, and
// the cipher of TLS 1.3, which GnuTLS names together with the key exchange.
func withoutChoice(text string, version uint16) string {
	lines := strings.Split(text, "\n")
	lines = slices.DeleteFunc(lines, func(l string) bool { return strings.HasSuffix(l, "=liar") })
	for i, l := range lines {
		if before, _, ok := strings.Cut(l, ","); ok && version == tls.VersionTLS13 && strings.HasPrefix(l, "TLS_CONNECTED_PROTOCOL=") {
			lines[i] = before
		}
	}
	return strings.Join(lines, "\n")
}

// TestCourierTLSNames: the certificate is that of the name the client asks for, else of
// the address it came to, else the main one.
func TestCourierTLSNames(t *testing.T) {
	dir := t.TempDir()
	a := newAuthority(t, dir, "a")
	main := certificateFile(t, filepath.Join(dir, "imapd.pem"), a.sign(t, pkix.Name{CommonName: "main"}, "main.example"))
	certificateFile(t, main+".one.example", a.sign(t, pkix.Name{CommonName: "one"}, "one.example"))
	certificateFile(t, main+".127.0.0.9", a.sign(t, pkix.Name{CommonName: "nine"}, "nine.example"))
	d := tcpds(t)[1]
	d.env = []string{"TLS_CERTFILE=" + main}
	r := d.start(t, []string{"-address=0", "-nodnslookup", "-noidentlookup", "-maxperip=40"}, []string{binary, "couriertls", "-server", "-tcpd", "/bin/cat"})
	for _, c := range []struct{ to, name, want string }{
		{"127.0.0.1", "", "main"}, {"127.0.0.1", "one.example", "one"}, {"127.0.0.1", "two.example", "main"}, {"127.0.0.9", "", "nine"},
		{"127.0.0.9", "ONE.example", "one"}, {"127.0.0.9", "two.example", "nine"},
	} {
		conn := tls.Client(r.connect(t, "127.0.0.1", c.to), &tls.Config{InsecureSkipVerify: true, ServerName: c.name})
		if err := conn.Handshake(); err != nil {
			t.Fatalf("%+v: %v\n%s", c, err, r.log)
		}
		if got := conn.ConnectionState().PeerCertificates[0].Subject.CommonName; got != c.want {
			t.Errorf("to %s for %q: the certificate of %s, not of %s", c.to, c.name, got, c.want)
		}
		conn.Close()
	}
}

// TestCourierTLSEnds: the last word of a program reaches its client, close_notify after
// it; a client that goes ends the program; one that says nothing is not given one.
func TestCourierTLSEnds(t *testing.T) {
	dir := t.TempDir()
	a := newAuthority(t, dir, "a")
	env := []string{"TLS_CERTFILE=" + certificateFile(t, filepath.Join(dir, "imapd.pem"), a.sign(t, pkix.Name{CommonName: "main"}, "main.example"))}
	r := tcpds(t)[1].courierTLS(t, env, nil, []string{"/bin/sh", "-c", "echo hello; read x; head -c 300000 /dev/zero; [ -n \"$x\" ] || echo gone >&2"})
	c, err := r.shake(t, &tls.Config{})
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(c, "x\n")
	n := 0
	for b := make([]byte, 1<<15); err == nil; {
		var m int
		m, err = c.Read(b)
		n += m
	}
	if n != 300006 || err.Error() != "EOF" {
		t.Errorf("%d octets come, then %v", n, err)
	}
	if c, err = r.shake(t, &tls.Config{}); err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(c).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	c.NetConn().(*net.TCPConn).CloseWrite()
	await(t, r.log, func() bool { return strings.Contains(r.log.String(), "gone") })
}

// pool is the certificates of a PEM text.
func pool(t *testing.T, text []byte) *x509.CertPool {
	t.Helper()
	p := x509.NewCertPool()
	if !p.AppendCertsFromPEM(text) {
		t.Fatal("there is no certificate")
	}
	return p
}

// TestStartTLSByCouriersLogin: Courier's imaplogin has our couriertls do its STARTTLS.
func TestStartTLSByCouriersLogin(t *testing.T) {
	h := newCourierHouse(t)
	h.authdaemond(t)
	for _, imapd := range []string{courierImapd, h.program("imapd")} {
		c := h.listen(t, h.program("couriertcpd"), []string{"COURIERTLS=" + h.program("couriertls")}, courierLogin, imapd, "./Maildir")
		a := h.account(t)
		if err := a.deliver("INBOX", numbered("chain", 1)); err != nil {
			t.Fatal(err)
		}
		k := dial(t, c.port)
		k.line()
		k = k.startTLS(trusting(t, h.dir))
		k.ok("LOGIN " + a.user + " " + password)
		k.everyday()
		k.ok("LOGOUT")
		if line := k.line(); line != "" {
			t.Errorf("after LOGOUT comes %q", line)
		}
	}
}
