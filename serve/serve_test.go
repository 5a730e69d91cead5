package serve

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"postrider/auth"
	"postrider/auth/password"
	"postrider/auth/static"
	"postrider/login"
	"postrider/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// echo is a hand-over whose sessions say OK, then wait for input until they are
// interrupted, or for ever if they are deaf.
type echo struct {
	deaf bool
}

func (echo) Capabilities() []string { return []string{"IMAP4rev1"} }

func (e echo) Session(ctx context.Context, c *wire.Conn, l *login.Result, _ netip.AddrPort) error {
	fmt.Fprintf(c, "%s OK hello %s\r\n", l.Tag, l.Identity.Login)
	c.Flush()
	if e.deaf {
		<-ctx.Done()
		return ctx.Err()
	}
	if _, err := c.WaitInput(time.Minute); err != nil {
		c.WriteString("* BYE done\r\n")
		c.Flush()
	}
	return nil
}

// start serves on a free port; stop ends it and returns what Serve did.
func start(t *testing.T, change func(*Config)) (address string, stop func() error) {
	t.Helper()
	c := Config{
		Handover:     echo{},
		Backend:      accounts(),
		DrainTimeout: 5 * time.Second,
	}
	change(&c)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	result := make(chan error, 1)
	go func() { result <- New(c).Serve(ctx, Listener{Listener: l}) }()
	ended := false
	stop = func() error {
		if ended {
			return nil
		}
		ended = true
		cancel()
		return <-result
	}
	t.Cleanup(func() { stop() })
	return l.Addr().String(), stop
}

// accounts is one, u with the password p.
func accounts() auth.Backend {
	return static.New(password.NewVerifier(password.Limits{}), static.Account{
		Identity: auth.Identity{Login: "u", UID: auth.Unknown, GID: auth.Unknown, Home: "/"}, Stored: "{PLAIN}p"})
}

type peer struct {
	net.Conn
	in *bufio.Reader
	t  *testing.T
}

func dial(t *testing.T, address string) *peer {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	return &peer{conn, bufio.NewReader(conn), t}
}

func (p *peer) want(prefix string) {
	p.t.Helper()
	line, err := p.in.ReadString('\n')
	if err != nil || !strings.HasPrefix(line, prefix) {
		p.t.Fatalf("got %q, %v; want %q", line, err, prefix)
	}
}

func (p *peer) login() {
	p.t.Helper()
	p.want("* OK ")
	fmt.Fprint(p, "a LOGIN u p\r\n")
	p.want("a OK hello u")
}

func TestDrainSaysBye(t *testing.T) {
	address, stop := start(t, func(*Config) {})
	p, early := dial(t, address), dial(t, address)
	p.login()
	early.want("* OK ")
	if err := stop(); err != nil {
		t.Error(err)
	}
	p.want("* BYE ")
	early.want("* BYE ")
	if _, err := net.Dial("tcp", address); err == nil {
		t.Error("it still listens")
	}
}

func TestDrainIsBounded(t *testing.T) {
	address, stop := start(t, func(c *Config) { c.Handover, c.DrainTimeout = echo{deaf: true}, 50*time.Millisecond })
	dial(t, address).login()
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestLimits(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"* BYE [LIMIT] Too many connections\r\n":                   func(c *Config) { c.MaxConnections = 1 },
		"* BYE [LIMIT] Too many connections from your address\r\n": func(c *Config) { c.MaxPerAddress = 1 },
	} {
		address, _ := start(t, change)
		p := dial(t, address)
		p.login()
		q := dial(t, address)
		q.want(name)
	}
}

// failing is a listener that has no descriptors for a while.
type failing struct {
	net.Listener
	left int
}

func (f *failing) Accept() (net.Conn, error) {
	if f.left > 0 {
		f.left--
		return nil, os.NewSyscallError("accept4", syscall.EMFILE)
	}
	return f.Listener.Accept()
}

func TestAcceptSurvives(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error)
	go func() {
		result <- New(Config{Handover: echo{}, Backend: auth.Chain()}).Serve(ctx, Listener{Listener: &failing{l, 3}})
	}()
	dial(t, l.Addr().String()).want("* OK ")
	cancel()
	if err := <-result; err != nil {
		t.Error(err)
	}
}

// writeCert writes a certificate for name.
func writeCert(t *testing.T, dir, name string) (cert, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	c, err := x509.CreateCertificate(rand.Reader, template, template, k.Public(), k)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: c}, key: {Type: "PRIVATE KEY", Bytes: der}} {
		if err := os.WriteFile(file+".new", pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(file+".new", file); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// TestRenewedCertificate: the next handshake uses new files, a session goes on,
// and a broken renewal changes nothing.
func TestRenewedCertificate(t *testing.T) {
	dir := t.TempDir()
	cert, key := writeCert(t, dir, "one.example")
	certificate, err := LoadCertificate(cert, key, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	address, _ := start(t, func(c *Config) { c.TLS, c.StartTLS, c.RequireTLS = certificate, true, true })
	name := func() string {
		p := dial(t, address)
		p.want("* OK ")
		fmt.Fprint(p, "s STARTTLS\r\n")
		p.want("s OK ")
		secured := tls.Client(p.Conn, &tls.Config{InsecureSkipVerify: true})
		q := &peer{secured, bufio.NewReader(secured), t}
		fmt.Fprint(q, "a LOGIN u p\r\n")
		q.want("a OK hello u")
		return secured.ConnectionState().PeerCertificates[0].DNSNames[0]
	}
	if got := name(); got != "one.example" {
		t.Errorf("certificate for %s", got)
	}
	writeCert(t, dir, "two.example")
	if got := name(); got != "two.example" {
		t.Errorf("after the renewal: certificate for %s", got)
	}
	if err := os.WriteFile(cert, []byte("half written"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := name(); got != "two.example" {
		t.Errorf("after a broken renewal: certificate for %s", got)
	}
}

func TestOldTLSIsRefused(t *testing.T) {
	cert, key := writeCert(t, t.TempDir(), "one.example")
	certificate, err := LoadCertificate(cert, key, tls.VersionTLS10, nil)
	if err != nil {
		t.Fatal(err)
	}
	a, b := net.Pipe()
	go func() {
		certificate.handshake(context.Background(), b, time.Second)
		b.Close()
	}()
	err = tls.Client(a, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}).Handshake()
	a.Close()
	if err == nil {
		t.Error("TLS 1.1 is spoken")
	}
}

// On a TLS port the reason comes under TLS.
func TestRefusalUnderTLS(t *testing.T) {
	cert, key := writeCert(t, t.TempDir(), "one.example")
	certificate, err := LoadCertificate(cert, key, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	s := New(Config{Handover: echo{}, Backend: accounts(), TLS: certificate, MaxConnections: 1, DrainTimeout: 5 * time.Second})
	go func() { ended <- s.Serve(ctx, Listener{Listener: l, ImplicitTLS: true}) }()
	connect := func() *peer {
		c, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return &peer{c, bufio.NewReader(c), t}
	}
	connect().login()
	connect().want("* BYE [LIMIT] Too many connections\r\n")
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
