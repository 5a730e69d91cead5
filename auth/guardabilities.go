package auth

import (
	"context"
	"errors"
)

// Enumerate implements Enumerator, with DefaultOptions merged. What keeps an
// account from a session does not keep it from the list.
func (g Guard) Enumerate(ctx context.Context, yield func(*Identity) error) error {
	err := handOn{g.Backend}.Enumerate(ctx, func(id *Identity) error {
		id.Options = id.Options.Merge(g.DefaultOptions)
		return yield(id)
	})
	if err == nil || errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	return outcome(err)
}

// ChangePassword implements PasswordChanger.
func (g Guard) ChangePassword(ctx context.Context, r Request, old, new string) error {
	if !acceptable(r.Login, MaxLogin) || !acceptable(old, MaxPassword) {
		return ErrRejected
	}
	if !acceptable(new, MaxPassword) {
		return ErrBadPassword
	}
	r.Login = g.canonical(r.Login)
	err := handOn{g.Backend}.ChangePassword(ctx, r, old, new)
	if err == nil || errors.Is(err, errors.ErrUnsupported) || errors.Is(err, ErrBadPassword) {
		return err
	}
	return outcome(err)
}

// SecretMechanisms implements SecretLookup.
func (g Guard) SecretMechanisms(every bool) []string {
	return handOn{g.Backend}.SecretMechanisms(every)
}

// LookupSecret implements SecretLookup. What keeps an account from a session is
// told when the exchange has proved the password (Admit).
func (g Guard) LookupSecret(ctx context.Context, r Request, mechanism string) (*Keys, error) {
	if !acceptable(r.Login, MaxLogin) {
		return nil, ErrRejected
	}
	r.Login = g.canonical(r.Login)
	keys, err := handOn{g.Backend}.LookupSecret(ctx, r, mechanism)
	if err != nil {
		return nil, outcome(err)
	}
	keys.Identity.Options = keys.Identity.Options.Merge(g.DefaultOptions)
	return keys, nil
}

// ChallengeMechanisms implements ChallengeVerifier.
func (g Guard) ChallengeMechanisms(every bool) []string {
	return handOn{g.Backend}.ChallengeMechanisms(every)
}

// VerifyChallenge implements ChallengeVerifier.
func (g Guard) VerifyChallenge(ctx context.Context, r Request, mechanism, challenge, response string) (*Identity, error) {
	return g.ask(r, func(r Request) (*Identity, error) {
		return handOn{g.Backend}.VerifyChallenge(ctx, r, mechanism, challenge, response)
	})
}

// Attempt hands an attempt to the brake behind, if there is one.
func (g Guard) Attempt(ctx context.Context, r Request, secret string, try func() error) error {
	r.Login = g.canonical(r.Login)
	return handOn{g.Backend}.Attempt(ctx, r, secret, try)
}

// Admit applies the rules to an account whose password was proved with what
// LookupSecret gave.
func (g Guard) Admit(id *Identity, r Request) error { return admit(id, r) }
