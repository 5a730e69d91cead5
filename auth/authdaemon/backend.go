package authdaemon

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"postrider/auth"
	"postrider/sasl"
)

// Backend asks the authdaemond behind a socket. It implements auth.Backend, and what
// the protocol has beside: listing accounts, changing passwords, judging challenges.
//
// A daemon that is not there, does not answer in time, or answers with nothing is a
// temporary failure. What the protocol cannot carry, such as a login with a line feed
// in it, is rejected without being asked for.
type Backend struct{ caller asker }

// asker carries requests to who answers them: a socket, or a program.
type asker interface {
	// call returns the whole answer to a request, "" if there is none.
	call(ctx context.Context, r auth.Request, request string) (string, error)
	// stream has an answer read line by line.
	stream(ctx context.Context, request string, read func(next func() (string, error)) error) error
}

var _ interface {
	auth.Backend
	auth.Enumerator
	auth.PasswordChanger
	auth.ChallengeVerifier
} = (*Backend)(nil)

// NewBackend returns a backend that connects when it is asked.
func NewBackend(o Options) *Backend { return &Backend{newCaller(o)} }

// Authenticate implements auth.Backend.
func (b *Backend) Authenticate(ctx context.Context, r auth.Request, password string) (*auth.Identity, error) {
	if !isText(r.Login, auth.MaxLogin) || !isText(password, auth.MaxPassword) || !isService(service(r)) {
		return nil, rejectedUnasked(ctx)
	}
	return b.record(ctx, r, authRequest(service(r), "login", r.Login, password))
}

// Lookup implements auth.Backend.
func (b *Backend) Lookup(ctx context.Context, r auth.Request) (*auth.Identity, error) {
	// A login that begins with a blank would be asked for without it.
	if !isText(r.Login, auth.MaxLogin) || strings.HasPrefix(r.Login, " ") || !isService(service(r)) {
		return nil, rejectedUnasked(ctx)
	}
	return b.record(ctx, r, "PRE . "+service(r)+" "+r.Login+"\n")
}

// ChallengeMechanisms implements auth.ChallengeVerifier. What every account can use
// the daemon has no way to tell.
func (b *Backend) ChallengeMechanisms(every bool) []string {
	if every {
		return nil
	}
	return sasl.CRAMMechanisms()
}

// VerifyChallenge implements auth.ChallengeVerifier.
func (b *Backend) VerifyChallenge(ctx context.Context, r auth.Request, mechanism, challenge, response string) (*auth.Identity, error) {
	if !slices.Contains(sasl.CRAMMechanisms(), mechanism) || !isText(response, sasl.MaxResponse/3) || !isService(service(r)) {
		return nil, rejectedUnasked(ctx)
	}
	code := base64.StdEncoding.EncodeToString
	return b.record(ctx, r, authRequest(service(r), strings.ToLower(mechanism), code([]byte(challenge)), code([]byte(response))))
}

// ChangePassword implements auth.PasswordChanger. The daemon does not tell trouble
// from a wrong password.
func (b *Backend) ChangePassword(ctx context.Context, r auth.Request, old, new string) error {
	switch {
	case !isText(r.Login, auth.MaxLogin) || !isText(old, auth.MaxPassword) || !isService(service(r)):
		return rejectedUnasked(ctx)
	case !isText(new, auth.MaxPassword/2):
		return auth.ErrBadPassword
	}
	answer, err := b.caller.call(ctx, r, "PASSWD "+service(r)+"\t"+r.Login+"\t"+old+"\t"+new+"\n")
	switch {
	case err != nil:
		return err
	case answer == changed:
		return nil
	case answer == failed:
		return auth.ErrRejected
	}
	return fmt.Errorf("%w: authdaemond gave no answer", auth.ErrTemporary)
}

// record sends a request that is answered with one.
func (b *Backend) record(ctx context.Context, r auth.Request, request string) (*auth.Identity, error) {
	answer, err := b.caller.call(ctx, r, request)
	if err != nil {
		return nil, err
	}
	if answer == failed {
		return nil, auth.ErrRejected
	}
	text, whole := strings.CutSuffix(answer, "\n"+recordEnd)
	if !whole {
		return nil, fmt.Errorf("%w: authdaemond gave no answer", auth.ErrTemporary)
	}
	id, err := parseRecord(text)
	if err != nil {
		return nil, fmt.Errorf("%w: authdaemond: %w", auth.ErrTemporary, err)
	}
	if id.Login == "" {
		id.Login = r.Login
	}
	return id, nil
}

// service is the name that a request goes by; Courier's tools say "login" where they
// have none.
func service(r auth.Request) string {
	if r.Service == "" {
		return "login"
	}
	return r.Service
}

func authRequest(service, kind, first, second string) string {
	data := service + "\n" + kind + "\n" + first + "\n" + second + "\n"
	return "AUTH " + strconv.Itoa(len(data)) + "\n" + data
}

// rejectedUnasked is the answer to what cannot be asked; an attempt that was given up
// is still not a wrong password.
func rejectedUnasked(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return auth.ErrRejected
}

// Enumerate implements auth.Enumerator.
func (b *Backend) Enumerate(ctx context.Context, yield func(*auth.Identity) error) error {
	return b.caller.stream(ctx, "ENUMERATE\n", func(next func() (string, error)) error {
		for {
			line, err := next()
			switch {
			case err != nil:
				return fmt.Errorf("%w: authdaemond's list of accounts: %w", auth.ErrTemporary, err)
			case line == ".":
				return nil
			case line == "" || strings.HasPrefix(line, "#"):
				continue
			}
			id, err := parseListed(line)
			if err != nil {
				return errors.Join(auth.ErrTemporary, err)
			}
			if err := yield(id); err != nil {
				return err
			}
		}
	})
}
