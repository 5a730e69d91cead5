package pgsql_test

import (
	"testing"

	"postrider/auth/conformance"
	"postrider/auth/dbtest"
	"postrider/auth/password"
	"postrider/auth/pgsql"
	"postrider/auth/sqlquery"
	"postrider/auth/sqlquery/sqltest"
)

// TestRealDatabase asks Debian's PostgreSQL.
func TestRealDatabase(t *testing.T) {
	db := dbtest.PostgreSQL(t, "CREATE ROLE reader LOGIN; CREATE DATABASE mail;\n\\connect mail\n"+dbtest.Accounts()+"GRANT SELECT, UPDATE ON users TO reader;")
	connection := []string{"PGSQL_CONNECTION host=127.0.0.1 user=reader dbname=mail port=" + db.Port}
	open := func(t *testing.T, lines ...string) (*sqlquery.Table, *password.Verifier) {
		t.Helper()
		v := password.NewVerifier(password.Limits{})
		table, err := pgsql.Open(dbtest.Settings(t, append(lines, connection...)...), sqlquery.Options{Verifier: v})
		if err != nil {
			t.Fatal(err)
		}
		return table, v
	}
	sqltest.Test(t, sqltest.Database{Prefix: "PGSQL_", Open: open})
	conformance.Test(t, func(t *testing.T) conformance.Fixture {
		table, v := open(t, sqltest.Columns("PGSQL_")...)
		return conformance.Fixture{Backend: table, Login: "jane@example.com", Password: "secret", Disabled: "closed@example.com",
			Checks: v.Checks, Break: db.Stop, Mend: db.Start, Stall: db.Stall, Resume: db.Resume}
	})
}
