package serve

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"time"

	"postrider/certificate"
)

// Certificate is how the server does its handshakes.
type Certificate struct {
	store *certificate.Store
	bind  bool // keep what channel bindings need
}

// LoadCertificate reads a certificate with its chain, and its key; keyFile ""
// means that the key is in certFile too. minVersion is one of crypto/tls.
func LoadCertificate(certFile, keyFile string, minVersion uint16, logger *slog.Logger) (*Certificate, error) {
	return LoadCertificates(certificate.Files{Cert: certFile, Key: keyFile, MinVersion: minVersion, Logger: logger})
}

// LoadCertificates reads certificates for several names and addresses, and whom to trust
// with clients' certificates.
func LoadCertificates(files certificate.Files) (*Certificate, error) {
	store, err := certificate.Open(files)
	if err != nil {
		return nil, err
	}
	return &Certificate{store: store}, nil
}

// GivenCertificates uses certificates that somebody else reads.
func GivenCertificates(store *certificate.Store) *Certificate { return &Certificate{store: store} }

// OfferBindings keeps of each handshake what can tie an authentication to it. It is
// called before the first.
func (c *Certificate) OfferBindings() { c.bind = true }

// handshake makes a connection a TLS one. It runs in a goroutine of its own, so
// that the stack it needed goes with it.
func (c *Certificate) handshake(ctx context.Context, conn net.Conn, limit time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if c.bind {
		conn = &choice{Conn: conn}
	}
	secured := tls.Server(conn, c.store.Config())
	result := make(chan error)
	go func() { result <- secured.HandshakeContext(ctx) }()
	if err := <-result; err != nil {
		return nil, fmt.Errorf("TLS handshake: %w", err)
	}
	return secured, nil
}

// subject is what the certificate of a connection's client says, if it was shown and is
// trusted; nil where there is no TLS.
func subject(conn net.Conn) map[string]string {
	if secured, ok := conn.(*tls.Conn); ok {
		return certificate.Subject(secured.ConnectionState())
	}
	return nil
}
