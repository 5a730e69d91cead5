package certificate

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
)

// Subject is the fields of a client's certificate, by the names that Courier gives
// them: CN, O, EMAILADDRESS. Of a field that is there more than once the last counts. It is
// empty unless the certificate was shown and verified.
func Subject(state tls.ConnectionState) map[string]string {
	fields := make(map[string]string)
	if !state.HandshakeComplete || len(state.VerifiedChains) == 0 || len(state.PeerCertificates) == 0 {
		return fields
	}
	for _, n := range state.PeerCertificates[0].Subject.Names {
		name, known := fieldNames()[n.Type.String()]
		if !known {
			name = n.Type.String()
		}
		value := fmt.Sprint(n.Value)
		if len(value) > maxField || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			continue // nobody's name, and not fit for an environment
		}
		fields[name] = value
	}
	return fields
}

// maxField bounds the octets of a field (RFC 5280's own bounds are smaller).
const maxField = 1024

// fieldNames are the names of object identifiers (RFC 4519, PKCS #9).
func fieldNames() map[string]string {
	return map[string]string{
		"2.5.4.3": "CN", "2.5.4.4": "SN", "2.5.4.5": "SERIALNUMBER", "2.5.4.6": "C", "2.5.4.7": "L", "2.5.4.8": "ST",
		"2.5.4.9": "STREET", "2.5.4.10": "O", "2.5.4.11": "OU", "2.5.4.12": "TITLE", "2.5.4.17": "POSTALCODE",
		"2.5.4.42": "GIVENNAME", "2.5.4.43": "INITIALS", "2.5.4.44": "GENERATIONQUALIFIER", "2.5.4.46": "DNQUALIFIER",
		"2.5.4.65": "PSEUDONYM", "1.2.840.113549.1.9.1": "EMAILADDRESS",
		"0.9.2342.19200300.100.1.1": "UID", "0.9.2342.19200300.100.1.25": "DC",
	}
}

// Describe is the protocol and cipher of a connection in the form of Courier's
// TLS_CONNECTED_PROTOCOL.
func Describe(state tls.ConnectionState) string {
	suite := strings.Replace(strings.TrimPrefix(tls.CipherSuiteName(state.CipherSuite), "TLS_"), "_WITH_", "_", 1)
	bits := 128
	if strings.Contains(suite, "_256_") || strings.Contains(suite, "CHACHA20") {
		bits = 256
	}
	return fmt.Sprintf("%s,%dbits,%s", strings.ReplaceAll(tls.VersionName(state.Version), " ", ""), bits, suite)
}

// Refusal is why a handshake failed, in Courier's words where it has some.
func Refusal(err error) string {
	text := err.Error()
	var unknown x509.UnknownAuthorityError
	switch {
	case errors.As(err, &unknown):
		return "Peer's certificate not signed by a trusted authority"
	case strings.Contains(text, "client didn't provide a certificate"):
		return "Certificate is required."
	}
	return text
}
