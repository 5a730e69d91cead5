package sasl

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/xdg-go/scram"
)

// Bindings are what ties an exchange to the TLS connection it runs over
// (RFC 5056), by type: "tls-exporter" (RFC 9266), "tls-server-end-point"
// (RFC 5929). Empty: there is none, or it is not offered.
type Bindings map[string][]byte

// SCRAMConfig is what one exchange of SCRAM needs.
type SCRAMConfig struct {
	Mechanism string // SCRAMSHA1 or SCRAMSHA256

	// Keys returns what is kept of an account's password. For an account that is not
	// known it returns keys that look like another's and match nothing: from the
	// exchange a stranger must not learn who exists. An error ends the exchange.
	Keys func(ctx context.Context, login string) (SCRAMKeys, error)

	// Proved is called with the outcome when the client's proof was held against the
	// keys; what it returns ends the exchange, nil with success.
	Proved func(ctx context.Context, login string, ok bool) error

	Bindings Bindings // those that are offered; none: the mechanism has no -PLUS form
	Bound    bool     // this is the -PLUS form: the client must bind
}

// SCRAM returns one exchange of SCRAM (RFC 5802, RFC 7677). With success comes the
// server's signature, by which the client knows that the server has the keys. An
// authorization identity is accepted as Plain does.
func SCRAM(c SCRAMConfig) Server { return &scramServer{SCRAMConfig: c} }

type scramServer struct {
	SCRAMConfig
	asked bool
	talk  *scram.ServerConversation
	login string
	other bool // the client wants to act for somebody else
	found error
}

func (s *scramServer) Next(ctx context.Context, response []byte) ([]byte, bool, error) {
	switch {
	case response == nil && !s.asked:
		s.asked = true
		return []byte{}, false, nil
	case len(response) > MaxResponse || !utf8.Valid(response) || bytes.IndexByte(response, 0) >= 0:
		return nil, false, ErrMalformed
	case s.talk == nil:
		return s.first(ctx, string(response))
	}
	return s.final(ctx, string(response))
}

// first takes
//
//	client-first-message = gs2-cbind-flag "," [authzid] "," "n=" saslname "," "r=" nonce
func (s *scramServer) first(ctx context.Context, message string) ([]byte, bool, error) {
	s.asked = true
	kind, bound := s.binding(message)
	if bound != s.Bound || strings.Count(message, ",") > 16 {
		return nil, false, ErrMalformed
	}
	hash := scram.SHA256
	if s.Mechanism == SCRAMSHA1 {
		hash = scram.SHA1
	}
	server, err := hash.NewServer(func(login string) (scram.StoredCredentials, error) {
		k, err := s.Keys(ctx, login)
		s.found = err
		return scram.StoredCredentials{
			KeyFactors: scram.KeyFactors{Salt: string(k.Salt), Iters: k.Iterations}, StoredKey: k.StoredKey, ServerKey: k.ServerKey,
		}, err
	})
	if err != nil {
		return nil, false, err
	}
	s.talk = server.NewConversationWithChannelBinding(scram.ChannelBinding{Type: scram.ChannelBindingType(kind), Data: s.Bindings[kind]})
	challenge, err := s.talk.Step(message)
	switch {
	case s.found != nil:
		return nil, false, s.found
	case err != nil || len(s.talk.Username()) > maxName:
		return nil, false, ErrMalformed
	}
	s.login = s.talk.Username()
	s.other = s.talk.AuthzID() != "" && s.talk.AuthzID() != s.login
	return []byte(challenge), false, nil
}

// binding is the type of channel binding that a client wants, or, where it wants
// none, one that is offered: a client that could bind and believes that it is not
// offered ("y") has been lied to by somebody in between (RFC 5802 section 6).
func (s *scramServer) binding(message string) (kind string, bound bool) {
	flag, _, _ := strings.Cut(message, ",")
	if kind, bound := strings.CutPrefix(flag, "p="); bound {
		return kind, len(s.Bindings[kind]) > 0
	}
	for kind := range s.Bindings {
		return kind, false
	}
	return "", false
}

// final takes the proof.
//
//	client-final-message = "c=" base64 "," "r=" nonce "," "p=" base64
func (s *scramServer) final(ctx context.Context, message string) ([]byte, bool, error) {
	signature, err := s.talk.Step(message)
	if err != nil && signature == "" {
		return nil, false, ErrMalformed // no message of the grammar
	}
	if proved := s.Proved(ctx, s.login, s.talk.Valid()); proved != nil {
		return nil, false, proved
	}
	if err != nil || !s.talk.Valid() {
		return nil, false, errors.New("SCRAM: accepted without a proof")
	}
	if s.other {
		return nil, false, ErrAuthorization
	}
	return []byte(signature), true, nil
}
