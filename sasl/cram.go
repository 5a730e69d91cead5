package sasl

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"strings"
)

// VerifyCRAM tells whether response, "LOGIN DIGEST" as it came, is the right one
// for challenge. The error goes back through Server.Next as it is.
type VerifyCRAM func(ctx context.Context, login, challenge, response string) error

// CRAM returns one exchange of CRAM-MD5 (RFC 2195) or of its kin with another
// hash, CRAM-SHA1 and CRAM-SHA256, which Courier has: the client answers a
// challenge with its name and the HMAC of the challenge, keyed with the password.
// An initial response is refused, as a challenge comes first.
func CRAM(challenge string, verify VerifyCRAM) Server {
	return &cram{challenge: challenge, verify: verify}
}

// NewChallenge returns a challenge that nobody saw before, in the form of
// RFC 2195 with Courier's digits. host is the server's name.
func NewChallenge(host string) string {
	var random [16]byte
	_, _ = rand.Read(random[:]) // never fails
	return fmt.Sprintf("<%X@%s>", random, host)
}

type cram struct {
	challenge string
	asked     bool
	verify    VerifyCRAM
}

func (c *cram) Next(ctx context.Context, response []byte) ([]byte, bool, error) {
	if !c.asked {
		if response != nil {
			return nil, false, ErrMalformed
		}
		c.asked = true
		return []byte(c.challenge), false, nil
	}
	login, _, err := ParseCRAM(response)
	if err != nil {
		return nil, false, err
	}
	if err := c.verify(ctx, login, c.challenge, string(response)); err != nil {
		return nil, false, err
	}
	return nil, true, nil
}

// ParseCRAM takes a response apart. RFC 2195 section 2: the user name, a space,
// and the digest in lower-case hexadecimal; a name may hold spaces.
func ParseCRAM(response []byte) (login, digest string, err error) {
	space := bytes.LastIndexByte(response, ' ')
	if space < 1 || space > maxName || len(response) > MaxResponse || bytes.IndexByte(response, 0) >= 0 {
		return "", "", ErrMalformed
	}
	login, digest = string(response[:space]), string(response[space+1:])
	if len(digest) < 32 || len(digest) > 64 || strings.Trim(digest, "0123456789abcdef") != "" {
		return "", "", ErrMalformed
	}
	return login, digest, nil
}
