package oauth_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/oauth2-proxy/mockoidc"

	"postrider/auth"
	"postrider/auth/oauth"
)

// provider is an OpenID provider that runs on this machine.
type provider struct {
	*mockoidc.MockOIDC
	t *testing.T
}

func newProvider(t *testing.T) *provider {
	t.Helper()
	m, err := mockoidc.Run()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Shutdown() })
	return &provider{m, t}
}

// token goes through a login at the provider, as a mail program's browser window does.
func (p *provider) token(user *mockoidc.MockUser, kind string) string {
	p.t.Helper()
	p.QueueUser(user)
	c := p.Config()
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	asked, err := client.Get(p.AuthorizationEndpoint() + "?" + url.Values{"scope": {"openid email profile"}, "response_type": {"code"}, "client_id": {c.ClientID},
		"redirect_uri": {"http://127.0.0.1/done"}, "state": {"x"}, "nonce": {"y"}}.Encode())
	if err != nil {
		p.t.Fatal(err)
	}
	asked.Body.Close()
	back, err := asked.Location()
	if err != nil {
		p.t.Fatal(err)
	}
	answer, err := client.PostForm(p.TokenEndpoint(), url.Values{"grant_type": {"authorization_code"}, "code": {back.Query().Get("code")},
		"client_id": {c.ClientID}, "client_secret": {c.ClientSecret}, "redirect_uri": {"http://127.0.0.1/done"}})
	if err != nil {
		p.t.Fatal(err)
	}
	defer answer.Body.Close()
	var got map[string]any
	if err := json.NewDecoder(answer.Body).Decode(&got); err != nil {
		p.t.Fatal(err)
	}
	token, ok := got[kind].(string)
	if !ok {
		p.t.Fatalf("the provider answers %v", got)
	}
	return token
}

func jane() *mockoidc.MockUser {
	return &mockoidc.MockUser{Subject: "jane", Email: "jane@example.com", EmailVerified: true}
}

func verifier(t *testing.T, o oauth.Options) *oauth.Verifier {
	t.Helper()
	v, err := oauth.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func want(t *testing.T, v *oauth.Verifier, token, login string, outcome error) {
	t.Helper()
	got, err := v.VerifyToken(t.Context(), token)
	if got != login || !errors.Is(err, outcome) {
		t.Errorf("got %q, %v; want %q, %v", got, err, login, outcome)
	}
}

func TestSignedTokens(t *testing.T) {
	p := newProvider(t)
	o := oauth.Options{Issuer: p.Issuer(), Audience: []string{"another", p.Config().ClientID}}
	v := verifier(t, o)
	token := p.token(jane(), "id_token")
	want(t, v, token, "jane@example.com", nil)
	o.Claim = "sub"
	bySubject := verifier(t, o)
	want(t, bySubject, p.token(jane(), "access_token"), "jane", nil)

	want(t, v, p.token(jane(), "access_token"), "", auth.ErrRejected) // it has no address
	o.Audience = []string{"another"}
	want(t, verifier(t, o), token, "", auth.ErrRejected)
	head, rest, _ := strings.Cut(token, ".")
	body, signature, _ := strings.Cut(rest, ".")
	for _, forged := range []string{head + "." + body + ".", head + "." + body + "." + signature[:len(signature)-8] + "AAAAAAAA", "eyJhbGciOiJub25lIn0." + body + ".", "..", "a.b.c", "opaque"} {
		want(t, v, forged, "", auth.ErrRejected)
	}
	stranger := newProvider(t)
	stranger.ClientID = p.ClientID
	want(t, v, stranger.token(jane(), "id_token"), "", auth.ErrRejected)

	old := p.token(jane(), "id_token")
	p.Keypair = another(t)
	want(t, v, p.token(jane(), "id_token"), "jane@example.com", nil) // the keys are asked for again
	want(t, v, old, "", auth.ErrRejected)
	p.FastForward(-2 * time.Hour)
	want(t, v, p.token(jane(), "id_token"), "", auth.ErrRejected)
}

func another(t *testing.T) *mockoidc.Keypair {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := mockoidc.NewKeypair(key)
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

// A provider that is away is a temporary failure, before and after its keys are known.
func TestProviderIsAway(t *testing.T) {
	p := newProvider(t)
	token := p.token(jane(), "id_token")
	known := verifier(t, oauth.Options{Issuer: p.Issuer(), Audience: []string{p.Config().ClientID}})
	want(t, known, token, "jane@example.com", nil)
	p.Keypair = another(t)
	unknown := p.token(jane(), "id_token")
	if err := p.Shutdown(); err != nil {
		t.Fatal(err)
	}
	want(t, known, token, "jane@example.com", nil)
	want(t, known, unknown, "", auth.ErrTemporary)
	never := verifier(t, oauth.Options{Issuer: p.Issuer(), Audience: []string{"x"}})
	want(t, never, token, "", auth.ErrTemporary)
	want(t, never, token, "", auth.ErrTemporary)
}

func TestIntrospection(t *testing.T) {
	var answer string
	var status int
	asked := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, secret, ok := r.BasicAuth()
		if !ok || id != "imap%3Ax" || secret != "word" || r.FormValue("token") != "opaque" {
			t.Errorf("asked as %q with %q about %q", id, secret, r.FormValue("token"))
		}
		w.WriteHeader(status)
		fmt.Fprint(w, answer)
	}))
	defer asked.Close()
	v := verifier(t, oauth.Options{Introspection: asked.URL, ClientID: "imap:x", ClientSecret: "word", Scope: "mail read", Claim: "username"})
	for text, c := range map[string]struct {
		login   string
		outcome error
	}{
		`{"active":true,"username":"jane","scope":"openid read mail"}`: {"jane", nil},
		`{"active":true,"username":"jane","scope":"mail"}`:             {"", auth.ErrRejected},
		`{"active":false}`: {"", auth.ErrRejected},
		`{"active":"true","username":"jane","scope":"mail read"}`:          {"", auth.ErrRejected},
		`{"active":true,"username":"jane","scope":"mail read","exp":1000}`: {"", auth.ErrRejected},
		`{"active":true,"scope":"mail read"}`:                              {"", auth.ErrRejected},
		`<html>`:                                                           {"", auth.ErrTemporary},
		`{"active":true,"x":"` + strings.Repeat("x", 1<<20) + `"}`:         {"", auth.ErrTemporary},
	} {
		status, answer = http.StatusOK, text
		got, err := v.VerifyToken(t.Context(), "opaque")
		if got != c.login || !errors.Is(err, c.outcome) {
			t.Errorf("%.80s: got %q, %v", text, got, err)
		}
	}
	byAddress := verifier(t, oauth.Options{Introspection: asked.URL, ClientID: "imap:x", ClientSecret: "word", Scope: "mail"})
	for text, login := range map[string]string{"": "jane@example.com", `"email_verified":true,`: "jane@example.com", `"email_verified":false,`: ""} {
		answer = `{"active":true,"scope":"mail",` + text + `"email":"jane@example.com"}`
		if got, _ := byAddress.VerifyToken(t.Context(), "opaque"); got != login {
			t.Errorf("%s: got %q", text, got)
		}
	}
	status = http.StatusInternalServerError
	want(t, v, "opaque", "", auth.ErrTemporary)
	asked.Close()
	want(t, v, "opaque", "", auth.ErrTemporary)
}

// What would let in tokens of others is refused.
func TestOptions(t *testing.T) {
	for name, o := range map[string]oauth.Options{
		"nothing":           {},
		"no audience":       {Issuer: "https://x"},
		"no client":         {Introspection: "https://x", Scope: "mail"},
		"neither":           {Introspection: "https://x", ClientID: "x"},
		"in clear":          {Issuer: "http://provider.example", Audience: []string{"x"}},
		"no such authority": {Issuer: "https://x", Audience: []string{"x"}, CACert: "/nowhere"},
	} {
		if _, err := oauth.New(o); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}
