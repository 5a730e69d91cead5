package mysql_test

import (
	"testing"

	"postrider/auth/conformance"
	"postrider/auth/dbtest"
	"postrider/auth/mysql"
	"postrider/auth/password"
	"postrider/auth/sqlquery"
	"postrider/auth/sqlquery/sqltest"
)

// TestRealDatabase asks Debian's MariaDB.
func TestRealDatabase(t *testing.T) {
	db := dbtest.MariaDB(t, `CREATE DATABASE mail; USE mail; SET sql_mode = 'NO_BACKSLASH_ESCAPES';`+"\n"+dbtest.Accounts()+
		`CREATE USER 'reader'@'127.0.0.1' IDENTIFIED BY 'word'; GRANT SELECT, UPDATE ON mail.users TO 'reader'@'127.0.0.1';`)
	connection := []string{"MYSQL_SERVER 127.0.0.1", "MYSQL_PORT " + db.Port, "MYSQL_USERNAME reader", "MYSQL_PASSWORD word", "MYSQL_DATABASE mail"}
	open := func(t *testing.T, lines ...string) (*sqlquery.Table, *password.Verifier) {
		t.Helper()
		v := password.NewVerifier(password.Limits{})
		table, err := mysql.Open(dbtest.Settings(t, append(lines, connection...)...), sqlquery.Options{Verifier: v})
		if err != nil {
			t.Fatal(err)
		}
		return table, v
	}
	sqltest.Test(t, sqltest.Database{Prefix: "MYSQL_", Open: open})
	conformance.Test(t, func(t *testing.T) conformance.Fixture {
		table, v := open(t, sqltest.Columns("MYSQL_")...)
		return conformance.Fixture{Backend: table, Login: "jane@example.com", Password: "secret", Disabled: "closed@example.com",
			Checks: v.Checks, Break: db.Stop, Mend: db.Start, Stall: db.Stall, Resume: db.Resume}
	})
}
