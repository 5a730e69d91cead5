package auth

import (
	"context"
	"slices"

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

// Mechanisms returns the mechanisms that b can serve to a client of which nothing
// is known, the best first.
func Mechanisms(b Backend) []Mechanism { return MechanismsFor(b, Request{}) }

// MechanismsFor returns the mechanisms that b can serve on the connection of r, the
// best first: those that its Offer wants and its accounts have what is needed for.
func MechanismsFor(b Backend, r Request) []Mechanism {
	if s, ok := b.(MechanismSource); ok {
		return s.Mechanisms(r)
	}
	offer := offerOf(b)
	var all []Mechanism
	for _, build := range []func(Backend, Request) []Mechanism{offer.external, offer.bearer, offer.scram, offer.cram} {
		all = append(all, build(b, r)...)
	}
	all = append(all,
		Mechanism{Name: "PLAIN", Clear: true, Start: byPassword(b, sasl.Plain)},
		Mechanism{Name: "LOGIN", Clear: true, Start: byPassword(b, sasl.Login)})
	return slices.DeleteFunc(all, func(m Mechanism) bool { return !offer.wants(m.Name) })
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
