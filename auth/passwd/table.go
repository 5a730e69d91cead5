package passwd

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"postrider/auth"
)

// table is the accounts of one state of the files. It is never written after it was
// read.
type table struct {
	accounts map[string]account
	like     string // a stored password of the most common kind
}

// account is one line of passwd with its line of shadow.
type account struct {
	stored      string
	uid, gid    int
	gecos, home string
	dates       dates
}

// dates are those of shadow(5), in days since 1970; never where there is none.
type dates struct{ changed, maximum, expires int }

const never = -1

// expired tells whether the account or its password is over at a time. A password
// that was changed on day 0 must be changed before it counts.
func (a *account) expired(now time.Time) error {
	today := int(now.Unix() / (24 * 60 * 60))
	d := a.dates
	switch {
	case d.expires != never && today >= d.expires:
		return fmt.Errorf("%w: the account is over since day %d", auth.ErrExpired, d.expires)
	case d.changed == 0:
		return fmt.Errorf("%w: it must be changed", auth.ErrExpired)
	case d.changed != never && d.maximum != never && today > d.changed+d.maximum:
		return fmt.Errorf("%w: it is older than %d days", auth.ErrExpired, d.maximum)
	}
	return nil
}

// parse reads passwd, and shadow if there is one. A line that cannot be read is
// logged and skipped; the others count.
func (db *DB) parse(texts []string) (*table, error) {
	t := &table{accounts: make(map[string]account)}
	number := 0
	complain := func(file string, line int, err error) {
		db.log.Warn("line of the system's accounts skipped", "file", file, "line", line, "reason", err.Error())
	}
	for line := range strings.Lines(texts[0]) {
		number++
		name, a, err := parsePasswd(strings.TrimSuffix(line, "\n"))
		if err != nil {
			complain("passwd", number, err)
			continue
		}
		if _, taken := t.accounts[name]; name != "" && !taken { // as getpwnam finds it
			t.accounts[name] = a
		}
	}
	if len(texts) > 1 {
		number = 0
		t.forgetPasswords()
		seen := make(map[string]bool)
		for line := range strings.Lines(texts[1]) {
			number++
			name, stored, d, err := parseShadow(strings.TrimSuffix(line, "\n"))
			if err != nil {
				complain("shadow", number, err)
				continue
			}
			if a, found := t.accounts[name]; found && !seen[name] {
				a.stored, a.dates, seen[name] = stored, d, true
				t.accounts[name] = a
			}
		}
	}
	t.like = t.usual()
	return t, nil
}

// forgetPasswords: where there is a shadow, what stands in passwd does not count.
func (t *table) forgetPasswords() {
	for name, a := range t.accounts {
		a.stored = ""
		t.accounts[name] = a
	}
}

// usual is a stored password of the most common kind.
func (t *table) usual() (like string) {
	count := make(map[string]int)
	for _, a := range t.accounts {
		if !strings.HasPrefix(a.stored, "$") {
			continue
		}
		kind, _, _ := strings.Cut(a.stored[1:], "$")
		if count[kind]++; like == "" || count[kind] > count[kindOf(like)] {
			like = a.stored
		}
	}
	return like
}

func kindOf(stored string) string {
	kind, _, _ := strings.Cut(strings.TrimPrefix(stored, "$"), "$")
	return kind
}

// parsePasswd reads name:password:uid:gid:gecos:home:shell. The name is empty for a
// line that holds no account: blank, a comment, or one that asks NIS ("+...", "-...").
func parsePasswd(line string) (string, account, error) {
	if line == "" || strings.ContainsRune("#+-", rune(line[0])) {
		return "", account{}, nil
	}
	f := strings.Split(line, ":")
	if len(f) != 7 {
		return "", account{}, errors.New("it has not seven fields")
	}
	if f[0] == "" || len(f[0]) > auth.MaxLogin || strings.IndexByte(line, 0) >= 0 {
		return "", account{}, errors.New("the name is unusable")
	}
	uid, err1 := id(f[2])
	gid, err2 := id(f[3])
	if err1 != nil || err2 != nil {
		return "", account{}, errors.New("uid or gid is not a number")
	}
	a := account{uid: uid, gid: gid, gecos: f[4], home: f[5], dates: dates{never, never, never}}
	if f[1] != "x" {
		a.stored = f[1]
	}
	return f[0], a, nil
}

func id(text string) (int, error) {
	n, err := strconv.ParseUint(text, 10, 32)
	if err == nil && n == 1<<32-1 { // (uid_t)-1 stands for none
		err = strconv.ErrRange
	}
	return int(n), err
}

// parseShadow reads name:password:changed:minimum:maximum:warn:inactive:expires:flag.
func parseShadow(line string) (name, stored string, d dates, err error) {
	if line == "" || strings.ContainsRune("#+-", rune(line[0])) {
		return "", "", dates{}, nil
	}
	f := strings.Split(line, ":")
	if len(f) != 9 {
		return "", "", dates{}, errors.New("it has not nine fields")
	}
	for _, field := range []struct {
		text string
		into *int
	}{{f[2], &d.changed}, {f[4], &d.maximum}, {f[7], &d.expires}} {
		*field.into = never
		if field.text == "" || field.text == "-1" {
			continue
		}
		n, err := strconv.ParseUint(field.text, 10, 31)
		if err != nil {
			return "", "", dates{}, errors.New("a date is not a number")
		}
		*field.into = min(int(n), 1<<30)
	}
	return f[0], f[1], d, nil
}
