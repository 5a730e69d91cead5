// Package sqltest is what every database of accounts is put to beside the suite of
// package conformance: columns, clauses, and logins that try to become SQL.
package sqltest

import (
	"errors"
	"testing"

	"postrider/auth"
	"postrider/auth/password"
	"postrider/auth/sqlquery"
)

// Database is one with the accounts of package dbtest.
type Database struct {
	Prefix string // of its settings
	Open   func(t *testing.T, lines ...string) (*sqlquery.Table, *password.Verifier)
}

// Columns are settings that name the columns of the table.
func Columns(prefix string) []string {
	return []string{prefix + "USER_TABLE users", prefix + "CRYPT_PWFIELD crypt", prefix + "CLEAR_PWFIELD clear", prefix + "NAME_FIELD name",
		prefix + "MAILDIR_FIELD maildir", prefix + "QUOTA_FIELD quota", prefix + "AUXOPTIONS_FIELD options", prefix + "WHERE_CLAUSE active=1",
		"DEFAULT_DOMAIN example.com"}
}

// odd is a login with every character that means something in SQL.
const odd = `o'neil "x" \ %_@example.com`

// Test runs the tests.
func Test(t *testing.T, d Database) {
	clause := d.Prefix + `SELECT_CLAUSE SELECT id, crypt, clear, uid, gid, home, maildir, quota, name, options FROM users ` +
		`WHERE id = '$(local_part)@$(domain)' AND active = 1 AND '$(service)' <> 'pop3'`
	for name, lines := range map[string][]string{"columns": Columns(d.Prefix), "a clause": {clause, "DEFAULT_DOMAIN example.com"}} {
		t.Run(name, func(t *testing.T) {
			table, _ := d.Open(t, lines...)
			accounts(t, table)
		})
	}
	t.Run("change", func(t *testing.T) {
		for _, lines := range [][]string{Columns(d.Prefix), {clause,
			d.Prefix + `CHPASS_CLAUSE UPDATE users SET crypt = '$(newpass_crypt)', clear = '$(newpass)' WHERE id = '$(local_part)@$(domain)'`}} {
			table, _ := d.Open(t, lines...)
			changes(t, table)
		}
	})
	t.Run("enumerate", func(t *testing.T) {
		table, _ := d.Open(t, clause, d.Prefix+`ENUMERATE_CLAUSE SELECT id, uid, gid, home, maildir, options FROM users WHERE uid > 14302`)
		var found []string
		err := table.Enumerate(t.Context(), func(id *auth.Identity) error { found = append(found, id.Login); return nil })
		if err != nil || len(found) != 2 {
			t.Errorf("%q, %v", found, err)
		}
	})
	t.Run("pop3", func(t *testing.T) {
		table, _ := d.Open(t, clause)
		_, err := table.Authenticate(t.Context(), auth.Request{Login: "jane@example.com", Service: "pop3"}, "secret")
		if !errors.Is(err, auth.ErrRejected) {
			t.Errorf("$(service) means nothing: %v", err)
		}
	})
	t.Run("few columns", func(t *testing.T) {
		table, _ := d.Open(t, d.Prefix+`SELECT_CLAUSE SELECT id, crypt, clear, uid, gid FROM users WHERE id = '$(local_part)@$(domain)'`)
		_, err := table.Authenticate(t.Context(), auth.Request{Login: "jane@example.com"}, "secret")
		if !errors.Is(err, auth.ErrTemporary) {
			t.Errorf("got %v", err)
		}
	})
}

func accounts(t *testing.T, table *sqlquery.Table) {
	ask := func(login, pass string) (*auth.Identity, error) {
		return table.Authenticate(t.Context(), auth.Request{Login: login, Service: "imap"}, pass)
	}
	id, err := ask("jane", "secret") // without a domain
	if err != nil {
		t.Fatal(err)
	}
	if id.Login != "jane@example.com" || id.UID != 14300 || id.GID != 14300 || id.Home != "/home/jane" || id.Maildir != "Maildir" ||
		id.Name != "Jane Doe" || id.Quota != "1000000S" || id.Options.String() != "group=staff" {
		t.Errorf("got %+v", id)
	}
	if id, err := ask(odd, "secret"); err != nil || id.Login != odd {
		t.Errorf("%s: %+v, %v", odd, id, err)
	}
	for _, login := range []string{"left@example.com", "' OR '1'='1", "jane@example.com' -- ", `jane@example.com\`, `\' OR 1=1 -- `,
		"x' UNION SELECT 'a','','secret',1,1,'/','','','','' -- ", "jane@example.com'; DROP TABLE users; -- ", "$(local_part)", "%", "jane%"} {
		if id, err := ask(login, "secret"); id != nil || !errors.Is(err, auth.ErrRejected) {
			t.Errorf("%q: %+v, %v", login, id, err)
		}
	}
	if _, err := (auth.Guard{Backend: table}).Authenticate(t.Context(), auth.Request{Login: "root@example.com", Service: "imap"}, "secret"); !errors.Is(err, auth.ErrUnusable) {
		t.Errorf("an account of root: %v", err)
	}
	if _, err := ask("jane", "secret"); err != nil {
		t.Error("afterwards:", err)
	}
}

// changes changes a password there and back, with characters that mean something.
func changes(t *testing.T, table *sqlquery.Table) {
	r := auth.Request{Login: "moves@example.com", Service: "imap"}
	passwords := []string{"secret", `n'ew "; DROP TABLE users; -- \`, "secret"}
	for i, old := range passwords[:2] {
		next := passwords[i+1]
		if err := table.ChangePassword(t.Context(), r, old, next); err != nil {
			t.Fatal(err)
		}
		if _, err := table.Authenticate(t.Context(), r, next); err != nil {
			t.Errorf("the new password: %v", err)
		}
		if _, err := table.Authenticate(t.Context(), r, old); !errors.Is(err, auth.ErrRejected) {
			t.Errorf("the old password: %v", err)
		}
		if err := table.ChangePassword(t.Context(), r, old, "x"); !errors.Is(err, auth.ErrRejected) {
			t.Errorf("changed with the old password: %v", err)
		}
		keys, err := table.LookupSecret(t.Context(), r, "CRAM-MD5")
		if err != nil || keys.Clear.Reveal() != next {
			t.Errorf("the secret of CRAM: %v", err)
		}
	}
}
