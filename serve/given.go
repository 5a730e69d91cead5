package serve

import (
	"crypto/tls"
	"fmt"
	"log/slog"
)

// GivenCertificate returns a certificate of PEM text, for a process that can open no
// file: somebody else looks whether it was renewed, and then calls Renew.
func GivenCertificate(certificate, key []byte, minVersion uint16, logger *slog.Logger) (*Certificate, error) {
	c := &Certificate{minVersion: max(minVersion, tls.VersionTLS12), logger: logger}
	if err := c.Renew(certificate, key); err != nil {
		return nil, err
	}
	c.config = c.serverConfig()
	return c, nil
}

// Renew has the next handshakes use another certificate. With an error the old one
// stays in use.
func (c *Certificate) Renew(certificate, key []byte) error {
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		return fmt.Errorf("reading a certificate and its key: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.current = &pair
	return nil
}
