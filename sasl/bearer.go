package sasl

import (
	"bytes"
	"context"
	"fmt"
	"strings"
)

// CheckToken tells whether a token lets its bearer in as whom he names, which may be
// empty: nil if it does. The error goes back through Server.Next as it is.
type CheckToken func(ctx context.Context, login, token string) error

// OAuthBearer is the server's side of OAUTHBEARER (RFC 7628). refusal is the JSON text
// that tells a client why, and where to get a token (3.2.2).
func OAuthBearer(check CheckToken, refusal []byte) Server {
	return &bearer{check: check, refusal: refusal, parse: parseOAuthBearer}
}

// XOAuth2 is the older form of Google's and Microsoft's clients.
func XOAuth2(check CheckToken, refusal []byte) Server {
	return &bearer{check: check, refusal: refusal, parse: parseXOAuth2}
}

// bearer is one exchange of either.
type bearer struct {
	check   CheckToken
	refusal []byte
	parse   func([]byte) (login, token string, err error)
	failed  error // the token was refused; the client is to acknowledge that
}

// Next implements Server. A token that is refused is answered with the reason as one
// more challenge; whatever the client says to it, the exchange has failed.
func (b *bearer) Next(ctx context.Context, response []byte) (challenge []byte, done bool, err error) {
	if b.failed != nil {
		return nil, false, b.failed
	}
	if response == nil {
		return nil, false, nil
	}
	if len(response) > MaxResponse {
		return nil, false, ErrMalformed
	}
	login, token, err := b.parse(response)
	if err != nil {
		return nil, false, err
	}
	if err := b.check(ctx, login, token); err != nil {
		b.failed = err
		return b.refusal, false, nil
	}
	return nil, true, nil
}

const kvsep = "\x01"

// parseOAuthBearer reads the client's response.
//
//	client-resp = (gs2-header kvsep *kvpair kvsep) / kvsep
func parseOAuthBearer(response []byte) (login, token string, err error) {
	header, pairs, ok := strings.Cut(string(response), kvsep)
	if !ok {
		return "", "", fmt.Errorf("%w: no separator", ErrMalformed)
	}
	flag, rest, ok := strings.Cut(header, ",")
	if !ok || flag != "n" && flag != "y" { // 3.1: no channel is bound
		return "", "", fmt.Errorf("%w: the GS2 header", ErrMalformed)
	}
	name, rest, ok := strings.Cut(rest, ",")
	if !ok || rest != "" {
		return "", "", fmt.Errorf("%w: the GS2 header", ErrMalformed)
	}
	if name != "" {
		if login, ok = strings.CutPrefix(name, "a="); !ok || login == "" {
			return "", "", fmt.Errorf("%w: the GS2 header", ErrMalformed)
		}
		login = strings.NewReplacer("=2C", ",", "=3D", "=").Replace(login) // RFC 5801 4, saslname
	}
	token, err = bearerToken(pairs)
	return login, token, err
}

// parseXOAuth2 reads "user=" LOGIN ^A "auth=Bearer " TOKEN ^A ^A.
func parseXOAuth2(response []byte) (login, token string, err error) {
	user, pairs, ok := strings.Cut(string(response), kvsep)
	login, isUser := strings.CutPrefix(user, "user=")
	if !ok || !isUser || login == "" {
		return "", "", fmt.Errorf("%w: no user", ErrMalformed)
	}
	token, err = bearerToken(pairs)
	return login, token, err
}

// bearerToken finds the token among the pairs, each of which ends with a separator, as
// does the list.
func bearerToken(pairs string) (string, error) {
	list, ok := strings.CutSuffix(pairs, kvsep)
	if !ok {
		return "", fmt.Errorf("%w: it does not end", ErrMalformed)
	}
	for pair := range strings.SplitSeq(list, kvsep) {
		value, ok := strings.CutPrefix(pair, "auth=")
		if !ok {
			continue
		}
		scheme, token, _ := strings.Cut(value, " ")
		if !strings.EqualFold(scheme, "Bearer") || !isToken(token) {
			return "", fmt.Errorf("%w: not a bearer token", ErrMalformed)
		}
		return token, nil
	}
	return "", fmt.Errorf("%w: no token", ErrMalformed)
}

// isToken reports whether a text is a b64token (RFC 6750 2.1).
func isToken(s string) bool {
	const others = "-._~+/"
	body := bytes.TrimRight([]byte(s), "=")
	for _, c := range body {
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte(others, c) >= 0) {
			return false
		}
	}
	return len(body) > 0
}
