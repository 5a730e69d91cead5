// Package pgsql is accounts in a PostgreSQL database, with courier-authlib's
// authpgsqlrc. It knows how to reach the database; the rest is package sqlquery's.
package pgsql

import (
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"postrider/auth/rcfile"
	"postrider/auth/sqlquery"
)

// Open reads the authpgsqlrc at path.
func Open(path string, o sqlquery.Options) (*sqlquery.Table, error) {
	return sqlquery.Open(path, sqlquery.Driver{
		Prefix:  "PGSQL_",
		Dialect: sqlquery.Dialect{Parameter: func(n int) string { return "$" + strconv.Itoa(n) }},
		Connect: connect,
		Unwritable: func(err error) bool {
			var e *pgconn.PgError
			return errors.As(err, &e) && (e.Code == codeRepertoire || e.Code == codeUntranslatable)
		},
	}, o)
}

// Codes of errors that say that a text has no form in the database's encoding.
const (
	codeRepertoire     = "22021"
	codeUntranslatable = "22P05"
)

const connectTime = 5 * time.Second

func connect(v rcfile.Values) (*sql.DB, error) {
	c, err := pgx.ParseConfig(conninfo(v))
	if err != nil {
		return nil, fmt.Errorf("PGSQL_CONNECTION: %w", err)
	}
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = connectTime
	}
	if set := v["PGSQL_CHARACTER_SET"]; set != "" {
		c.RuntimeParams["client_encoding"] = set
	}
	return stdlib.OpenDB(*c), nil
}

// conninfo is PGSQL_CONNECTION, or made of the settings before it was there.
func conninfo(v rcfile.Values) string {
	if c := v["PGSQL_CONNECTION"]; c != "" {
		return c
	}
	var b strings.Builder
	for _, one := range [][2]string{{"host", "HOST"}, {"port", "PORT"}, {"user", "USERNAME"}, {"password", "PASSWORD"}, {"dbname", "DATABASE"}, {"options", "OPT"}} {
		if value := v["PGSQL_"+one[1]]; value != "" {
			fmt.Fprintf(&b, "%s='%s' ", one[0], strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(value))
		}
	}
	return b.String()
}
