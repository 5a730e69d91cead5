package oauth

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"postrider/auth"
)

// Options say which tokens count.
type Options struct {
	Issuer   string   // of signed tokens: the provider's address; "": none count
	Audience []string // a token is for one of them
	Scope    string   // and has all these words, if there are any
	Claim    string   // that is the login; "" is "email"

	Introspection          string // address to ask about other tokens; "": none count
	ClientID, ClientSecret string // who asks

	CACert string // PEM file of the authorities that vouch for the provider; "": the system's
}

const (
	answerTime = 10 * time.Second // of one question to the provider
	maxAnswer  = 256 << 10        // bytes of it
	maxAsked   = 16               // questions at once
	retryAfter = 5 * time.Second  // discovery that failed
)

// Verifier judges tokens. It implements auth.TokenVerifier.
type Verifier struct {
	o      Options
	client *http.Client
	asked  chan struct{}

	mu     sync.Mutex
	keys   oidc.KeySet // nil: the provider was not asked yet
	algs   []string
	failed time.Time
	reason error // of the last failure
}

var _ auth.TokenVerifier = (*Verifier)(nil)

// New returns a verifier. It does not ask the provider yet: one that is down must not
// keep a server from starting.
func New(o Options) (*Verifier, error) {
	switch {
	case o.Issuer == "" && o.Introspection == "":
		return nil, errors.New("neither an issuer nor an address to ask is set")
	case len(o.Audience) == 0 && (o.Issuer != "" || o.Scope == ""):
		return nil, errors.New("no audience is set: a token that was made for another service would count")
	case o.Introspection != "" && o.ClientID == "":
		return nil, errors.New("asking about tokens wants a client's ID and secret")
	}
	for _, address := range []string{o.Issuer, o.Introspection} {
		if address != "" && !strings.HasPrefix(address, "https://") && !strings.HasPrefix(address, "http://127.0.0.1:") && !strings.HasPrefix(address, "http://[::1]:") {
			return nil, fmt.Errorf("%s: only https counts, or http on this machine", address)
		}
	}
	if o.Claim == "" {
		o.Claim = "email"
	}
	transport := &http.Transport{Proxy: nil, MaxIdleConnsPerHost: 4, IdleConnTimeout: time.Minute}
	if o.CACert != "" {
		pem, err := os.ReadFile(o.CACert)
		if err != nil {
			return nil, fmt.Errorf("authorities of the provider: %w", err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("authorities of the provider: %s has no certificate", o.CACert)
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	return &Verifier{o: o, client: &http.Client{Transport: bounded{transport}, Timeout: answerTime}, asked: make(chan struct{}, maxAsked)}, nil
}

// VerifyToken implements auth.TokenVerifier.
func (v *Verifier) VerifyToken(ctx context.Context, token string) (login string, err error) {
	select {
	case v.asked <- struct{}{}:
		defer func() { <-v.asked }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	claims := map[string]any{}
	if v.o.Issuer != "" && (strings.Count(token, ".") == 2 || v.o.Introspection == "") {
		err = v.signed(ctx, token, &claims)
	} else {
		err = v.introspect(ctx, token, &claims)
	}
	if err != nil {
		return "", err
	}
	if err := v.suits(claims); err != nil {
		return "", err
	}
	login, _ = claims[v.o.Claim].(string)
	if login == "" {
		return "", fmt.Errorf("%w: the token has no %s", auth.ErrRejected, v.o.Claim)
	}
	if verified, told := claims["email_verified"].(bool); v.o.Claim == "email" && told && !verified {
		return "", fmt.Errorf("%w: the provider has not verified the address", auth.ErrRejected)
	}
	return login, nil
}

// suits tells whether a token was made for us.
func (v *Verifier) suits(claims map[string]any) error {
	if len(v.o.Audience) > 0 && !slices.ContainsFunc(texts(claims["aud"]), func(a string) bool { return slices.Contains(v.o.Audience, a) }) {
		return fmt.Errorf("%w: the token is for %q", auth.ErrRejected, texts(claims["aud"]))
	}
	scope := append(texts(claims["scp"]), strings.Fields(strings.Join(texts(claims["scope"]), " "))...)
	for _, word := range strings.Fields(v.o.Scope) {
		if !slices.Contains(scope, word) {
			return fmt.Errorf("%w: the token has no scope %s", auth.ErrRejected, word)
		}
	}
	return nil
}

// texts is a claim that is a text or a list of them.
func texts(claim any) []string {
	switch c := claim.(type) {
	case string:
		return []string{c}
	case []any:
		var all []string
		for _, one := range c {
			if s, ok := one.(string); ok {
				all = append(all, s)
			}
		}
		return all
	}
	return nil
}

// temporary is a question that the provider did not answer.
func temporary(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return fmt.Errorf("%w: asking the provider of tokens: %w", auth.ErrTemporary, err)
}

// Refusal is what a client is told whose token is refused (RFC 7628 3.2.2).
func (v *Verifier) Refusal() []byte {
	answer := map[string]string{"status": "invalid_token"}
	if v.o.Scope != "" {
		answer["scope"] = v.o.Scope
	}
	if v.o.Issuer != "" {
		answer["openid-configuration"] = strings.TrimSuffix(v.o.Issuer, "/") + "/.well-known/openid-configuration"
	}
	text, _ := json.Marshal(answer) // texts alone
	return text
}
