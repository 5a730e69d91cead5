package sasl

import (
	"bytes"
	"context"
	"strings"
	"unicode/utf8"
)

// Plain returns one exchange of the PLAIN mechanism (RFC 4616). An
// authorization identity is accepted if it is empty or equal to the
// authentication identity; any other ends in ErrAuthorization, after the
// password was checked, so that a stranger learns nothing from it. (Courier
// ignores the field, which lets a client believe that it acts for somebody
// else.)
func Plain(verify Verify) Server { return &plain{verify: verify} }

type plain struct {
	verify Verify
	asked  bool
}

func (p *plain) Next(ctx context.Context, response []byte) ([]byte, bool, error) {
	if response == nil && !p.asked {
		p.asked = true
		return []byte{}, false, nil
	}
	authorize, login, password, err := parsePlain(response)
	if err != nil {
		return nil, false, err
	}
	if err := p.verify(ctx, login, password); err != nil {
		return nil, false, err
	}
	if authorize != "" && authorize != login {
		return nil, false, ErrAuthorization
	}
	return nil, true, nil
}

// parsePlain takes PLAIN's message apart. RFC 4616 section 2:
//
//	message   = [authzid] UTF8NUL authcid UTF8NUL passwd
//	authcid   = 1*SAFE ; MUST accept up to 255 octets
//	authzid   = 1*SAFE ; MUST accept up to 255 octets
//	passwd    = 1*SAFE ; MUST accept up to 255 octets
//	SAFE      = UTF1 / UTF2 / UTF3 / UTF4 ;; any UTF-8 encoded character except NUL
//
// One departure: passwords that are not UTF-8 are let through, since accounts
// whose password was set in ISO 8859-1 exist, and LOGIN takes them too.
func parsePlain(message []byte) (authorize, login, password string, err error) {
	if len(message) > MaxResponse || bytes.Count(message, []byte{0}) != 2 {
		return "", "", "", ErrMalformed
	}
	authorize, rest, _ := strings.Cut(string(message), "\x00")
	login, password, _ = strings.Cut(rest, "\x00")
	if login == "" || password == "" || len(authorize) > maxName || len(login) > maxName ||
		len(password) > maxPassword || !utf8.ValidString(authorize) || !utf8.ValidString(login) {
		return "", "", "", ErrMalformed
	}
	return authorize, login, password, nil
}
