package e2e_test

import (
	"crypto/x509/pkix"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// TestChainExternal: the client's certificate logs in after STARTTLS in imaplogin, and
// the next program is told whose it is.
func TestChainExternal(t *testing.T) {
	h := newCourierHouse(t)
	a := h.account(t)
	clients := newAuthority(t, h.dir, "clients")
	whoami := filepath.Join(h.dir, "whoami")
	write(t, whoami, "#!/bin/sh\necho \"$AUTHENTICATED by $TLS_SUBJECT_CN, $TLS_CONNECTED_PROTOCOL\"\n", 0o755)
	c := h.listen(t, courierTCPD, []string{"TLS_VERIFYPEER=PEER", "TLS_TRUSTCERTS=" + clients.file, "TLS_EXTERNAL=CN"}, h.program("imaplogin"), whoami, "./Maildir")
	for name, wanted := range map[string]string{a.user: a.user + " by " + a.user + ", TLS1.3,", "nobody": "t NO [AUTHENTICATIONFAILED]"} {
		config := trusting(t, h.dir).Clone()
		config.Certificates = append(config.Certificates, clients.sign(t, pkix.Name{CommonName: name}))
		k := dial(t, c.port)
		k.line()
		k = k.startTLS(config)
		if got := strings.Join(k.ok("CAPABILITY"), " "); !strings.Contains(got, "AUTH=EXTERNAL") {
			t.Errorf("there is %s", got)
		}
		fmt.Fprint(k.c, "t AUTHENTICATE EXTERNAL =\r\n")
		if line := k.line(); !strings.HasPrefix(line, wanted) {
			t.Errorf("%s gets %q, not %q", name, line, wanted)
		}
	}
	k := dial(t, c.port)
	k.line()
	k = k.startTLS(trusting(t, h.dir))
	if got := strings.Join(k.ok("CAPABILITY"), " "); strings.Contains(got, "AUTH=EXTERNAL") {
		t.Errorf("without a certificate there is %s", got)
	}
}
