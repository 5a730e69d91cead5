package auth

import (
	"context"

	"postrider/sasl"
)

// Mechanism is a SASL mechanism that a backend can serve.
type Mechanism struct {
	Name  string // as registered, upper case: "PLAIN"
	Clear bool   // the password crosses the wire as it is: wants TLS

	// Start begins one exchange. r's Login is ignored. When the exchange is
	// done, accepted has been called once with whom it proved.
	Start func(r Request, accepted func(*Identity)) sasl.Server
}

// Mechanisms returns the mechanisms that b can serve, the best first.
func Mechanisms(b Backend) []Mechanism {
	if s, ok := b.(MechanismSource); ok {
		return s.Mechanisms(Request{})
	}
	return []Mechanism{
		{Name: "PLAIN", Clear: true, Start: byPassword(b, sasl.Plain)},
		{Name: "LOGIN", Clear: true, Start: byPassword(b, sasl.Login)},
	}
}

func byPassword(b Backend, mechanism func(sasl.Verify) sasl.Server) func(Request, func(*Identity)) sasl.Server {
	return func(r Request, accepted func(*Identity)) sasl.Server {
		return mechanism(func(ctx context.Context, login, password string) error {
			r.Login = login
			id, err := b.Authenticate(ctx, r, password)
			if err != nil {
				return err
			}
			accepted(id)
			return nil
		})
	}
}
