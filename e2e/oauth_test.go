package e2e_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/oauth2-proxy/mockoidc"
)

// TestAccessTokens: curl logs in with a token that an OpenID provider gave, in the form
// that it prefers, and in the older one; another user's token and an old one do not do.
func TestAccessTokens(t *testing.T) {
	provider, err := mockoidc.Run()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { provider.Shutdown() })
	for _, mechanism := range []string{"OAUTHBEARER", "XOAUTH2"} {
		t.Run(mechanism, func(t *testing.T) {
			s := startServer(t, "OAUTH_ISSUER="+provider.Issuer(), "OAUTH_AUDIENCE="+provider.ClientID, `AUTH_MECHANISMS="PLAIN `+mechanism+`"`)
			a, b := s.account(t), s.account(t)
			if err := a.deliver("INBOX", numbered("token", 1)); err != nil {
				t.Fatal(err)
			}
			fetch := func(user, token string) (string, error) {
				return tryClient(t, t.TempDir(), "curl", "-sS", "--cacert", filepath.Join(s.dir, "ca.pem"), "-u", user+":", "--oauth2-bearer", token,
					"imaps://localhost:"+s.tlsPort+"/INBOX;MAILINDEX=1;SECTION=HEADER")
			}
			token := tokenOf(t, provider, a.user)
			if got, err := fetch(a.user, token); err != nil || !strings.Contains(got, "Subject: ") {
				t.Errorf("got %q, %v\n%s", got, err, s.log)
			}
			if got, err := fetch(b.user, token); err == nil {
				t.Errorf("another user's token lets in: %q", got)
			}
			if got, err := fetch(a.user, token[:len(token)-8]+"AAAAAAAA"); err == nil {
				t.Errorf("a forged token lets in: %q", got)
			}
			if strings.Contains(s.log.String(), token) {
				t.Error("the log has the token")
			}
		})
	}
}

// tokenOf logs in at the provider, as a mail program's browser window does.
func tokenOf(t *testing.T, p *mockoidc.MockOIDC, user string) string {
	t.Helper()
	p.QueueUser(&mockoidc.MockUser{Subject: "1", Email: user, EmailVerified: true})
	browser := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	const done = "http://127.0.0.1/done"
	asked, err := browser.Get(p.AuthorizationEndpoint() + "?" + url.Values{"scope": {"openid email"}, "response_type": {"code"},
		"client_id": {p.ClientID}, "redirect_uri": {done}, "state": {"x"}}.Encode())
	if err != nil {
		t.Fatal(err)
	}
	asked.Body.Close()
	back, err := asked.Location()
	if err != nil {
		t.Fatal(err)
	}
	answer, err := browser.PostForm(p.TokenEndpoint(), url.Values{"grant_type": {"authorization_code"}, "code": {back.Query().Get("code")},
		"client_id": {p.ClientID}, "client_secret": {p.ClientSecret}, "redirect_uri": {done}})
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var got struct {
		Token string `json:"id_token"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&got); err != nil || got.Token == "" {
		t.Fatalf("the provider gives no token: %v", err)
	}
	return got.Token
}
