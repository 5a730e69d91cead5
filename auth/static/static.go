// Package static is an auth backend with accounts that are given when it is
// made: the account of a demonstration, or of a server for one person.
//
// It owns its list, which never changes. It knows no file.
package static

import (
	"context"
	"fmt"
	"slices"

	"postrider/auth"
	"postrider/auth/password"
)

// Account is one account: who it is, and its stored password in any form that
// auth/password knows ("{PLAIN}secret", "$6$...").
type Account struct {
	auth.Identity        // Login must be set
	Stored        string // required
}

// Backend is a fixed list of accounts. It implements auth.Backend.
type Backend struct {
	verifier *password.Verifier
	accounts map[string]Account
	like     string // what a check for an unknown login is like
}

var _ auth.Backend = (*Backend)(nil)

// New returns a backend with these accounts. Of several with one Login the
// last counts.
func New(verifier *password.Verifier, accounts ...Account) *Backend {
	b := &Backend{verifier: verifier, accounts: make(map[string]Account, len(accounts))}
	for _, a := range accounts {
		b.accounts[a.Login], b.like = a, a.Stored
	}
	return b
}

// Authenticate implements auth.Backend.
func (b *Backend) Authenticate(ctx context.Context, r auth.Request, pass string) (*auth.Identity, error) {
	account, found := b.accounts[r.Login]
	if !found || pass == "" {
		if err := b.verifier.Waste(ctx, b.like, pass); err != nil {
			return nil, err
		}
		return nil, auth.ErrRejected
	}
	switch ok, err := b.verifier.Verify(ctx, account.Stored, pass); {
	case err != nil:
		return nil, fmt.Errorf("account %q: %w", r.Login, err)
	case !ok:
		return nil, auth.ErrRejected
	}
	return account.identity(), nil
}

// Lookup implements auth.Backend.
func (b *Backend) Lookup(_ context.Context, r auth.Request) (*auth.Identity, error) {
	account, found := b.accounts[r.Login]
	if !found {
		return nil, auth.ErrRejected
	}
	return account.identity(), nil
}

// identity is a copy for a caller to own.
func (a Account) identity() *auth.Identity {
	id := a.Identity
	id.Options = slices.Clone(id.Options)
	return &id
}
