package ldap_test

import (
	"errors"
	"testing"

	"postrider/auth"
	"postrider/auth/conformance"
	"postrider/auth/dbtest"
	"postrider/auth/ldap"
	"postrider/auth/password"
)

// entries are accounts with the password "secret".
const entries = `dn: ou=people,dc=example,dc=com
objectClass: organizationalUnit
ou: people

dn: uid=jane,ou=people,dc=example,dc=com
objectClass: inetOrgPerson
objectClass: posixAccount
uid: jane
cn: Jane Doe
sn: Doe
mail: jane@example.com
mail: jane.doe@example.com
uidNumber: 14300
gidNumber: 14301
homeDirectory: /home/jane
userPassword: secret
description: secret
roomNumber: Maildir
employeeType: staff

dn: uid=closed,ou=people,dc=example,dc=com
objectClass: inetOrgPerson
objectClass: posixAccount
uid: closed
cn: Closed
sn: Closed
mail: closed@example.com
uidNumber: 14302
gidNumber: 14302
homeDirectory: /home/closed
userPassword: secret
description: secret
departmentNumber: 1

dn: uid=left,ou=people,dc=example,dc=com
objectClass: inetOrgPerson
objectClass: posixAccount
uid: left
cn: Left
sn: Left
mail: left@example.com
uidNumber: 14303
gidNumber: 14303
homeDirectory: /home/left
userPassword: secret
description: secret
title: gone

dn: uid=twin,ou=people,dc=example,dc=com
objectClass: inetOrgPerson
objectClass: posixAccount
uid: twin
cn: Twin
sn: Twin
mail: twins@example.com
uidNumber: 14304
gidNumber: 14304
homeDirectory: /home/twin
userPassword: secret

dn: uid=twin2,ou=people,dc=example,dc=com
objectClass: inetOrgPerson
objectClass: posixAccount
uid: twin2
cn: Twin
sn: Twin
mail: twins@example.com
uidNumber: 14305
gidNumber: 14305
homeDirectory: /home/twin2
userPassword: secret

dn: cn=list,dc=example,dc=com
objectClass: inetOrgPerson
cn: list
sn: list
mail: office@example.org
givenName: jane@example.com
`

func settings(s *dbtest.Slapd, uri string, more ...string) []string {
	return append([]string{"LDAP_URI " + uri, "LDAP_BASEDN ou=people, dc=example, dc=com", "LDAP_INITBIND 1", "LDAP_BINDDN cn=admin, dc=example, dc=com", "LDAP_BINDPW word",
		"LDAP_DOMAIN example.com", "LDAP_FILTER (!(title=gone))", "LDAP_UID uidNumber", "LDAP_GID gidNumber", "LDAP_HOMEDIR homeDirectory", "LDAP_MAILDIR roomNumber",
		"LDAP_FULLNAME cn", "LDAP_AUXOPTIONS departmentNumber=disableimap,employeeType=group", "LDAP_TIMEOUT 2"}, more...)
}

// TestRealDirectory asks Debian's slapd, by comparison and by bind, plain and over TLS.
func TestRealDirectory(t *testing.T) {
	s := dbtest.StartSlapd(t, entries)
	clear, bind := "LDAP_CLEARPW description", "LDAP_AUTHBIND 1"
	for name, c := range map[string]struct {
		uri   string
		lines []string
	}{
		"comparison":        {s.URI, []string{clear}},
		"bind":              {s.URI, []string{bind}},
		"bind over TLS":     {s.SecureURI, []string{bind}},
		"StartTLS":          {s.URI, []string{clear, "LDAP_TLS 1"}},
		"the second of two": {"ldap://127.0.0.1:1 " + s.URI, []string{clear}},
	} {
		t.Run(name, func(t *testing.T) {
			conformance.Test(t, func(t *testing.T) conformance.Fixture {
				b, v := open(t, s, settings(s, c.uri, c.lines...)...)
				f := conformance.Fixture{Backend: b, Login: "jane@example.com", Password: "secret", Disabled: "closed@example.com",
					Break: s.Stop, Mend: s.Start, Stall: s.Stall, Resume: s.Resume}
				if c.lines[0] == clear {
					f.Checks = v.Checks
				}
				return f
			})
		})
	}
	t.Run("entries", func(t *testing.T) { testEntries(t, s, clear) })
	t.Run("untrusted", func(t *testing.T) {
		b, err := ldap.Open(dbtest.Settings(t, settings(s, s.SecureURI, bind)...), ldap.Options{Verifier: password.NewVerifier(password.Limits{})})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.Authenticate(t.Context(), auth.Request{Login: "closed@example.com"}, "secret"); !errors.Is(err, auth.ErrTemporary) {
			t.Errorf("a server that nobody vouches for: %v", err)
		}
	})
	t.Run("change", func(t *testing.T) {
		for _, line := range []string{clear, bind} {
			testChange(t, s, line)
		}
	})
}

func open(t *testing.T, s *dbtest.Slapd, lines ...string) (*ldap.Directory, *password.Verifier) {
	t.Helper()
	v := password.NewVerifier(password.Limits{})
	b, err := ldap.Open(dbtest.Settings(t, lines...), ldap.Options{Verifier: v, CACert: s.CA})
	if err != nil {
		t.Fatal(err)
	}
	return b, v
}

func testEntries(t *testing.T, s *dbtest.Slapd, clear string) {
	b, _ := open(t, s, settings(s, s.URI, clear)...)
	id, err := b.Authenticate(t.Context(), auth.Request{Login: "jane"}, "secret")
	if err != nil {
		t.Fatal(err)
	}
	if id.Login != "jane@example.com" || id.UID != 14300 || id.GID != 14301 || id.Home != "/home/jane" || id.Maildir != "Maildir" ||
		id.Name != "Jane Doe" || id.Options.String() != "group=staff" {
		t.Errorf("got %+v", id)
	}
	for what, login := range map[string]string{"filtered out": "left", "two entries": "twins", "a star": "*", "a filter": "jane@example.com)(mail=*", "outside the base": "office@example.org"} {
		if id, err := b.Authenticate(t.Context(), auth.Request{Login: login}, "secret"); id != nil || !errors.Is(err, auth.ErrRejected) {
			t.Errorf("%s: %+v, %v", what, id, err)
		}
	}
	mapped, _ := open(t, s, settings(s, s.URI, clear, "LDAP_EMAILMAP (&(mail=@user@@@realm@)(cn=list))", "LDAP_EMAILMAP_BASEDN dc=example,dc=com",
		"LDAP_EMAILMAP_ATTRIBUTE givenName", "LDAP_GLOB_UID 15000", "LDAP_MAILROOT /var/mail")...)
	id, err = mapped.Authenticate(t.Context(), auth.Request{Login: "office@example.org"}, "secret")
	if err != nil || id.Home != "/var/mail/home/jane" || id.UID != 14300 {
		t.Errorf("by way of LDAP_EMAILMAP: %+v, %v", id, err)
	}
	listed := map[string]bool{}
	if err := b.Enumerate(t.Context(), func(id *auth.Identity) error { listed[id.Login] = true; return nil }); err != nil {
		t.Fatal(err)
	}
	if !listed["jane@example.com"] || !listed["jane.doe@example.com"] || listed["left@example.com"] {
		t.Errorf("listed %v", listed)
	}
}

func testChange(t *testing.T, s *dbtest.Slapd, line string) {
	b, _ := open(t, s, settings(s, s.URI, line)...)
	r := auth.Request{Login: "closed@example.com"}
	passwords := []string{"secret", `n'ew "*)(uid=*` + "\u00e9", "secret"}
	for i, old := range passwords[:2] {
		if err := b.ChangePassword(t.Context(), r, old, passwords[i+1]); err != nil {
			t.Fatal(line, err)
		}
		if _, err := b.Authenticate(t.Context(), r, passwords[i+1]); err != nil {
			t.Errorf("%s: the new password: %v", line, err)
		}
		if err := b.ChangePassword(t.Context(), r, old, "x"); !errors.Is(err, auth.ErrRejected) {
			t.Errorf("%s: the old password: %v", line, err)
		}
	}
}

// What is wrong with the settings is named.
func TestSettings(t *testing.T) {
	for name, lines := range map[string][]string{
		"no base": {"LDAP_URI ldap://x"}, "no URI": {"LDAP_BASEDN dc=x", "LDAP_AUTHBIND 1", "LDAP_GLOB_UID 1", "LDAP_GLOB_GID 1"},
		"no password": {"LDAP_URI ldap://x", "LDAP_BASEDN dc=x", "LDAP_GLOB_UID 1", "LDAP_GLOB_GID 1"},
		"no uid":      {"LDAP_URI ldap://x", "LDAP_BASEDN dc=x", "LDAP_AUTHBIND 1"},
		"bad filter":  {"LDAP_URI ldap://x", "LDAP_BASEDN dc=x", "LDAP_AUTHBIND 1", "LDAP_FILTER (a=", "LDAP_GLOB_UID 1", "LDAP_GLOB_GID 1"},
		"bad number":  {"LDAP_URI ldap://x", "LDAP_BASEDN dc=x", "LDAP_AUTHBIND yes", "LDAP_GLOB_UID 1", "LDAP_GLOB_GID 1"},
	} {
		if _, err := ldap.Open(dbtest.Settings(t, lines...), ldap.Options{}); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}
