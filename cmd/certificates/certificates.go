// Package certificates says what the settings mean to package certificate, for the
// commands that speak TLS: serve, imaplogin, couriertls. It owns nothing.
package certificates

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"postrider/certificate"
	"postrider/config"
)

// Files are the certificates that the settings name. TLS_EXTERNAL without an authority of
// one's own is refused: it would let whoever buys a certificate say who he is.
func Files(c *config.Config, logger *slog.Logger) (certificate.Files, error) {
	f := certificate.Files{
		Cert: c.CertFile, Key: c.KeyFile, MinVersion: c.MinTLS, Protocols: c.ALPN, Trust: c.TrustCerts, Logger: logger,
		Verify: map[string]certificate.Verify{"PEER": certificate.VerifyPeer, "REQUIREPEER": certificate.VerifyRequired}[c.VerifyPeer],
	}
	if c.External != "" && f.Verify != certificate.VerifyNone && isEverybody(c.TrustCerts) {
		return f, fmt.Errorf("TLS_EXTERNAL with TLS_TRUSTCERTS=%s trusts all the world's authorities: name a file with your own", c.TrustCerts)
	}
	return f, nil
}

// isEverybody knows where systems keep the authorities of the whole world.
func isEverybody(trust string) bool {
	return slices.Contains([]string{"/etc/ssl/certs", "/etc/ssl/certs/ca-certificates.crt", "/etc/ssl/cert.pem",
		"/etc/pki/tls/certs/ca-bundle.crt", "/etc/pki/tls/cert.pem", "/usr/share/ssl/certs/ca-bundle.crt"}, strings.TrimRight(trust, "/"))
}
