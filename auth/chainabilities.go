package auth

import (
	"context"
	"errors"
	"slices"
)

// Enumerate implements Enumerator: every backend that can lists its accounts, in
// order. One login may come twice, where a later backend knows it too.
func (c chain) Enumerate(ctx context.Context, yield func(*Identity) error) error {
	result := unsupported("listing accounts")
	for _, backend := range c {
		switch err := (handOn{backend}).Enumerate(ctx, yield); {
		case err == nil:
			result = nil
		case !errors.Is(err, errors.ErrUnsupported):
			return err
		}
	}
	return result
}

// ChangePassword implements PasswordChanger: the first backend that accepts the
// old password changes it. One that cannot tell ends the search.
func (c chain) ChangePassword(ctx context.Context, r Request, old, new string) error {
	result := unsupported("changing a password")
	for _, backend := range c {
		switch err := (handOn{backend}).ChangePassword(ctx, r, old, new); {
		case errors.Is(err, ErrRejected):
			result = ErrRejected
		case !errors.Is(err, errors.ErrUnsupported):
			return err
		}
	}
	return result
}

// SecretMechanisms implements SecretLookup.
func (c chain) SecretMechanisms(every bool) []string {
	return c.mechanisms(every, func(b Backend) []string { return handOn{b}.SecretMechanisms(every) })
}

// ChallengeMechanisms implements ChallengeVerifier, for backends of both kinds.
func (c chain) ChallengeMechanisms(every bool) []string {
	return c.mechanisms(every, func(b Backend) []string { return handOn{b}.ChallengeMechanisms(every) })
}

// mechanisms is what all backends name, or any of them.
func (c chain) mechanisms(every bool, ask func(Backend) []string) []string {
	var all []string
	for i, backend := range c {
		own := ask(backend)
		if every && i > 0 {
			all = slices.DeleteFunc(all, func(name string) bool { return !slices.Contains(own, name) })
			continue
		}
		for _, name := range own {
			if !slices.Contains(all, name) {
				all = append(all, name)
			}
		}
	}
	return all
}

// LookupSecret implements SecretLookup: the first backend that has keys for the
// mechanism gives them.
func (c chain) LookupSecret(ctx context.Context, r Request, mechanism string) (*Keys, error) {
	for _, backend := range c {
		if keys, err := (handOn{backend}).LookupSecret(ctx, r, mechanism); !errors.Is(err, ErrRejected) {
			return keys, err
		}
	}
	return nil, ErrRejected
}

// VerifyChallenge implements ChallengeVerifier.
func (c chain) VerifyChallenge(ctx context.Context, r Request, mechanism, challenge, response string) (*Identity, error) {
	return c.first(func(b Backend) (*Identity, error) {
		return handOn{b}.VerifyChallenge(ctx, r, mechanism, challenge, response)
	})
}
