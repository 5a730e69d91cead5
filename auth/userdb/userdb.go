package userdb

import (
	"context"
	"log/slog"

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
}

var _ auth.Backend = (*DB)(nil)

// Open reads the userdb at path, a file or a directory tree. A userdb that is
// missing, a symbolic link, or open to group or others is an error.
func Open(path string, o Options) (*DB, error) { return &DB{}, nil }

// Authenticate implements auth.Backend.
func (db *DB) Authenticate(ctx context.Context, r auth.Request, pass string) (*auth.Identity, error) {
	return nil, auth.ErrTemporary
}

// Lookup implements auth.Backend.
func (db *DB) Lookup(ctx context.Context, r auth.Request) (*auth.Identity, error) {
	return nil, auth.ErrTemporary
}
