package sqlquery

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"postrider/auth"
	"postrider/auth/password"
	"postrider/sasl"
)

var (
	_ auth.Enumerator      = (*Table)(nil)
	_ auth.SecretLookup    = (*Table)(nil)
	_ auth.PasswordChanger = (*Table)(nil)
)

// Enumerate implements auth.Enumerator.
func (t *Table) Enumerate(ctx context.Context, yield func(*auth.Identity) error) error {
	db := t.source.Get()
	if db.enumerate == nil {
		return fmt.Errorf("listing accounts: %w", errors.ErrUnsupported)
	}
	rows, err := db.QueryContext(ctx, db.enumerate.Text, db.enumerate.Arguments(db.values("", "enumerate"))...)
	if err != nil {
		return t.failed(ctx, err)
	}
	defer rows.Close()
	for rows.Next() {
		var rec record
		columns := make([]any, 0, 6)
		for _, field := range []*string{&rec.login, &rec.uid, &rec.gid, &rec.home, &rec.maildir, &rec.options} {
			columns = append(columns, text{field})
		}
		if err := rows.Scan(columns...); err != nil {
			return t.failed(ctx, err)
		}
		id, err := rec.identity()
		if err != nil {
			t.log.Warn("an account cannot be listed", "user", rec.login, "err", err)
			continue
		}
		if err := yield(id); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return t.failed(ctx, err)
	}
	return nil
}

// SecretMechanisms implements auth.SecretLookup. What every account of a table has
// nobody can tell without reading it.
func (t *Table) SecretMechanisms(every bool) []string {
	if every || !t.source.Get().clear {
		return nil
	}
	return slices.Concat(sasl.SCRAMMechanisms(), sasl.CRAMMechanisms())
}

// LookupSecret implements auth.SecretLookup.
func (t *Table) LookupSecret(ctx context.Context, r auth.Request, mechanism string) (*auth.Keys, error) {
	rec, err := t.record(ctx, r)
	if err != nil {
		return nil, err
	}
	clear, prepared, ok := rec.clear, "", rec.clear != ""
	if !ok {
		clear, prepared, ok = password.ForMechanism(rec.crypt, mechanism)
	}
	if !ok {
		return nil, auth.ErrRejected
	}
	id, err := rec.identity()
	if err != nil {
		return nil, err
	}
	return &auth.Keys{Identity: id, Clear: auth.NewSecret(clear), Prepared: auth.NewSecret(prepared)}, nil
}

// ChangePassword implements auth.PasswordChanger. The hash is of the scheme of the old
// one or a better one.
func (t *Table) ChangePassword(ctx context.Context, r auth.Request, old, new string) error {
	if _, err := t.Authenticate(ctx, r, old); err != nil {
		return err
	}
	rec, err := t.record(ctx, r)
	if err != nil {
		return err
	}
	if strings.ContainsRune(new, 0) || !utf8.ValidString(new) {
		return auth.ErrBadPassword
	}
	hash, err := password.Renew(rec.crypt, new)
	if errors.Is(err, password.ErrUnstorable) {
		return auth.ErrBadPassword
	} else if err != nil {
		return err
	}
	db := t.source.Get()
	if db.change == nil {
		return fmt.Errorf("changing a password: %w", errors.ErrUnsupported)
	}
	values := db.values(r.Login, r.Service)
	values["newpass"], values["newpass_crypt"] = new, hash
	asked, cancel := context.WithTimeout(ctx, queryTime)
	defer cancel()
	if _, err := db.ExecContext(asked, db.change.Text, db.change.Arguments(values)...); err != nil {
		return t.failed(ctx, err)
	}
	return nil
}
