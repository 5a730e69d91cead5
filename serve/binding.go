package serve

import (
	"crypto/sha256"
	"crypto/sha512"
	"crypto/tls"
	"crypto/x509"
	"net"

	"postrider/sasl"
)

// choice is a connection that remembers with which certificate its handshake was done,
// which crypto/tls does not tell. A session that was resumed has none.
type choice struct {
	net.Conn
	leaf *x509.Certificate // written in the handshake
}

// Chosen implements what the certificates look for.
func (c *choice) Chosen(pair *tls.Certificate) {
	if pair != nil {
		c.leaf = pair.Leaf
	}
}

// bindings are what can tie an authentication to a TLS connection (RFC 5056): keys that
// are exported from it, where that is safe, and the server's certificate.
func bindings(conn net.Conn) sasl.Bindings {
	secured, ok := conn.(*tls.Conn)
	if !ok {
		return nil
	}
	b := make(sasl.Bindings)
	state := secured.ConnectionState()
	// RFC 9266 section 2; it fails with TLS 1.2 without the extended master secret.
	if exported, err := state.ExportKeyingMaterial("EXPORTER-Channel-Binding", nil, 32); err == nil {
		b["tls-exporter"] = exported
	}
	if c, ok := secured.NetConn().(*choice); ok && c.leaf != nil {
		if sum := endPoint(c.leaf); sum != nil {
			b["tls-server-end-point"] = sum
		}
	}
	return b
}

// endPoint is the digest of a certificate by the hash of its signature, SHA-256 for
// weaker ones (RFC 5929 section 4.1). It is not defined for signatures without one.
func endPoint(leaf *x509.Certificate) []byte {
	switch leaf.SignatureAlgorithm {
	case x509.MD5WithRSA, x509.SHA1WithRSA, x509.ECDSAWithSHA1, x509.SHA256WithRSA, x509.SHA256WithRSAPSS, x509.ECDSAWithSHA256:
		sum := sha256.Sum256(leaf.Raw)
		return sum[:]
	case x509.SHA384WithRSA, x509.SHA384WithRSAPSS, x509.ECDSAWithSHA384:
		sum := sha512.Sum384(leaf.Raw)
		return sum[:]
	case x509.SHA512WithRSA, x509.SHA512WithRSAPSS, x509.ECDSAWithSHA512:
		sum := sha512.Sum512(leaf.Raw)
		return sum[:]
	}
	return nil
}
