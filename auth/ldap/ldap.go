package ldap

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync/atomic"

	driver "github.com/go-ldap/ldap/v3"

	"postrider/auth"
	"postrider/auth/password"
	"postrider/auth/rcfile"
)

// Options are what a Directory needs beside its settings.
type Options struct {
	Verifier *password.Verifier // required; share one among all backends
	Logger   *slog.Logger       // nil: no log

	CACert      string // LDAPTLS_CACERT: PEM file of the authorities; "": the system's
	RequireCert string // LDAPTLS_REQCERT: "never" does not check the server's certificate
}

// Directory is the accounts of one authldaprc. It implements auth.Backend.
type Directory struct {
	source   *rcfile.Source[*directory]
	verifier *password.Verifier
	log      *slog.Logger
	like     atomic.Pointer[string] // a stored password, to know what a check costs
}

var _ auth.Backend = (*Directory)(nil)

// Open reads the settings file at path. It does not connect: a directory that is down
// must not keep a server from starting.
func Open(path string, o Options) (*Directory, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	source, err := rcfile.Open(path, o.open, o.Logger)
	if err != nil {
		return nil, err
	}
	return &Directory{source: source, verifier: o.Verifier, log: o.Logger}, nil
}

// Authenticate implements auth.Backend.
func (b *Directory) Authenticate(ctx context.Context, r auth.Request, pass string) (*auth.Identity, error) {
	d := b.source.Get()
	e, err := b.entry(ctx, d, r)
	if errors.Is(err, auth.ErrRejected) || err == nil && pass == "" {
		return nil, b.waste(ctx, d, pass)
	}
	if err != nil {
		return nil, err
	}
	if d.bind {
		err = b.checkByBind(ctx, d, e.DN, pass)
	} else {
		err = b.checkStored(ctx, d, e, r.Login, pass)
	}
	if err != nil {
		return nil, err
	}
	id, err := b.identity(d, e, r)
	if err == nil {
		id.Clear = auth.NewSecret(pass)
	}
	return id, err
}

// Lookup implements auth.Backend. The identity carries the stored passwords.
func (b *Directory) Lookup(ctx context.Context, r auth.Request) (*auth.Identity, error) {
	d := b.source.Get()
	e, err := b.entry(ctx, d, r)
	if err != nil {
		return nil, err
	}
	id, err := b.identity(d, e, r)
	if err == nil {
		id.Hash, id.Clear = auth.NewSecret(b.value(e, d.names.crypt)), auth.NewSecret(b.value(e, d.names.clear))
	}
	return id, err
}

// waste rejects after the work of a check. Where a bind checks, that is a bind as
// somebody who does not exist: one as somebody who does might lock him out.
func (b *Directory) waste(ctx context.Context, d *directory, pass string) error {
	if d.bind {
		if pass == "" {
			return auth.ErrRejected
		}
		if err := b.checkByBind(ctx, d, "cn=nobody,"+d.base, pass); err != nil {
			return err
		}
		return auth.ErrRejected
	}
	like := ""
	if p := b.like.Load(); p != nil {
		like = *p
	}
	if err := b.verifier.Waste(ctx, like, pass); err != nil {
		return err
	}
	return auth.ErrRejected
}

// checkStored compares with the entry's password: the one in clear decides if it is
// there.
func (b *Directory) checkStored(ctx context.Context, d *directory, e *driver.Entry, login, pass string) error {
	stored := b.value(e, d.names.crypt)
	if clear := b.value(e, d.names.clear); clear != "" {
		stored = "{PLAIN}" + clear
	}
	if stored == "" {
		return b.waste(ctx, d, pass)
	}
	b.like.Store(&stored)
	ok, err := b.verifier.Verify(ctx, stored, pass)
	switch {
	case errors.Is(err, password.ErrUnsupported):
		b.log.Warn("stored password not usable", "user", login, "reason", err.Error())
		return b.waste(ctx, d, pass)
	case err != nil:
		return err
	case !ok:
		return auth.ErrRejected
	}
	return nil
}

// checkByBind binds as the entry.
func (b *Directory) checkByBind(ctx context.Context, d *directory, dn, pass string) error {
	if pass == "" || strings.ContainsRune(pass, 0) {
		return auth.ErrRejected
	}
	err := d.do(ctx, func(c *connection) error {
		c.foreign = true
		return c.Bind(dn, pass)
	})
	switch {
	case err == nil:
		return nil
	case driver.IsErrorAnyOf(err, driver.LDAPResultInvalidCredentials, driver.LDAPResultInappropriateAuthentication, driver.LDAPResultNoSuchObject):
		return auth.ErrRejected
	}
	return b.failed(ctx, err)
}

// failed is a question without an answer: given up by who asked, or temporary.
func (b *Directory) failed(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("asking the directory: %w", ctx.Err())
	}
	b.log.Error("the directory of accounts does not answer", "err", err)
	return fmt.Errorf("%w: asking the directory: %w", auth.ErrTemporary, err)
}

// entry is the one entry of a login; none, or more than one, is auth.ErrRejected.
func (b *Directory) entry(ctx context.Context, d *directory, r auth.Request) (*driver.Entry, error) {
	if r.Login == "" || len(r.Login) > auth.MaxLogin || strings.ContainsRune(r.Login, 0) {
		return nil, auth.ErrRejected
	}
	attribute, value := d.names.mail, d.login(r.Login)
	if m := d.emailMap; m != nil && strings.Contains(value, "@") {
		mapped, err := b.mapped(ctx, d, value)
		if err != nil {
			return nil, err
		}
		attribute, value = m.mail, mapped
	}
	filter := "(" + attribute + "=" + driver.EscapeFilter(value) + ")"
	if d.filter != "" {
		filter = "(&" + d.filter + filter + ")"
	}
	return b.only(ctx, d, d.base, filter, d.all())
}

// login is a login with the domain of those that have none.
func (d *directory) login(login string) string {
	if d.domain != "" && !strings.Contains(login, "@") {
		return login + "@" + strings.TrimPrefix(d.domain, "@")
	}
	return login
}

// mapped is what LDAP_EMAILMAP finds for a login.
func (b *Directory) mapped(ctx context.Context, d *directory, login string) (string, error) {
	local, domain, _ := strings.Cut(login, "@")
	filter := strings.NewReplacer("@user@", driver.EscapeFilter(local), "@realm@", driver.EscapeFilter(domain)).Replace(d.emailMap.filter)
	e, err := b.only(ctx, d, d.emailMap.base, filter, []string{d.emailMap.attribute})
	if err != nil {
		return "", err
	}
	if v := b.value(e, d.emailMap.attribute); v != "" {
		return v, nil
	}
	return "", auth.ErrRejected
}

// only searches for the one entry that a filter finds.
func (b *Directory) only(ctx context.Context, d *directory, base, filter string, attributes []string) (*driver.Entry, error) {
	var found *driver.SearchResult
	err := d.do(ctx, func(c *connection) (err error) {
		found, err = c.Search(driver.NewSearchRequest(base, driver.ScopeWholeSubtree, d.deref, 2, int(d.timeout.Seconds()), false, filter, attributes, nil))
		return err
	})
	switch {
	case driver.IsErrorWithCode(err, driver.LDAPResultSizeLimitExceeded), err == nil && len(found.Entries) > 1:
		b.log.Warn("more than one entry of the directory is found: none counts", "filter", filter)
		return nil, auth.ErrRejected
	case driver.IsErrorWithCode(err, driver.LDAPResultNoSuchObject), err == nil && len(found.Entries) == 0:
		return nil, auth.ErrRejected
	case err != nil:
		return nil, b.failed(ctx, err)
	}
	return found.Entries[0], nil
}

// value is the first value of an attribute, "" if there is none.
func (b *Directory) value(e *driver.Entry, attribute string) string {
	if attribute == "" {
		return ""
	}
	values := e.GetEqualFoldAttributeValues(attribute)
	if len(values) == 0 {
		return ""
	}
	if len(values) > 1 {
		b.log.Warn("an attribute has several values: the first counts", "entry", e.DN, "attribute", attribute)
	}
	return values[0]
}

// identity is the account of an entry; what cannot be one is auth.ErrUnusable.
func (b *Directory) identity(d *directory, e *driver.Entry, r auth.Request) (*auth.Identity, error) {
	uid, err := b.id(d.uid, e, d.names.uid)
	if err != nil {
		return nil, err
	}
	gid, err := b.id(d.gid, e, d.names.gid)
	if err != nil {
		return nil, err
	}
	home := b.value(e, d.names.home)
	if d.mailRoot != "" {
		home = strings.TrimSuffix(d.mailRoot, "/") + "/" + strings.TrimPrefix(home, "/")
	}
	maildir := d.names.maildir
	if r.Service == "courier" && d.names.delivery != "" {
		maildir = d.names.delivery
	}
	var options []string
	for _, o := range d.options {
		if v := b.value(e, o[0]); v != "" {
			options = append(options, o[1]+"="+v)
		}
	}
	return &auth.Identity{
		Login: d.login(r.Login), UID: uid, GID: gid, Home: home, Maildir: b.value(e, maildir), Name: b.value(e, d.names.name),
		Quota: b.value(e, d.names.quota), Options: auth.ParseOptions(strings.Join(options, ",")),
	}, nil
}

// id is an entry's uid or gid, else that of all entries.
func (b *Directory) id(global int, e *driver.Entry, attribute string) (int, error) {
	text := b.value(e, attribute)
	if text == "" && global >= 0 {
		return global, nil
	}
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return 0, fmt.Errorf("%w: %s of %s: %w", auth.ErrUnusable, attribute, e.DN, err)
	}
	return int(n), nil
}
