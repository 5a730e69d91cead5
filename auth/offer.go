package auth

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"

	"postrider/sasl"
)

// Offer is which mechanisms a server offers, and what their exchanges need. The
// zero value is not usable; nil offers PLAIN and LOGIN.
type Offer struct {
	names  []string // nil: what every account can use
	words  []string // of those that Courier knew, which to offer; nil: all
	plus   bool
	host   string
	secret []byte
	tokens TokenVerifier // nil: no token counts
	busy   chan struct{} // derivations of keys that run
}

// OfferOptions say what NewOffer makes.
type OfferOptions struct {
	// Names are the mechanisms to offer. One that proves a password without sending
	// it is offered if some account can use it. Empty: PLAIN, LOGIN, EXTERNAL, and
	// of the others those that every account can use, so that no client chooses one
	// with which its user cannot log in.
	Names []string
	// Courier are the mechanisms that the settings of a Courier-IMAP announced. Where Names
	// is empty they decide on PLAIN, LOGIN and the CRAM family, which are all that it knew
	// how to announce; a CRAM mechanism among them is offered if some account can use it.
	// Empty: they decide nothing.
	Courier []string
	// ChannelBinding offers the -PLUS forms of SCRAM on TLS connections.
	ChannelBinding bool
	Host           string // the server's name, in challenges
	// Secret makes the salts that are shown for accounts which have none or do not
	// exist; they stay the same as long as it does. Empty: a new one.
	Secret []byte
	// Tokens judges access tokens; nil: none count.
	Tokens TokenVerifier
}

// NewOffer returns an offer.
func NewOffer(o OfferOptions) *Offer {
	if len(o.Secret) == 0 {
		o.Secret = make([]byte, 32)
		_, _ = rand.Read(o.Secret) // never fails
	}
	return &Offer{names: slices.Clone(o.Names), words: slices.Clone(o.Courier), plus: o.ChannelBinding, host: o.Host, secret: slices.Clone(o.Secret), tokens: o.Tokens,
		busy: make(chan struct{}, runtime.GOMAXPROCS(0))}
}

// BeyondIMAP is a backend as other protocols have it: what a Courier-IMAP announced
// (OfferOptions.Courier) decides nothing there.
func BeyondIMAP(b Backend) Backend {
	if g, ok := b.(Guard); ok && g.Offer != nil {
		o := *g.Offer
		o.words = nil
		g.Offer = &o
		return g
	}
	return b
}

// offerOf is what the guard before a backend wants.
func offerOf(b Backend) *Offer {
	if g, ok := b.(Guard); ok {
		return g.Offer
	}
	return nil
}

func (o *Offer) wants(name string) bool {
	if o == nil {
		return name == "PLAIN" || name == "LOGIN"
	}
	if len(o.names) == 0 && len(o.words) > 0 && (name == "PLAIN" || name == "LOGIN" || slices.Contains(sasl.CRAMMechanisms(), name)) {
		return slices.Contains(o.words, name)
	}
	return len(o.names) == 0 || slices.Contains(o.names, name)
}

// every tells whether only what all accounts can use is offered.
func (o *Offer) every() bool { return len(o.names) == 0 }

// external is EXTERNAL where the client's certificate has told who it is.
func (o *Offer) external(b Backend, r Request) []Mechanism {
	if o == nil || r.External == "" {
		return nil
	}
	return []Mechanism{{Name: "EXTERNAL", Start: func(r Request, accepted func(*Identity)) sasl.Server {
		return sasl.External(func(ctx context.Context, authorize string) error {
			r.Login = r.External
			id, err := b.Lookup(ctx, r)
			if err != nil {
				return err
			}
			if authorize != "" && authorize != r.External && authorize != id.Login {
				return sasl.ErrAuthorization
			}
			accepted(id)
			return nil
		})
	}}}
}

// cram is the CRAM family.
func (o *Offer) cram(b Backend, _ Request) []Mechanism {
	if o == nil {
		return nil
	}
	able := handOn{b}.ChallengeMechanisms(o.every() && len(o.words) == 0)
	var all []Mechanism
	for _, name := range among(sasl.CRAMMechanisms(), able) {
		all = append(all, Mechanism{Name: name, Start: func(r Request, accepted func(*Identity)) sasl.Server {
			return sasl.CRAM(sasl.NewChallenge(o.host), func(ctx context.Context, login, challenge, response string) error {
				r.Login = login
				id, err := handOn{b}.VerifyChallenge(ctx, r, name, challenge, response)
				if err != nil {
					return err
				}
				accepted(id)
				return nil
			})
		}})
	}
	return all
}

// scram is the SCRAM family, the forms that bind first.
func (o *Offer) scram(b Backend, r Request) []Mechanism {
	if o == nil {
		return nil
	}
	able := handOn{b}.SecretMechanisms(o.every())
	var plus, plain []Mechanism
	for _, name := range among(sasl.SCRAMMechanisms(), able) {
		plain = append(plain, Mechanism{Name: name, Start: o.startSCRAM(b, name, false)})
		if o.plus && len(r.Bindings) > 0 {
			plus = append(plus, Mechanism{Name: name + "-PLUS", Start: o.startSCRAM(b, name, true)})
		}
	}
	return append(plus, plain...)
}

func (o *Offer) startSCRAM(b Backend, name string, bound bool) func(Request, func(*Identity)) sasl.Server {
	return func(r Request, accepted func(*Identity)) sasl.Server {
		x := &scramExchange{offer: o, backend: handOn{b}, name: name, r: r, accepted: accepted}
		c := sasl.SCRAMConfig{Mechanism: name, Keys: x.keys, Proved: x.proved, Bound: bound}
		if o.plus && (bound || o.wants(name+"-PLUS")) {
			c.Bindings = r.Bindings
		}
		return sasl.SCRAM(c)
	}
}

// scramExchange is one exchange as far as the accounts know it.
type scramExchange struct {
	offer    *Offer
	backend  handOn
	name     string
	r        Request
	accepted func(*Identity)
	id       *Identity // nil: nobody
}

// keys are an account's, or for an unknown one some that look like them. Every way
// derives keys once, so that none can be told by its time.
func (x *scramExchange) keys(ctx context.Context, login string) (sasl.SCRAMKeys, error) {
	x.r.Login = login
	found, err := x.backend.LookupSecret(ctx, x.r, x.name)
	if err != nil && !errors.Is(err, ErrRejected) {
		return sasl.SCRAMKeys{}, err
	}
	password := ""
	if err == nil {
		x.id, password = found.Identity, found.Clear.Reveal()
	}
	made, err := x.offer.derive(ctx, x.name, login, password)
	if err != nil || found == nil || found.Prepared.IsZero() {
		return made, err
	}
	mechanism, keys, err := sasl.ParseSCRAM(found.Prepared.Reveal())
	if err != nil || mechanism != x.name {
		return sasl.SCRAMKeys{}, fmt.Errorf("%w: account %q: %w", ErrTemporary, login, sasl.ErrSCRAMKeys)
	}
	return keys, nil
}

// proved judges when it is the attempt's time.
func (x *scramExchange) proved(ctx context.Context, login string, ok bool) error {
	x.r.Login = login
	// What was tried cannot be known, so that each wrong proof counts as a new one.
	return x.backend.Attempt(ctx, x.r, rand.Text(), func() error {
		if !ok || x.id == nil {
			return ErrRejected
		}
		if a, able := x.backend.Backend.(admitter); able {
			if err := a.Admit(x.id, x.r); err != nil {
				return err
			}
		}
		x.accepted(x.id)
		return nil
	})
}

// admitter has rules for accounts whose password was proved (Guard).
type admitter interface {
	Admit(id *Identity, r Request) error
}

// derive makes keys with the salt that a login has here; without a password, keys
// that nothing matches.
func (o *Offer) derive(ctx context.Context, mechanism, login, password string) (sasl.SCRAMKeys, error) {
	select {
	case o.busy <- struct{}{}:
		defer func() { <-o.busy }()
	case <-ctx.Done():
		return sasl.SCRAMKeys{}, ctx.Err()
	}
	mac := func(use string) []byte {
		m := hmac.New(sha256.New, o.secret)
		m.Write([]byte(strings.Join([]string{use, mechanism, login}, "\x00")))
		return m.Sum(nil)
	}
	if password == "" {
		password = string(mac("nobody"))
	}
	return sasl.DeriveSCRAM(mechanism, password, mac("salt")[:16], sasl.SCRAMIterations)
}
