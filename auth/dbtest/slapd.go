package dbtest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// Slapd is Debian's LDAP server, with the entries below dc=example,dc=com that are given
// in LDIF, and an administrator, cn=admin,dc=example,dc=com, with the password "word".
type Slapd struct {
	*Daemon
	URI, SecureURI string
	CA             string // PEM file of its own authority
}

// StartSlapd starts one.
func StartSlapd(t testing.TB, entries string) *Slapd {
	t.Helper()
	dir, owner := directory(t, "openldap")
	s := &Slapd{Daemon: &Daemon{Dir: dir, Port: freePort(t), t: t, owner: owner}, CA: filepath.Join(dir, "ca.pem")}
	secure := freePort(t)
	s.URI, s.SecureURI = "ldap://127.0.0.1:"+s.Port, "ldaps://127.0.0.1:"+secure
	writeAuthority(t, s.CA)
	conf := filepath.Join(dir, "slapd.conf")
	var b bytes.Buffer
	for _, schema := range []string{"core", "cosine", "nis", "inetorgperson"} {
		b.WriteString("include /etc/ldap/schema/" + schema + ".schema\n")
	}
	b.WriteString("modulepath /usr/lib/ldap\nmoduleload back_mdb\npidfile " + dir + "/pid\n" +
		"TLSCACertificateFile " + s.CA + "\nTLSCertificateFile " + s.CA + "\nTLSCertificateKeyFile " + s.CA + "\n" +
		"database mdb\nsuffix dc=example,dc=com\nrootdn cn=admin,dc=example,dc=com\nrootpw word\ndirectory " + dir + "\n" +
		"access to attrs=userPassword by anonymous auth by self write by * none\naccess to * by * read\n")
	if err := os.WriteFile(conf, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	s.args = []string{"/usr/sbin/slapd", "-f", conf, "-h", s.URI + " " + s.SecureURI, "-d", "0"}
	s.ready = func() error {
		c, err := net.Dial("tcp", "127.0.0.1:"+secure)
		if err == nil {
			c.Close()
		}
		return err
	}
	s.begin()
	feed(t, "dn: dc=example,dc=com\nobjectClass: domain\ndc: example\n\n"+entries,
		exec.Command("ldapadd", "-x", "-H", s.URI, "-D", "cn=admin,dc=example,dc=com", "-w", "word"))
	return s
}

// writeAuthority writes a certificate of its own for 127.0.0.1, and its key.
func writeAuthority(t testing.TB, path string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	text := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})...)
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
}
