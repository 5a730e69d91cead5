package userdb

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"postrider/auth"
	"postrider/auth/password"
	"postrider/sasl"
)

var (
	_ auth.Enumerator      = (*DB)(nil)
	_ auth.SecretLookup    = (*DB)(nil)
	_ auth.PasswordChanger = (*DB)(nil)
)

// Enumerate implements auth.Enumerator, in the order of the names.
func (db *DB) Enumerate(ctx context.Context, yield func(*auth.Identity) error) error {
	t, err := db.table()
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(t.accounts)) {
		if err := ctx.Err(); err != nil {
			return err
		}
		id, err := t.accounts[name].identity(name)
		if err != nil {
			return err
		}
		if err := yield(id); err != nil {
			return err
		}
	}
	return nil
}

// SecretMechanisms implements auth.SecretLookup, for the service imap.
func (db *DB) SecretMechanisms(every bool) []string {
	t, err := db.table()
	if err != nil {
		return nil
	}
	var names []string
	for _, name := range slices.Concat(sasl.SCRAMMechanisms(), sasl.CRAMMechanisms()) {
		if n := t.able[name]; n > 0 && (n == t.withPassword || !every) {
			names = append(names, name)
		}
	}
	return names
}

// LookupSecret implements auth.SecretLookup. Courier's prepared secrets count
// before a password in clear, and those of the service before the others.
func (db *DB) LookupSecret(_ context.Context, r auth.Request, mechanism string) (*auth.Keys, error) {
	t, err := db.table()
	if err != nil {
		return nil, err
	}
	rec, found := t.accounts[r.Login]
	if !found {
		return nil, auth.ErrRejected
	}
	clear, prepared, ok := rec.secret(r.Service, mechanism)
	if !ok {
		return nil, auth.ErrRejected
	}
	id, err := rec.identity(r.Login)
	if err != nil {
		return nil, err
	}
	return &auth.Keys{Identity: id, Clear: auth.NewSecret(clear), Prepared: auth.NewSecret(prepared)}, nil
}

// secret is what the record has for a mechanism.
func (r record) secret(service, mechanism string) (clear, prepared string, ok bool) {
	if field := hmacField(mechanism); field != "" {
		for _, name := range []string{service + "-" + field, field} {
			if value, found := r.field(name); found && value != "" {
				return "", value, true
			}
		}
	}
	return password.ForMechanism(r.stored(service), mechanism)
}

// mechanisms are those that the record has something for.
func (r record) mechanisms(service string) []string {
	names := password.Mechanisms(r.stored(service))
	if !strings.Contains(string(r), "hmac-") {
		return names
	}
	for _, name := range sasl.CRAMMechanisms() {
		if _, _, ok := r.secret(service, name); ok && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// hmacField is the field of a CRAM mechanism's secret, "" for another mechanism.
func hmacField(mechanism string) string {
	switch mechanism {
	case sasl.CRAMMD5:
		return "hmac-md5pw"
	case sasl.CRAMSHA1:
		return "hmac-sha1pw"
	case sasl.CRAMSHA256:
		return "hmac-sha256pw"
	}
	return ""
}

// ChangePassword implements auth.PasswordChanger: the field that counted gets a
// hash of its scheme or a better one, and each CRAM secret that was made of the old
// password is made of the new.
func (db *DB) ChangePassword(ctx context.Context, r auth.Request, old, new string) error {
	if strings.ContainsAny(r.Login, "/|") {
		return auth.ErrRejected
	}
	if _, err := db.Authenticate(ctx, r, old); err != nil {
		return err
	}
	if strings.ContainsAny(new, "|\r\n\x00") {
		return auth.ErrBadPassword
	}
	file, err := db.fileOf(r.Login)
	if err != nil {
		return fmt.Errorf("%w: userdb: %w", auth.ErrTemporary, err)
	}
	err = Edit(file, r.Login, func(fields []Field, found bool) ([]Field, error) {
		return db.withPassword(ctx, r, fields, found, old, new)
	})
	switch {
	case err == nil, errors.Is(err, auth.ErrRejected), errors.Is(err, auth.ErrBadPassword):
		return err
	}
	db.log.Error("password not changed", "user", r.Login, "reason", err.Error())
	return fmt.Errorf("%w: userdb: %w", auth.ErrTemporary, err)
}

// withPassword is a record with the new password. What is stored may have changed
// since the old one was checked, so it is checked once more, under the lock.
func (db *DB) withPassword(ctx context.Context, r auth.Request, fields []Field, found bool, old, new string) ([]Field, error) {
	name := "systempw"
	if i := indexField(fields, r.Service+"pw"); i >= 0 && r.Service != "" {
		name = r.Service + "pw"
	}
	at := indexField(fields, name)
	if !found || at < 0 {
		return nil, auth.ErrRejected
	}
	ok, err := db.verifier.Verify(ctx, fields[at].Value, old)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, auth.ErrRejected
	}
	stored, err := password.Renew(fields[at].Value, new)
	if errors.Is(err, password.ErrUnstorable) {
		return nil, auth.ErrBadPassword
	} else if err != nil {
		return nil, err
	}
	fields[at] = Field{Name: name, Value: stored}
	for _, mechanism := range sasl.CRAMMechanisms() {
		before, err := sasl.PrepareCRAM(mechanism, old)
		if err != nil {
			return nil, err
		}
		after, err := sasl.PrepareCRAM(mechanism, new)
		if err != nil {
			return nil, err
		}
		for i, f := range fields {
			if strings.HasSuffix(f.Name, hmacField(mechanism)) && f.Value == before {
				fields[i].Value = after
			}
		}
	}
	return fields, nil
}

// fileOf is the file that holds an account's record.
func (db *DB) fileOf(name string) (string, error) {
	file := ""
	_, err := readSource(db.path, func(path, text string) {
		for line := range strings.Lines(text) {
			if strings.HasPrefix(line, name+"\t") && file == "" {
				file = path
			}
		}
	}, func(string, error) {})
	if err == nil && file == "" {
		err = auth.ErrRejected
	}
	return file, err
}
