package ldap

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"strings"
	"time"

	driver "github.com/go-ldap/ldap/v3"

	"postrider/auth/rcfile"
)

// directory is a settings file at work.
type directory struct {
	*pool
	base, filter, enumerate string // filter may be empty
	deref                   int
	timeout                 time.Duration
	bind                    bool // the password is checked by a bind
	domain                  string
	uid, gid                int // of all entries, -1 if they have their own
	mailRoot                string
	names                   attributes
	options                 [][2]string // attribute, option
	emailMap                *emailMap   // nil: none
}

// attributes are the names of an entry's.
type attributes struct {
	mail, uid, gid, home, maildir, delivery, quota, name, clear, crypt string
}

// emailMap is a search that finds what to search for.
type emailMap struct{ base, filter, attribute, mail string }

// all are the attributes to ask for.
func (d *directory) all() []string {
	n := d.names
	list := []string{n.mail, n.home}
	for _, name := range []string{n.uid, n.gid, n.maildir, n.delivery, n.quota, n.name, n.clear, n.crypt} {
		if name != "" {
			list = append(list, name)
		}
	}
	for _, o := range d.options {
		list = append(list, o[0])
	}
	return list
}

// open makes of the settings what they say.
func (o Options) open(v rcfile.Values) (*directory, error) {
	d := &directory{
		base: v["LDAP_BASEDN"], domain: v["LDAP_DOMAIN"], mailRoot: v["LDAP_MAILROOT"],
		names: attributes{
			mail: v.Or("LDAP_MAIL", "mail"), uid: v["LDAP_UID"], gid: v["LDAP_GID"], home: v.Or("LDAP_HOMEDIR", "homeDirectory"),
			maildir: v["LDAP_MAILDIR"], delivery: v["LDAP_DEFAULTDELIVERY"], quota: v["LDAP_MAILDIRQUOTA"], name: v["LDAP_FULLNAME"],
			clear: v["LDAP_CLEARPW"], crypt: v["LDAP_CRYPTPW"],
		},
		filter: parenthesised(v["LDAP_FILTER"]),
	}
	d.enumerate = parenthesised(v.Or("LDAP_ENUMERATE_FILTER", v.Or("LDAP_FILTER", d.names.mail+"=*")))
	if d.base == "" {
		return nil, errors.New("LDAP_BASEDN is not set")
	}
	for _, filter := range []string{d.filter, d.enumerate} {
		if _, err := driver.CompileFilter(filter); filter != "" && err != nil {
			return nil, fmt.Errorf("the filter %s: %w", filter, err)
		}
	}
	var errs [6]error
	d.timeout, errs[0] = timeout(v)
	d.bind, errs[1] = yes(v, "LDAP_AUTHBIND")
	d.uid, errs[2] = globalID(v["LDAP_GLOB_UID"], d.names.uid, "LDAP_GLOB_UID", userID)
	d.gid, errs[3] = globalID(v["LDAP_GLOB_GID"], d.names.gid, "LDAP_GLOB_GID", groupID)
	d.deref, errs[4] = dereference(v["LDAP_DEREF"])
	errs[5] = d.more(v)
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	if !d.bind && d.names.clear == "" && d.names.crypt == "" {
		return nil, errors.New("none of LDAP_AUTHBIND, LDAP_CLEARPW and LDAP_CRYPTPW is set: no password can be checked")
	}
	var err error
	d.pool, err = o.pool(v, d.timeout)
	return d, err
}

// more reads what is seldom set.
func (d *directory) more(v rcfile.Values) error {
	for _, pair := range strings.FieldsFunc(v["LDAP_AUXOPTIONS"], func(r rune) bool { return r == ',' || r == ' ' }) {
		attribute, option, ok := strings.Cut(pair, "=")
		if !ok || attribute == "" || option == "" {
			return fmt.Errorf("LDAP_AUXOPTIONS: %q is not ATTRIBUTE=OPTION", pair)
		}
		d.options = append(d.options, [2]string{attribute, option})
	}
	if v["LDAP_EMAILMAP"] == "" {
		return nil
	}
	if v["LDAP_EMAILMAP_BASEDN"] == "" {
		return errors.New("LDAP_EMAILMAP wants LDAP_EMAILMAP_BASEDN")
	}
	d.emailMap = &emailMap{
		base: v["LDAP_EMAILMAP_BASEDN"], filter: parenthesised(v["LDAP_EMAILMAP"]),
		attribute: v.Or("LDAP_EMAILMAP_ATTRIBUTE", "handle"), mail: v.Or("LDAP_EMAILMAP_MAIL", d.names.mail),
	}
	return nil
}

// pool is how the settings have the directory reached.
func (o Options) pool(v rcfile.Values, wait time.Duration) (*pool, error) {
	p := &pool{uris: strings.Fields(v["LDAP_URI"]), wait: wait, places: make(chan struct{}, maxConnections)}
	if len(p.uris) == 0 {
		return nil, errors.New("LDAP_URI is not set")
	}
	first, err := yes(v, "LDAP_INITBIND")
	if err != nil {
		return nil, err
	}
	if first {
		if p.bindDN, p.bindPW = v["LDAP_BINDDN"], v["LDAP_BINDPW"]; p.bindDN == "" || p.bindPW == "" {
			return nil, errors.New("LDAP_INITBIND wants LDAP_BINDDN and LDAP_BINDPW")
		}
	}
	if p.startTLS, err = yes(v, "LDAP_TLS"); err != nil {
		return nil, err
	}
	p.tls, err = o.tlsConfig()
	return p, err
}

// tlsConfig is what the LDAP library of Courier takes from its environment.
func (o Options) tlsConfig() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	switch strings.ToLower(o.RequireCert) {
	case "never", "allow":
		c.InsecureSkipVerify = true
	case "", "try", "demand", "hard":
	default:
		return nil, fmt.Errorf("LDAPTLS_REQCERT: %q is none of never, allow, try, demand", o.RequireCert)
	}
	if o.CACert != "" {
		pem, err := os.ReadFile(o.CACert)
		if err != nil {
			return nil, fmt.Errorf("LDAPTLS_CACERT: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("LDAPTLS_CACERT: %s has no certificate", o.CACert)
		}
	}
	return c, nil
}

func parenthesised(filter string) string {
	if filter == "" || filter[0] == '(' {
		return filter
	}
	return "(" + filter + ")"
}

func yes(v rcfile.Values, name string) (bool, error) {
	n, err := v.Int(name)
	return n != 0, err
}

func timeout(v rcfile.Values) (time.Duration, error) {
	n, err := v.Int("LDAP_TIMEOUT")
	if err != nil {
		return 0, err
	}
	if n <= 0 {
		n = 5
	}
	return time.Duration(min(n, 60)) * time.Second, nil
}

func dereference(word string) (int, error) {
	switch strings.ToLower(word) {
	case "", "never":
		return driver.NeverDerefAliases, nil
	case "searching":
		return driver.DerefInSearching, nil
	case "finding":
		return driver.DerefFindingBaseObj, nil
	case "always":
		return driver.DerefAlways, nil
	}
	return 0, fmt.Errorf("LDAP_DEREF: %q is none of never, searching, finding, always", word)
}

// globalID is the uid or gid of all entries, -1 if each has its own.
func globalID(text, attribute, setting string, lookup func(string) (string, error)) (int, error) {
	if text == "" {
		if attribute == "" {
			return 0, fmt.Errorf("%s is not set, nor an attribute in its place", setting)
		}
		return -1, nil
	}
	if n, err := strconv.ParseUint(text, 10, 31); err == nil {
		return int(n), nil
	}
	id, err := lookup(text)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", setting, err)
	}
	return strconv.Atoi(id)
}

func userID(name string) (string, error) {
	u, err := user.Lookup(name)
	if err != nil {
		return "", err
	}
	return u.Uid, nil
}

func groupID(name string) (string, error) {
	g, err := user.LookupGroup(name)
	if err != nil {
		return "", err
	}
	return g.Gid, nil
}
