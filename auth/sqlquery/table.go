package sqlquery

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"postrider/auth"
	"postrider/auth/password"
	"postrider/auth/rcfile"
)

// queryTime bounds one question to the database, the wait for a connection included.
const queryTime = 10 * time.Second

// Options are what a Table needs beside its settings.
type Options struct {
	Verifier *password.Verifier // required; share one among all backends
	Logger   *slog.Logger       // nil: no log
}

// Table is the accounts of one settings file. It implements auth.Backend.
type Table struct {
	source   *rcfile.Source[*database]
	verifier *password.Verifier
	log      *slog.Logger
	like     atomic.Pointer[string] // a stored password, to know what a check costs
}

var _ auth.Backend = (*Table)(nil)

// Open reads the settings file at path. It does not connect: a database that is down
// must not keep a server from starting.
func Open(path string, d Driver, o Options) (*Table, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	source, err := rcfile.Open(path, d.open, o.Logger)
	if err != nil {
		return nil, err
	}
	return &Table{source: source, verifier: o.Verifier, log: o.Logger}, nil
}

// Authenticate implements auth.Backend. Where both passwords are stored, the hash
// counts.
func (t *Table) Authenticate(ctx context.Context, r auth.Request, pass string) (*auth.Identity, error) {
	rec, err := t.record(ctx, r)
	if errors.Is(err, auth.ErrRejected) {
		return nil, t.waste(ctx, pass)
	}
	if err != nil {
		return nil, err
	}
	stored := rec.stored()
	if stored == "" || pass == "" {
		return nil, t.waste(ctx, pass)
	}
	t.like.Store(&stored)
	ok, err := t.verifier.Verify(ctx, stored, pass)
	switch {
	case errors.Is(err, password.ErrUnsupported):
		t.log.Warn("stored password not usable", "user", r.Login, "reason", err.Error())
		return nil, t.waste(ctx, pass)
	case err != nil:
		return nil, err
	case !ok:
		return nil, auth.ErrRejected
	}
	id, err := rec.identity()
	if err == nil {
		id.Clear = auth.NewSecret(pass)
	}
	return id, err
}

// Lookup implements auth.Backend. The identity carries the stored passwords.
func (t *Table) Lookup(ctx context.Context, r auth.Request) (*auth.Identity, error) {
	rec, err := t.record(ctx, r)
	if err != nil {
		return nil, err
	}
	id, err := rec.identity()
	if err == nil {
		id.Hash, id.Clear = auth.NewSecret(rec.crypt), auth.NewSecret(rec.clear)
	}
	return id, err
}

// waste rejects after the work of a check.
func (t *Table) waste(ctx context.Context, pass string) error {
	like := ""
	if p := t.like.Load(); p != nil {
		like = *p
	}
	if err := t.verifier.Waste(ctx, like, pass); err != nil {
		return err
	}
	return auth.ErrRejected
}

// record asks for one account; none is auth.ErrRejected.
func (t *Table) record(ctx context.Context, r auth.Request) (*record, error) {
	if r.Login == "" || len(r.Login) > auth.MaxLogin || strings.ContainsRune(r.Login, 0) || !utf8.ValidString(r.Login) {
		return nil, auth.ErrRejected // some databases refuse such a text, which is no failure
	}
	db := t.source.Get()
	query := db.account
	if r.Service == "courier" {
		query = db.delivery
	}
	asked, cancel := context.WithTimeout(ctx, queryTime)
	defer cancel()
	rows, err := db.QueryContext(asked, query.Text, query.Arguments(db.values(r.Login, r.Service))...)
	var rec *record
	if err == nil {
		defer rows.Close()
		rec, err = first(rows)
	}
	switch {
	case err == nil:
		return rec, nil
	case errors.Is(err, auth.ErrRejected), db.unwritable != nil && db.unwritable(err):
		return nil, auth.ErrRejected
	}
	return nil, t.failed(ctx, err)
}

// failed is a question without an answer: given up by who asked, or temporary.
func (t *Table) failed(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("asking for an account: %w", ctx.Err())
	}
	t.log.Error("the database of accounts does not answer", "err", err)
	return fmt.Errorf("%w: asking for an account: %w", auth.ErrTemporary, err)
}

// record is a row: the columns of the default query.
type record struct {
	login, crypt, clear, uid, gid, home, maildir, quota, name, options string
}

// fewest is how many columns a row must have: the rest may be left out.
const fewest = 6

// first reads the first row; none is auth.ErrRejected.
func first(rows *sql.Rows) (*record, error) {
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	if len(columns) < fewest {
		return nil, fmt.Errorf("the query gives %d columns, at least %d are needed", len(columns), fewest)
	}
	if !rows.Next() {
		if err := rows.Err(); err != nil {
			return nil, err
		}
		return nil, auth.ErrRejected
	}
	r := new(record)
	var to []any
	for _, field := range []*string{&r.login, &r.crypt, &r.clear, &r.uid, &r.gid, &r.home, &r.maildir, &r.quota, &r.name, &r.options} {
		to = append(to, text{field})
	}
	for len(to) < len(columns) {
		to = append(to, text{new(string)})
	}
	return r, rows.Scan(to[:len(columns)]...)
}

// text is a column as text: NULL is an empty one.
type text struct{ to *string }

// Scan implements sql.Scanner.
func (t text) Scan(value any) error {
	var s sql.NullString
	if err := s.Scan(value); err != nil {
		return err
	}
	*t.to = s.String
	return nil
}

// stored is the password in the form of package password.
func (r *record) stored() string {
	if r.crypt != "" {
		return r.crypt
	}
	if r.clear != "" {
		return "{PLAIN}" + r.clear
	}
	return ""
}

// identity is the account; what cannot be one is auth.ErrUnusable.
func (r *record) identity() (*auth.Identity, error) {
	uid, err := number(r.uid)
	if err != nil {
		return nil, fmt.Errorf("%w: uid: %w", auth.ErrUnusable, err)
	}
	gid, err := number(r.gid)
	if err != nil {
		return nil, fmt.Errorf("%w: gid: %w", auth.ErrUnusable, err)
	}
	return &auth.Identity{Login: r.login, UID: uid, GID: gid, Home: r.home, Maildir: r.maildir, Name: r.name, Quota: r.quota,
		Options: auth.ParseOptions(r.options)}, nil
}

func number(s string) (int, error) {
	n, err := strconv.ParseUint(strings.TrimSpace(s), 10, 31)
	return int(n), err
}
