package mkimapdcert

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"postrider/cmd/daemon"
	"postrider/cmd/imapdrc"
)

// Main makes BASENAME.pem, by default imapd.pem beside imapd.cnf.
func Main(_ string, args []string) int {
	dir, rest, err := imapdrc.Directory(args)
	if err == nil && len(rest) > 1 {
		fmt.Fprintln(os.Stderr, "Usage: mkimapdcert [--courier DIR] [BASENAME]")
		return 1
	}
	if err == nil {
		base := filepath.Join(dir, "imapd")
		if len(rest) == 1 {
			base = rest[0]
		}
		err = makeFile(base+".pem", filepath.Join(dir, "imapd.cnf"))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// makeFile makes a certificate as a settings file asks for it. It is put in place whole,
// and not where one is already.
func makeFile(file, settings string) error {
	if _, err := os.Lstat(file); err == nil {
		return fmt.Errorf("%s already exists.", file) //lint:ignore ST1005 Courier's words
	}
	text, err := os.ReadFile(settings)
	if err != nil {
		return err
	}
	r, err := parse(string(text))
	if err != nil {
		return fmt.Errorf("%s: %w", settings, err)
	}
	content, err := r.generate(time.Now())
	if err != nil {
		return err
	}
	part, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".") // mode 600
	if err != nil {
		return err
	}
	defer os.Remove(part.Name())
	defer part.Close()
	if _, err := part.Write(content); err != nil {
		return err
	}
	if err := own(part); err != nil {
		return err
	}
	if err := part.Sync(); err != nil {
		return err
	}
	if err := os.Link(part.Name(), file); errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s already exists.", file) //lint:ignore ST1005 Courier's words
	} else if err != nil {
		return err
	}
	return nil
}

// own gives the file to the mail user.
func own(f *os.File) error {
	if os.Geteuid() != 0 {
		return nil
	}
	who, err := daemon.Identify(imapdrc.MailUser(nil), "")
	if err != nil || who.Stays() {
		return err
	}
	return f.Chown(who.UID, who.GID)
}

// leastBits is what clients of today accept.
const leastBits = 2048

// generate makes the key and the certificate, in this order.
func (r *request) generate(now time.Time) ([]byte, error) {
	key, err := rsa.GenerateKey(rand.Reader, max(r.bits, leastBits))
	if err != nil {
		return nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: r.subject(), NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(0, 0, r.days),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	for _, name := range append([]string{r.name.CommonName}, r.names...) {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.Write(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	b.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}))
	return b.Bytes(), nil
}
