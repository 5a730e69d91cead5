package oauth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"postrider/auth"
)

// signed checks a token that the provider signed.
func (v *Verifier) signed(ctx context.Context, token string, claims *map[string]any) error {
	keys, algs, err := v.provider(ctx)
	if err != nil {
		return err
	}
	recorded := &recordingKeys{keys: keys}
	checked, err := oidc.NewVerifier(v.o.Issuer, recorded, &oidc.Config{SkipClientIDCheck: true, SupportedSigningAlgs: algs}).
		Verify(oidc.ClientContext(ctx, v.client), token)
	switch {
	case recorded.failure != nil:
		return temporary(ctx, recorded.failure)
	case err != nil:
		return fmt.Errorf("%w: %w", auth.ErrRejected, err)
	}
	// suits looks at the audience, of which there may be several.
	return checked.Claims(claims)
}

// provider is the provider's keys, and what it signs with, asked for once.
func (v *Verifier) provider(ctx context.Context) (oidc.KeySet, []string, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.keys != nil {
		return v.keys, v.algs, nil
	}
	if time.Since(v.failed) < retryAfter {
		return nil, nil, temporary(ctx, v.reason)
	}
	p, err := oidc.NewProvider(oidc.ClientContext(ctx, v.client), v.o.Issuer)
	if err != nil {
		if ctx.Err() == nil {
			v.failed, v.reason = time.Now(), err
		}
		return nil, nil, temporary(ctx, err)
	}
	var found struct {
		Keys string   `json:"jwks_uri"`
		Algs []string `json:"id_token_signing_alg_values_supported"`
	}
	if err := p.Claims(&found); err != nil {
		return nil, nil, temporary(ctx, err)
	}
	// The set of keys outlives the attempt that asked for it first.
	v.keys = oidc.NewRemoteKeySet(oidc.ClientContext(context.Background(), v.client), found.Keys)
	for _, alg := range found.Algs {
		if alg != "none" && !strings.HasPrefix(alg, "HS") { // by a published key alone
			v.algs = append(v.algs, alg)
		}
	}
	return v.keys, v.algs, nil
}

// recordingKeys tells a signature that is wrong from keys that cannot be fetched, which
// the library does only in the text of its error.
type recordingKeys struct {
	keys    oidc.KeySet
	failure error
}

// VerifySignature implements oidc.KeySet.
func (r *recordingKeys) VerifySignature(ctx context.Context, token string) ([]byte, error) {
	payload, err := r.keys.VerifySignature(ctx, token)
	if err != nil && (strings.Contains(err.Error(), "fetching keys") || ctx.Err() != nil) {
		r.failure = err
	}
	return payload, err
}

// bounded bounds what an answer may hold.
type bounded struct{ http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := b.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	answer.Body = &limitedBody{answer.Body, maxAnswer}
	return answer, nil
}

type limitedBody struct {
	io.ReadCloser
	left int
}

var errTooLong = errors.New("the answer is too long")

func (l *limitedBody) Read(p []byte) (int, error) {
	if l.left == 0 {
		return 0, errTooLong
	}
	n, err := l.ReadCloser.Read(p[:min(len(p), l.left)])
	l.left -= n
	return n, err
}
