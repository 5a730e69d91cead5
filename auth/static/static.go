// Package static is an auth backend with accounts that are given when it is
// made: the account of a demonstration, or of a server for one person.
//
// It owns its list, which never changes. It knows no file.
package static

import (
	"context"
	"fmt"
	"maps"
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

var (
	_ auth.Backend      = (*Backend)(nil)
	_ auth.SecretLookup = (*Backend)(nil)
	_ auth.Enumerator   = (*Backend)(nil)
)

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

// SecretMechanisms implements auth.SecretLookup.
func (b *Backend) SecretMechanisms(every bool) []string {
	count := make(map[string]int)
	for _, a := range b.accounts {
		for _, name := range password.Mechanisms(a.Stored) {
			count[name]++
		}
	}
	maps.DeleteFunc(count, func(_ string, n int) bool { return every && n < len(b.accounts) })
	return slices.Sorted(maps.Keys(count))
}

// LookupSecret implements auth.SecretLookup.
func (b *Backend) LookupSecret(_ context.Context, r auth.Request, mechanism string) (*auth.Keys, error) {
	account := b.accounts[r.Login]
	clear, prepared, ok := password.ForMechanism(account.Stored, mechanism)
	if !ok {
		return nil, auth.ErrRejected
	}
	return &auth.Keys{Identity: account.identity(), Clear: auth.NewSecret(clear), Prepared: auth.NewSecret(prepared)}, nil
}

// Enumerate implements auth.Enumerator.
func (b *Backend) Enumerate(_ context.Context, yield func(*auth.Identity) error) error {
	for _, name := range slices.Sorted(maps.Keys(b.accounts)) {
		if err := yield(b.accounts[name].identity()); err != nil {
			return err
		}
	}
	return nil
}
