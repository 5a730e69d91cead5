package sqlquery

import (
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"postrider/auth/rcfile"
)

// Driver is one kind of database.
type Driver struct {
	Prefix  string // of the settings' names: "MYSQL_"
	Dialect Dialect
	// Connect makes the pool, without connecting.
	Connect func(rcfile.Values) (*sql.DB, error)
	// Unwritable reports that a text cannot be written in the character set of what it
	// is compared with, so that nothing there can be equal to it; nil: that is no error.
	Unwritable func(error) bool
}

// The pool's bounds.
const (
	maxConnections = 8
	maxIdle        = 4
	idleTime       = 5 * time.Minute
)

// database is a settings file at work.
type database struct {
	*sql.DB
	account, delivery *Query // delivery: for the service "courier"
	domain            string // appended to logins without one
	enumerate, change *Query // nil: there is none
	clear             bool   // passwords may be stored in clear
	unwritable        func(error) bool
}

// open makes of the settings what they say.
func (d Driver) open(v rcfile.Values) (*database, error) {
	db := &database{domain: v["DEFAULT_DOMAIN"], unwritable: d.Unwritable}
	var err error
	get := func(name string) string { return v[d.Prefix+name] }
	if clause := get("SELECT_CLAUSE"); clause != "" {
		if db.account, err = d.compile("SELECT_CLAUSE", clause); err != nil {
			return nil, err
		}
		db.delivery, db.clear = db.account, true
	} else if err := d.defaultQueries(db, v); err != nil {
		return nil, err
	}
	for _, c := range []struct {
		name string
		to   **Query
	}{{"ENUMERATE_CLAUSE", &db.enumerate}, {"CHPASS_CLAUSE", &db.change}} {
		if clause := get(c.name); clause != "" {
			if *c.to, err = d.compile(c.name, clause); err != nil {
				return nil, err
			}
		}
	}
	if db.DB, err = d.Connect(v); err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(maxConnections)
	db.SetMaxIdleConns(maxIdle)
	db.SetConnMaxIdleTime(idleTime)
	return db, nil
}

func (d Driver) compile(name, clause string) (*Query, error) {
	q, err := d.Dialect.Compile(clause)
	if err != nil {
		return nil, fmt.Errorf("%s%s: %w", d.Prefix, name, err)
	}
	return q, nil
}

// defaultQueries are those of settings that name columns.
func (d Driver) defaultQueries(db *database, v rcfile.Values) error {
	get := func(name, other string) string { return v.Or(d.Prefix+name, other) }
	table, crypt, clear := get("USER_TABLE", ""), get("CRYPT_PWFIELD", "''"), get("CLEAR_PWFIELD", "''")
	if table == "" {
		return fmt.Errorf("%sUSER_TABLE is not set", d.Prefix)
	}
	if crypt == "''" && clear == "''" {
		return fmt.Errorf("neither %sCRYPT_PWFIELD nor %[1]sCLEAR_PWFIELD is set", d.Prefix)
	}
	db.clear = clear != "''"
	login, where := get("LOGIN_FIELD", "id"), get("WHERE_CLAUSE", "1=1")
	common := []string{get("UID_FIELD", "uid"), get("GID_FIELD", "gid"), get("HOME_FIELD", "home")}
	rest := []string{get("QUOTA_FIELD", "''"), get("NAME_FIELD", "''"), get("AUXOPTIONS_FIELD", "''")}
	maildir := get("MAILDIR_FIELD", "''")
	delivery := get("DEFAULTDELIVERY", get("DEFAULTDELIVERY_FIELD", maildir))
	query := func(maildir string) (*Query, error) {
		columns := append([]string{login, crypt, clear}, common...)
		columns = append(append(columns, maildir), rest...)
		return d.compile("WHERE_CLAUSE", "SELECT "+strings.Join(columns, ", ")+" FROM "+table+" WHERE "+login+" = '$(login)' AND ("+where+")")
	}
	var err, err2, err3, err4 error
	db.account, err = query(maildir)
	db.delivery, err2 = query(delivery)
	options := get("AUXOPTIONS_FIELD", "''")
	db.enumerate, err3 = d.compile("WHERE_CLAUSE", "SELECT "+login+", "+strings.Join(common, ", ")+", "+maildir+", "+options+" FROM "+table+" WHERE "+where)
	db.change, err4 = d.compile("WHERE_CLAUSE", d.update(table, login, crypt, clear, where))
	return errors.Join(err, err2, err3, err4)
}

// update is the default way to change a password: in the columns that there are.
func (d Driver) update(table, login, crypt, clear, where string) string {
	var set []string
	if crypt != "''" {
		set = append(set, crypt+" = '$(newpass_crypt)'")
	}
	if clear != "''" {
		set = append(set, clear+" = '$(newpass)'")
	}
	return "UPDATE " + table + " SET " + strings.Join(set, ", ") + " WHERE " + login + " = '$(login)' AND (" + where + ")"
}

// values are what the substitutions stand for.
func (db *database) values(login, service string) map[string]string {
	local, domain, ok := strings.Cut(login, "@")
	if !ok && db.domain != "" {
		domain = db.domain
		login += "@" + domain
	}
	return map[string]string{"login": login, "local_part": local, "domain": domain, "service": service}
}
