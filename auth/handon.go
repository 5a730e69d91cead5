package auth

import (
	"context"
	"errors"
	"fmt"

	"postrider/sasl"
)

// handOn is a backend with all that a backend may be able to do: it passes it to
// the one behind, as far as that can. Wrappers embed it and override what they
// change.
type handOn struct{ Backend }

func unsupported(doing string) error { return fmt.Errorf("%s: %w", doing, errors.ErrUnsupported) }

// Enumerate implements Enumerator.
func (h handOn) Enumerate(ctx context.Context, yield func(*Identity) error) error {
	if e, ok := h.Backend.(Enumerator); ok {
		return e.Enumerate(ctx, yield)
	}
	return unsupported("listing accounts")
}

// ChangePassword implements PasswordChanger.
func (h handOn) ChangePassword(ctx context.Context, r Request, old, new string) error {
	if p, ok := h.Backend.(PasswordChanger); ok {
		return p.ChangePassword(ctx, r, old, new)
	}
	return unsupported("changing a password")
}

// SecretMechanisms implements SecretLookup.
func (h handOn) SecretMechanisms(every bool) []string {
	if s, ok := h.Backend.(SecretLookup); ok {
		return s.SecretMechanisms(every)
	}
	return nil
}

// LookupSecret implements SecretLookup.
func (h handOn) LookupSecret(ctx context.Context, r Request, mechanism string) (*Keys, error) {
	if s, ok := h.Backend.(SecretLookup); ok {
		return s.LookupSecret(ctx, r, mechanism)
	}
	return nil, ErrRejected
}

// ChallengeMechanisms implements ChallengeVerifier: those of the backend, or those
// of the CRAM family for which it keeps secrets.
func (h handOn) ChallengeMechanisms(every bool) []string {
	if v, ok := h.Backend.(ChallengeVerifier); ok {
		return v.ChallengeMechanisms(every)
	}
	return among(h.SecretMechanisms(every), sasl.CRAMMechanisms())
}

// VerifyChallenge implements ChallengeVerifier, by the backend itself or with the
// secrets that it gives.
func (h handOn) VerifyChallenge(ctx context.Context, r Request, mechanism, challenge, response string) (*Identity, error) {
	if v, ok := h.Backend.(ChallengeVerifier); ok {
		return v.VerifyChallenge(ctx, r, mechanism, challenge, response)
	}
	_, digest, err := sasl.ParseCRAM([]byte(response))
	if err != nil {
		return nil, ErrRejected
	}
	keys, err := h.LookupSecret(ctx, r, mechanism)
	switch {
	case errors.Is(err, ErrRejected):
		// The work of a known account, so that time does not tell it from this one.
		sasl.CheckCRAMPassword(mechanism, r.Login, challenge, digest)
		return nil, ErrRejected
	case err != nil:
		return nil, err
	}
	ok := false
	if keys.Prepared.IsZero() {
		ok = sasl.CheckCRAMPassword(mechanism, keys.Clear.Reveal(), challenge, digest)
	} else if ok, err = sasl.CheckCRAM(mechanism, keys.Prepared.Reveal(), challenge, digest); err != nil {
		return nil, fmt.Errorf("%w: account %q: %w", ErrTemporary, r.Login, err)
	}
	if !ok {
		return nil, ErrRejected
	}
	return keys.Identity, nil
}

// among is the words of list that are in of.
func among(list, of []string) []string {
	var out []string
	for _, name := range list {
		for _, known := range of {
			if name == known {
				out = append(out, name)
			}
		}
	}
	return out
}

// Attempt runs one attempt to prove a password, as a brake wants it (Brake). secret
// is what was tried.
func (h handOn) Attempt(ctx context.Context, r Request, secret string, try func() error) error {
	if b, ok := h.Backend.(attempter); ok {
		return b.Attempt(ctx, r, secret, try)
	}
	return try()
}

// attempter is a wrapper that judges when an attempt may be made.
type attempter interface {
	Attempt(ctx context.Context, r Request, secret string, try func() error) error
}
