package passwd

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"postrider/auth"
	"postrider/auth/password"
	"postrider/auth/textfile"
)

// maxFile bounds each file in bytes.
const maxFile = 256 << 20

// Options say where the accounts are.
type Options struct {
	Passwd   string             // path; required
	Shadow   string             // path; empty: passwords are in passwd
	Verifier *password.Verifier // required; share one among all backends
	Logger   *slog.Logger       // nil: no log
}

// DB is the accounts. It implements auth.Backend.
type DB struct {
	files    *textfile.Files[*table]
	verifier *password.Verifier
	log      *slog.Logger
}

var (
	_ auth.Backend    = (*DB)(nil)
	_ auth.Enumerator = (*DB)(nil)
)

// New returns the accounts. Files that cannot be read are a temporary failure of
// each attempt until they can.
func New(o Options) *DB {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	paths := []string{o.Passwd}
	if o.Shadow != "" {
		paths = append(paths, o.Shadow)
	}
	db := &DB{verifier: o.Verifier, log: o.Logger}
	db.files = textfile.New(maxFile, db.parse, paths...)
	return db
}

// Check reads the files, for a start that should say what is wrong.
func (db *DB) Check() error {
	_, err := db.files.Get()
	return err
}

func (db *DB) table() (*table, error) {
	t, err := db.files.Get()
	if err != nil {
		db.log.Error("system accounts cannot be read", "reason", err.Error())
		return nil, fmt.Errorf("%w: system accounts: %w", auth.ErrTemporary, err)
	}
	return t, nil
}

// Authenticate implements auth.Backend. Dates that are over are told to whom knows
// the password.
func (db *DB) Authenticate(ctx context.Context, r auth.Request, pass string) (*auth.Identity, error) {
	t, err := db.table()
	if err != nil {
		return nil, err
	}
	a, found := t.accounts[r.Login]
	if !found || a.stored == "" || pass == "" {
		return nil, db.waste(ctx, t, pass)
	}
	ok, err := db.verifier.Verify(ctx, a.stored, pass)
	switch {
	case errors.Is(err, password.ErrUnsupported): // locked: "!", "*"
		return nil, db.waste(ctx, t, pass)
	case err != nil:
		return nil, err
	case !ok:
		return nil, auth.ErrRejected
	}
	if err := a.expired(time.Now()); err != nil {
		return nil, fmt.Errorf("account %q: %w", r.Login, err)
	}
	id := a.identity(r.Login)
	id.Hash = auth.NewSecret(a.stored)
	return id, nil
}

// waste rejects after the work of a check.
func (db *DB) waste(ctx context.Context, t *table, pass string) error {
	if err := db.verifier.Waste(ctx, t.like, pass); err != nil {
		return err
	}
	return auth.ErrRejected
}

// Lookup implements auth.Backend.
func (db *DB) Lookup(_ context.Context, r auth.Request) (*auth.Identity, error) {
	t, err := db.table()
	if err != nil {
		return nil, err
	}
	a, found := t.accounts[r.Login]
	if !found {
		return nil, auth.ErrRejected
	}
	id := a.identity(r.Login)
	id.Hash = auth.NewSecret(a.stored)
	return id, nil
}

// Enumerate implements auth.Enumerator.
func (db *DB) Enumerate(ctx context.Context, yield func(*auth.Identity) error) error {
	t, err := db.table()
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(t.accounts)) {
		if err := ctx.Err(); err != nil {
			return err
		}
		a := t.accounts[name]
		if err := yield(a.identity(name)); err != nil {
			return err
		}
	}
	return nil
}

// identity is the account for a caller to own. Its name is that of the system user,
// whose groups apply.
func (a *account) identity(name string) *auth.Identity {
	full, _, _ := strings.Cut(a.gecos, ",")
	return &auth.Identity{Login: name, User: name, UID: a.uid, GID: a.gid, Home: a.home, Name: full}
}
