package auth

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
)

// The sizes in bytes that a login and a password may have; beyond them a
// backend is not asked. courier-authlib takes less than 8192 for both.
const (
	MaxLogin    = 1 << 10
	MaxPassword = 4 << 10
)

// Guard is a backend with the rules that hold whatever the backend says.
// Courier applies them in its login program and its authentication daemon.
//
//   - Logins and passwords that are empty, too long or hold control bytes are
//     rejected without being asked for.
//   - A login without a domain gets DefaultDomain.
//   - DefaultOptions are merged into the account's options.
//   - An account without a home, or with uid or gid 0, is ErrUnusable.
//   - The account options disable<service> and disableinsecure<service> become
//     ErrDisabled and ErrInsecure.
type Guard struct {
	Backend Backend

	// DefaultDomain (DEFDOMAIN), such as "@example.com", is appended to a login
	// that lacks its first character; if Separators (DOMAINSEP) is not empty, to
	// a login that has none of those characters.
	DefaultDomain string
	Separators    string

	DefaultOptions Options // DEFAULTOPTIONS

	Offer *Offer // which mechanisms are offered, and how; nil: PLAIN and LOGIN
}

// Authenticate implements Backend.
func (g Guard) Authenticate(ctx context.Context, r Request, password string) (*Identity, error) {
	if !acceptable(password, MaxPassword) {
		return nil, ErrRejected
	}
	return g.ask(r, func(r Request) (*Identity, error) { return g.Backend.Authenticate(ctx, r, password) })
}

// Lookup implements Backend.
func (g Guard) Lookup(ctx context.Context, r Request) (*Identity, error) {
	return g.ask(r, func(r Request) (*Identity, error) { return g.Backend.Lookup(ctx, r) })
}

func (g Guard) ask(r Request, backend func(Request) (*Identity, error)) (*Identity, error) {
	if !acceptable(r.Login, MaxLogin) {
		return nil, ErrRejected
	}
	r.Login = g.canonical(r.Login)
	id, err := backend(r)
	if err != nil {
		return nil, outcome(err)
	}
	id.Options = id.Options.Merge(g.DefaultOptions)
	if err := admit(id, r); err != nil {
		return nil, err
	}
	return id, nil
}

// admit applies the rules that an account must satisfy for a session.
func admit(id *Identity, r Request) error {
	if err := usable(id); err != nil {
		return fmt.Errorf("account %q: %w", id.Login, err)
	}
	if err := allowed(id, r); err != nil {
		return fmt.Errorf("account %q: %w", id.Login, err)
	}
	return nil
}

// canonical appends the default domain to a login that has none.
func (g Guard) canonical(login string) string {
	if g.DefaultDomain == "" {
		return login
	}
	separators := g.Separators
	if separators == "" {
		separators = g.DefaultDomain[:1]
	}
	if strings.ContainsAny(login, separators) {
		return login
	}
	return login + g.DefaultDomain
}

// acceptable tells whether a backend may be asked with this login or password.
// Control bytes would break the line formats of logs, userdb and authdaemon.
func acceptable(s string, limit int) bool {
	if s == "" || len(s) > limit {
		return false
	}
	for i := range len(s) {
		if s[i] < ' ' || s[i] == 0x7f {
			return false
		}
	}
	return true
}

// outcome makes an error that is none of the package's a temporary failure.
func outcome(err error) error {
	for _, known := range []error{ErrRejected, ErrTemporary, ErrExpired, ErrDisabled, ErrInsecure, ErrUnusable, ErrThrottled} {
		if errors.Is(err, known) {
			return err
		}
	}
	return fmt.Errorf("%w: %w", ErrTemporary, err)
}

// usable tells what keeps an account from having a session.
func usable(id *Identity) error {
	switch {
	case id.UID == 0 || id.GID == 0:
		return fmt.Errorf("%w: uid or gid is 0", ErrUnusable)
	case id.UID < 0 && id.User == "":
		return fmt.Errorf("%w: neither uid nor system user", ErrUnusable)
	case !filepath.IsAbs(id.Home):
		return fmt.Errorf("%w: home is not an absolute path", ErrUnusable)
	}
	return nil
}

// allowed applies the account options that close a service.
func allowed(id *Identity, r Request) error {
	switch {
	case id.Options.Int("disable"+r.Service) != 0:
		return ErrDisabled
	case !r.TLS && id.Options.Int("disableinsecure"+r.Service) != 0:
		return ErrInsecure
	}
	return nil
}
