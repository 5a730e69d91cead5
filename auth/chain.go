package auth

import (
	"context"
	"errors"
)

// Chain asks backends in order. The first one that accepts a login wins; one
// that rejects passes it on, so that a login with a wrong password in one may
// succeed in a later one; any other error ends the search with that error, as
// later backends must not decide for one that cannot tell. An empty chain
// rejects everybody.
func Chain(backends ...Backend) Backend { return chain(backends) }

type chain []Backend

func (c chain) Authenticate(ctx context.Context, r Request, password string) (*Identity, error) {
	return c.first(func(b Backend) (*Identity, error) { return b.Authenticate(ctx, r, password) })
}

func (c chain) Lookup(ctx context.Context, r Request) (*Identity, error) {
	return c.first(func(b Backend) (*Identity, error) { return b.Lookup(ctx, r) })
}

func (c chain) first(ask func(Backend) (*Identity, error)) (*Identity, error) {
	for _, backend := range c {
		if id, err := ask(backend); !errors.Is(err, ErrRejected) {
			return id, err
		}
	}
	return nil, ErrRejected
}
