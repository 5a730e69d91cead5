// Package static is an auth backend with accounts that are given when it is
// made: the account of a demonstration, or of a server for one person.
//
// It owns its list, which never changes.
package static

import (
	"context"

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
}

var _ auth.Backend = (*Backend)(nil)

// New returns a backend with these accounts. Of several with one Login the
// last counts.
func New(verifier *password.Verifier, accounts ...Account) *Backend {
	b := &Backend{verifier: verifier, accounts: make(map[string]Account, len(accounts))}
	for _, a := range accounts {
		b.accounts[a.Login] = a
	}
	return b
}

// Authenticate implements auth.Backend.
func (b *Backend) Authenticate(ctx context.Context, r auth.Request, pass string) (*auth.Identity, error) {
	return nil, auth.ErrTemporary
}

// Lookup implements auth.Backend.
func (b *Backend) Lookup(ctx context.Context, r auth.Request) (*auth.Identity, error) {
	return nil, auth.ErrTemporary
}
