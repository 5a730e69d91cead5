package imaplogin

import (
	"net"
	"strings"

	"postrider/certificate"
)

// subject is what the client's certificate says: in our own handshake, or in that of the
// program before us, which puts the fields into TLS_SUBJECT_*.
func (d *door) subject(net.Conn) map[string]string {
	if d.secured != nil {
		return certificate.Subject(d.secured.ConnectionState())
	}
	field := strings.ToUpper(d.Config.External)
	if value := d.env.get("TLS_SUBJECT_" + field); value != "" && d.env.on("IMAP_TLS") {
		return map[string]string{field: value}
	}
	return nil
}
