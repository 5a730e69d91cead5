package sqlite_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"testing"

	"postrider/auth/conformance"
	"postrider/auth/dbtest"
	"postrider/auth/password"
	"postrider/auth/sqlite"
	"postrider/auth/sqlquery"
	"postrider/auth/sqlquery/sqltest"
)

func TestDatabase(t *testing.T) {
	file := filepath.Join(t.TempDir(), "mail #1 100%.sqlite")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	open := func(t *testing.T, lines ...string) (*sqlquery.Table, *password.Verifier) {
		t.Helper()
		v := password.NewVerifier(password.Limits{})
		table, err := sqlite.Open(dbtest.Settings(t, append(lines, "SQLITE_DATABASE "+file)...), sqlquery.Options{Verifier: v})
		if err != nil {
			t.Fatal(err)
		}
		return table, v
	}
	fill(t, file)
	sqltest.Test(t, sqltest.Database{Prefix: "SQLITE_", Open: open})
	conformance.Test(t, func(t *testing.T) conformance.Fixture {
		table, v := open(t, sqltest.Columns("SQLITE_")...)
		return conformance.Fixture{Backend: table, Login: "jane@example.com", Password: "secret", Disabled: "closed@example.com", Checks: v.Checks,
			Break: func() { rename(t, file, file+".gone") }, Mend: func() { rename(t, file+".gone", file) }}
	})
}

func fill(t *testing.T, file string) {
	t.Helper()
	os.Remove(file)
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(dbtest.Accounts()); err != nil {
		t.Fatal(err)
	}
}

func rename(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}
