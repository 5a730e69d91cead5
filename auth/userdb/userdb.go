package userdb

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"postrider/auth"
	"postrider/auth/password"
)

// Options are what a DB needs beside its path.
type Options struct {
	Verifier *password.Verifier // required; share one among all backends
	Logger   *slog.Logger       // nil: no log
}

// DB is the accounts of one userdb. It implements auth.Backend.
type DB struct {
	path     string
	verifier *password.Verifier
	log      *slog.Logger

	mu      sync.Mutex
	current *table // nil after a reading that failed
	failure string // what was logged of it
}

var _ auth.Backend = (*DB)(nil)

// Open reads the userdb at path, a file or a directory tree. A userdb that is
// missing, a symbolic link, or open to group or others is an error.
func Open(path string, o Options) (*DB, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	db := &DB{path: path, verifier: o.Verifier, log: o.Logger}
	var err error
	if db.current, err = readTable(path, o.Logger); err != nil {
		return nil, fmt.Errorf("reading userdb: %w", err)
	}
	return db, nil
}

// Authenticate implements auth.Backend: the record's password for the service
// counts, else its systempw. The name must match exactly. The identity carries the
// stored password.
func (db *DB) Authenticate(ctx context.Context, r auth.Request, pass string) (*auth.Identity, error) {
	t, err := db.table()
	if err != nil {
		return nil, err
	}
	rec, found := t.accounts[r.Login]
	stored := rec.stored(r.Service)
	if !found || stored == "" || pass == "" {
		return nil, db.waste(ctx, t, pass)
	}
	ok, err := db.verifier.Verify(ctx, stored, pass)
	switch {
	case errors.Is(err, password.ErrUnsupported):
		// A locked account ("*", "!"), or one that cannot be checked: to the
		// client this is a wrong password, and it takes as long.
		db.log.Warn("stored password not usable", "user", r.Login, "reason", err.Error())
		return nil, db.waste(ctx, t, pass)
	case err != nil:
		return nil, err
	case !ok:
		return nil, auth.ErrRejected
	}
	id, err := rec.identity(r.Login)
	if err == nil {
		id.Hash = auth.NewSecret(stored)
	}
	return id, err
}

// Lookup implements auth.Backend. The identity carries the stored password.
func (db *DB) Lookup(_ context.Context, r auth.Request) (*auth.Identity, error) {
	t, err := db.table()
	if err != nil {
		return nil, err
	}
	rec, found := t.accounts[r.Login]
	if !found {
		return nil, auth.ErrRejected
	}
	id, err := rec.identity(r.Login)
	if err == nil {
		id.Hash = auth.NewSecret(rec.stored(r.Service))
	}
	return id, err
}

// waste rejects after the work of a check.
func (db *DB) waste(ctx context.Context, t *table, pass string) error {
	if err := db.verifier.Waste(ctx, t.like, pass); err != nil {
		return err
	}
	return auth.ErrRejected
}

// table returns the accounts of this moment. A userdb that cannot be read is a
// temporary failure, not an empty one.
func (db *DB) table() (*table, error) {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.current != nil && db.current.fresh() {
		return db.current, nil
	}
	t, err := readTable(db.path, db.log)
	db.current = t
	if err == nil {
		db.failure = ""
		return t, nil
	}
	if db.failure != err.Error() {
		db.failure = err.Error()
		db.log.Error("userdb cannot be read", "path", db.path, "reason", db.failure)
	}
	return nil, fmt.Errorf("%w: userdb: %w", auth.ErrTemporary, err)
}
