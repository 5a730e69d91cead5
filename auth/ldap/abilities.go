package ldap

import (
	"context"
	"errors"
	"slices"
	"strings"
	"unicode/utf8"

	driver "github.com/go-ldap/ldap/v3"

	"postrider/auth"
	"postrider/auth/password"
	"postrider/sasl"
)

var (
	_ auth.Enumerator      = (*Directory)(nil)
	_ auth.SecretLookup    = (*Directory)(nil)
	_ auth.PasswordChanger = (*Directory)(nil)
)

// pageSize is how many entries are asked for at once (RFC 2696).
const pageSize = 500

// Enumerate implements auth.Enumerator. An entry with several logins is listed with
// each.
func (b *Directory) Enumerate(ctx context.Context, yield func(*auth.Identity) error) error {
	d := b.source.Get()
	page := driver.NewControlPaging(pageSize)
	for {
		var found *driver.SearchResult
		err := d.do(ctx, func(c *connection) (err error) {
			// The pages belong to the connection: a broken one ends the listing.
			found, err = c.Search(driver.NewSearchRequest(d.base, driver.ScopeWholeSubtree, d.deref, 0, 0, false, d.enumerate, d.all(), []driver.Control{page}))
			return err
		})
		if err != nil {
			return b.failed(ctx, err)
		}
		for _, e := range found.Entries {
			if err := b.list(d, e, yield); err != nil {
				return err
			}
		}
		next, ok := driver.FindControl(found.Controls, driver.ControlTypePaging).(*driver.ControlPaging)
		if !ok || len(next.Cookie) == 0 {
			return nil
		}
		page.SetCookie(next.Cookie)
	}
}

func (b *Directory) list(d *directory, e *driver.Entry, yield func(*auth.Identity) error) error {
	for _, login := range e.GetEqualFoldAttributeValues(d.names.mail) {
		id, err := b.identity(d, e, auth.Request{Login: login})
		if err != nil {
			b.log.Warn("an entry cannot be listed", "entry", e.DN, "err", err)
			return nil
		}
		if err := yield(id); err != nil {
			return err
		}
	}
	return nil
}

// SecretMechanisms implements auth.SecretLookup. What every entry has nobody can tell
// without reading the directory.
func (b *Directory) SecretMechanisms(every bool) []string {
	if every || b.source.Get().names.clear == "" {
		return nil
	}
	return slices.Concat(sasl.SCRAMMechanisms(), sasl.CRAMMechanisms())
}

// LookupSecret implements auth.SecretLookup.
func (b *Directory) LookupSecret(ctx context.Context, r auth.Request, mechanism string) (*auth.Keys, error) {
	d := b.source.Get()
	e, err := b.entry(ctx, d, r)
	if err != nil {
		return nil, err
	}
	clear := b.value(e, d.names.clear)
	prepared, ok := "", clear != ""
	if !ok {
		clear, prepared, ok = password.ForMechanism(b.value(e, d.names.crypt), mechanism)
	}
	if !ok {
		return nil, auth.ErrRejected
	}
	id, err := b.identity(d, e, r)
	if err != nil {
		return nil, err
	}
	return &auth.Keys{Identity: id, Clear: auth.NewSecret(clear), Prepared: auth.NewSecret(prepared)}, nil
}

// ChangePassword implements auth.PasswordChanger: where a bind checks passwords, the
// directory is asked to change it as the entry itself (RFC 3062); else the attributes are
// replaced as LDAP_BINDDN.
func (b *Directory) ChangePassword(ctx context.Context, r auth.Request, old, new string) error {
	if _, err := b.Authenticate(ctx, r, old); err != nil {
		return err
	}
	if new == "" || strings.ContainsRune(new, 0) || !utf8.ValidString(new) {
		return auth.ErrBadPassword
	}
	d := b.source.Get()
	e, err := b.entry(ctx, d, r)
	if err != nil {
		return err
	}
	if d.bind {
		err = b.changeAs(ctx, d, e.DN, old, new)
	} else {
		err = b.replace(ctx, d, e, new)
	}
	switch {
	case err == nil, errors.Is(err, auth.ErrBadPassword):
		return err
	case driver.IsErrorWithCode(err, driver.LDAPResultConstraintViolation):
		return auth.ErrBadPassword // the directory's own rules
	}
	return b.failed(ctx, err)
}

func (b *Directory) changeAs(ctx context.Context, d *directory, dn, old, new string) error {
	return d.do(ctx, func(c *connection) error {
		c.foreign = true
		if err := c.Bind(dn, old); err != nil {
			return err
		}
		_, err := c.PasswordModify(driver.NewPasswordModifyRequest("", old, new))
		return err
	})
}

func (b *Directory) replace(ctx context.Context, d *directory, e *driver.Entry, new string) error {
	change := driver.NewModifyRequest(e.DN, nil)
	if hash := b.value(e, d.names.crypt); hash != "" {
		stored, err := password.Renew(hash, new)
		if errors.Is(err, password.ErrUnstorable) {
			return auth.ErrBadPassword
		} else if err != nil {
			return err
		}
		change.Replace(d.names.crypt, []string{stored})
	}
	if b.value(e, d.names.clear) != "" {
		change.Replace(d.names.clear, []string{new})
	}
	return d.do(ctx, func(c *connection) error { return c.Modify(change) })
}
