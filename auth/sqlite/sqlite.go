// Package sqlite is accounts in an SQLite database, with courier-authlib's
// authsqliterc. It knows how to open the file; the rest is package sqlquery's.
package sqlite

import (
	"database/sql"
	"errors"
	"net/url"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"postrider/auth/rcfile"
	"postrider/auth/sqlquery"
)

// Open reads the authsqliterc at path.
func Open(path string, o sqlquery.Options) (*sqlquery.Table, error) {
	return sqlquery.Open(path, sqlquery.Driver{
		Prefix:  "SQLITE_",
		Dialect: sqlquery.Dialect{Parameter: func(int) string { return "?" }},
		Connect: connect,
	}, o)
}

func connect(v rcfile.Values) (*sql.DB, error) {
	path := v["SQLITE_DATABASE"]
	if path == "" {
		return nil, errors.New("SQLITE_DATABASE is not set")
	}
	// A file that is not there is an error, not a new database.
	name := url.URL{Scheme: "file", Path: path, RawQuery: "mode=rw&_pragma=busy_timeout(5000)"}
	return sql.Open("sqlite", name.String())
}
