package serve

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"net/netip"
	"os"
	"testing"

	"postrider/certificate"
	"postrider/login"
	"postrider/wire"
)

// who is a hand-over that says what the client's certificate does.
type who struct{ echo }

func (who) Session(_ context.Context, c *wire.Conn, l *login.Result, _ netip.AddrPort) error {
	fmt.Fprintf(c, "%s OK %d fields, CN is %q\r\n", l.Tag, len(l.Subject), l.Subject["CN"])
	return c.Flush()
}

// The login is told what the client's certificate says, with STARTTLS, too; and the
// certificate of ours is the one for the name that the client asks for.
func TestSubject(t *testing.T) {
	dir, clientDir := t.TempDir(), t.TempDir()
	cert, key := writeCert(t, dir, "main.example")
	other := t.TempDir()
	otherCert, otherKey := writeCert(t, other, "one.example")
	for from, to := range map[string]string{otherCert: cert + ".one.example", otherKey: key + ".one.example"} {
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	clientCert, clientKey := writeCert(t, clientDir, "client.example")
	pair, err := tls.LoadX509KeyPair(clientCert, clientKey)
	if err != nil {
		t.Fatal(err)
	}
	files := certificate.Files{Cert: cert, Key: key, Verify: certificate.VerifyPeer, Trust: clientCert}
	certificates, err := LoadCertificates(files)
	if err != nil {
		t.Fatal(err)
	}
	address, _ := start(t, func(c *Config) { c.TLS, c.StartTLS, c.Handover = certificates, true, who{} })
	for _, c := range []struct {
		shown []tls.Certificate
		want  string
	}{{nil, "a OK 0 fields"}, {[]tls.Certificate{pair}, "a OK 1 fields, CN is \"client.example\""}} {
		p := dial(t, address)
		p.want("* OK ")
		fmt.Fprint(p, "s STARTTLS\r\n")
		p.want("s OK ")
		secured := tls.Client(p.Conn, &tls.Config{InsecureSkipVerify: true, ServerName: "one.example", Certificates: c.shown})
		q := &peer{secured, bufio.NewReader(secured), t}
		fmt.Fprint(q, "a LOGIN u p\r\n")
		q.want(c.want)
		if err := verifyName(secured, "one.example"); err != nil {
			t.Error(err)
		}
	}
}

func verifyName(c *tls.Conn, name string) error {
	return c.ConnectionState().PeerCertificates[0].VerifyHostname(name)
}
