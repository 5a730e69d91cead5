package password

import (
	"context"
	"errors"
)

// ErrUnsupported says that a stored password has a form that is unknown or
// malformed, or that it asks for more work or memory than is allowed.
var ErrUnsupported = errors.New("unsupported stored password")

// Verifier checks passwords, a bounded number at once. It is safe for
// concurrent use. The zero value is not usable.
type Verifier struct {
}

// NewVerifier returns a Verifier that computes at most workers hashes at once
// (0: one per CPU) within a common budget of 256 MiB.
func NewVerifier(workers int) *Verifier { return &Verifier{} }

// Verify reports whether password is the one that stored was made from. It
// waits for its turn until ctx ends. An error is ErrUnsupported or the
// context's.
func (v *Verifier) Verify(ctx context.Context, stored, password string) (bool, error) {
	return false, ErrUnsupported
}

// Waste does the work of verifying password against like and ignores the
// result: what an unknown account costs. like is a stored password of the kind
// that the accounts have; if it is empty or not supported, a usual one is taken.
func (v *Verifier) Waste(ctx context.Context, like, password string) error {
	return ctx.Err()
}
