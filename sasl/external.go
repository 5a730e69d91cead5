package sasl

import (
	"context"
	"unicode/utf8"
)

// External returns one exchange of EXTERNAL (RFC 4422 appendix A): who the client
// is was proved outside, by its TLS certificate. The response is the identity that
// it wants to act as, empty for its own; look gets it, and tells whether it may.
func External(look func(ctx context.Context, authorize string) error) Server {
	return &external{look: look}
}

type external struct {
	look  func(ctx context.Context, authorize string) error
	asked bool
}

func (e *external) Next(ctx context.Context, response []byte) ([]byte, bool, error) {
	if response == nil && !e.asked {
		e.asked = true
		return []byte{}, false, nil
	}
	if len(response) > maxName || !utf8.Valid(response) {
		return nil, false, ErrMalformed
	}
	for _, b := range response {
		if b == 0 {
			return nil, false, ErrMalformed
		}
	}
	if err := e.look(ctx, string(response)); err != nil {
		return nil, false, err
	}
	return nil, true, nil
}
