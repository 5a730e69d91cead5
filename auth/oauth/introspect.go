package oauth

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"postrider/auth"
)

// introspect asks the provider about a token (RFC 7662).
func (v *Verifier) introspect(ctx context.Context, token string, claims *map[string]any) error {
	form := url.Values{"token": {token}, "token_type_hint": {"access_token"}}
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, v.o.Introspection, strings.NewReader(form.Encode()))
	if err != nil {
		return temporary(ctx, err)
	}
	q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	q.Header.Set("Accept", "application/json")
	q.SetBasicAuth(url.QueryEscape(v.o.ClientID), url.QueryEscape(v.o.ClientSecret)) // RFC 6749 2.3.1
	answer, err := v.client.Do(q)
	if err != nil {
		return temporary(ctx, err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return temporary(ctx, fmt.Errorf("it answers %s", answer.Status))
	}
	if err := json.NewDecoder(answer.Body).Decode(claims); err != nil {
		return temporary(ctx, err)
	}
	if active, _ := (*claims)["active"].(bool); !active {
		return fmt.Errorf("%w: the token is not active", auth.ErrRejected)
	}
	if end, ok := (*claims)["exp"].(float64); ok && time.Now().After(time.Unix(int64(end), 0)) {
		return fmt.Errorf("%w: the token has expired", auth.ErrRejected)
	}
	return nil
}
