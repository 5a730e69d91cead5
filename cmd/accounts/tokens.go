package accounts

import (
	"fmt"
	"os"
	"strings"

	"postrider/auth"
	"postrider/auth/oauth"
	"postrider/config"
)

// tokens judges access tokens as the settings say, nil if none count.
func tokens(c *config.Config) (auth.TokenVerifier, error) {
	o := c.OAuth
	if o.Issuer == "" && o.Introspection == "" {
		return nil, nil
	}
	secret := ""
	if o.ClientSecretFile != "" {
		text, err := os.ReadFile(o.ClientSecretFile)
		if err != nil {
			return nil, fmt.Errorf("OAUTH_CLIENT_SECRETFILE: %w", err)
		}
		secret = strings.TrimSpace(string(text))
	}
	v, err := oauth.New(oauth.Options{
		Issuer: o.Issuer, Audience: o.Audience, Scope: o.Scope, Claim: o.Claim,
		Introspection: o.Introspection, ClientID: o.ClientID, ClientSecret: secret, CACert: o.CACert,
	})
	if err != nil {
		return nil, fmt.Errorf("settings of OAUTH_: %w", err)
	}
	return v, nil
}
