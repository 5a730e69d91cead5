package auth

import (
	"context"
	"errors"
)

// What follows a backend may be able to do beside Backend. Chain and Guard have
// all of it and hand it on; where no backend behind them can, they return
// errors.ErrUnsupported.

// Enumerator is a backend that can list its accounts.
type Enumerator interface {
	// Enumerate calls yield with each account, in no particular order, until
	// yield or the source fails, and returns that error. yield owns the identity.
	// It carries no password.
	Enumerate(ctx context.Context, yield func(*Identity) error) error
}

// PasswordChanger is a backend that can change a password.
type PasswordChanger interface {
	// ChangePassword sets a new password for an account whose old one is right.
	// ErrRejected: it is not, or the account is not known. The new password is in
	// force when it returns nil. The stored form is never weaker than the old one
	// was. A new password that the form cannot hold is ErrBadPassword.
	ChangePassword(ctx context.Context, r Request, old, new string) error
}

// ErrBadPassword says that a new password is not acceptable.
var ErrBadPassword = errors.New("the new password is not acceptable")

// SecretLookup is a backend that keeps what mechanisms need which prove a
// password without sending it: the password in clear, or what was prepared
// from it.
type SecretLookup interface {
	// SecretMechanisms names the mechanisms ("CRAM-MD5", "SCRAM-SHA-256", ...) for
	// which every account has what is needed, or, with every false, some account
	// has. It may change as accounts do.
	SecretMechanisms(every bool) []string

	// LookupSecret returns what is kept of an account for a mechanism. An account
	// that is not known or has nothing for it is ErrRejected.
	LookupSecret(ctx context.Context, r Request, mechanism string) (*Keys, error)
}

// Keys are what a backend keeps of one account for one mechanism. One of Clear
// and Prepared is set.
type Keys struct {
	Identity *Identity // owned by the caller
	Clear    Secret    // the password

	// Prepared is what was made of the password. For CRAM the two hash states in
	// hexadecimal that Courier's userdbpw -hmac-* prints; for SCRAM the text of
	// RFC 5803, "SCRAM-SHA-256$ITERATIONS:SALT$STOREDKEY:SERVERKEY" (see package
	// sasl).
	Prepared Secret
}

// ChallengeVerifier is a backend that judges the exchange of a CRAM mechanism
// itself, giving no secret away: another program that is asked.
type ChallengeVerifier interface {
	// ChallengeMechanisms names the mechanisms that every account can use, as far as
	// is known, or, with every false, some account may.
	ChallengeMechanisms(every bool) []string

	// VerifyChallenge checks response, "LOGIN DIGEST" as the client sent it,
	// against challenge. r's Login is the response's. Errors are those of
	// Authenticate.
	VerifyChallenge(ctx context.Context, r Request, mechanism, challenge, response string) (*Identity, error)
}
