package auth

import (
	"context"

	"postrider/sasl"
)

// TokenVerifier tells whose access token it is.
type TokenVerifier interface {
	// VerifyToken returns the login that a token is good for. Errors are those of
	// Backend: ErrRejected for a token that does not count.
	VerifyToken(ctx context.Context, token string) (login string, err error)
	// Refusal is what a client is told whose token does not count: the JSON text of
	// RFC 7628 3.2.2.
	Refusal() []byte
}

// bearer is the mechanisms that take a token: the account is the backend's, the token
// stands for its password.
func (o *Offer) bearer(b Backend, _ Request) []Mechanism {
	if o == nil || o.tokens == nil {
		return nil
	}
	start := func(mechanism func(sasl.CheckToken, []byte) sasl.Server) func(Request, func(*Identity)) sasl.Server {
		return func(r Request, accepted func(*Identity)) sasl.Server {
			return mechanism(func(ctx context.Context, login, token string) error {
				id, err := o.bearerOf(ctx, b, r, login, token)
				if err != nil {
					return err
				}
				accepted(id)
				return nil
			}, o.tokens.Refusal())
		}
	}
	return []Mechanism{
		{Name: "OAUTHBEARER", Clear: true, Start: start(sasl.OAuthBearer)},
		{Name: "XOAUTH2", Clear: true, Start: start(sasl.XOAuth2)},
	}
}

// bearerOf is the account of a token. Who names another than the token's is refused.
func (o *Offer) bearerOf(ctx context.Context, b Backend, r Request, login, token string) (*Identity, error) {
	var id *Identity
	r.Login = login
	err := handOn{b}.Attempt(ctx, r, token, func() error {
		whose, err := o.tokens.VerifyToken(ctx, token)
		if err != nil {
			return err
		}
		r.Login = whose
		if id, err = b.Lookup(ctx, r); err != nil {
			return err
		}
		if login != "" && login != whose && login != id.Login {
			return sasl.ErrAuthorization
		}
		return nil
	})
	return id, err
}
