package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"postrider/certificate"
	"postrider/cmd/accounts"
	"postrider/cmd/certificates"
	"postrider/config"
	"postrider/sasl"
)

// settingsCheck is what looking at the things that settings name has found.
type settingsCheck struct {
	loaded   *config.Loaded
	mistakes []config.Mistake // with which a server does not start, or not as meant
	notes    []config.Mistake
}

// checkSettings looks at what the settings name: files, users, modules, and settings that
// need each other. It changes nothing and connects to nothing.
func checkSettings(l *config.Loaded, now time.Time) *settingsCheck {
	k := &settingsCheck{loaded: l}
	k.accounts()
	k.tokens()
	k.certificate(now)
	k.daemon()
	k.user()
	k.access()
	k.others()
	return k
}

func (k *settingsCheck) wrong(setting, format string, args ...any) {
	k.mistakes = append(k.mistakes, k.loaded.At(setting, setting+": "+fmt.Sprintf(format, args...)))
}

func (k *settingsCheck) note(setting, format string, args ...any) {
	k.notes = append(k.notes, k.loaded.At(setting, setting+": "+fmt.Sprintf(format, args...)))
}

// accounts is where they come from and how they log in.
func (k *settingsCheck) accounts() {
	c := &k.loaded.Config
	for _, name := range c.Modules {
		if name == "authuserdb" {
			for _, w := range accounts.CheckUserdb(c) {
				k.wrong("USERDB", "%s", w)
			}
			continue
		}
		if err := accounts.CheckModule(c, name); err != nil {
			k.wrong("authmodulelist", "%v", err)
		}
	}
	if len(c.Modules) == 0 {
		k.wrong("authmodulelist", "no module is named; there are %s", strings.Join(accounts.Names(), ", "))
	}
	if err := accounts.CheckSecret(c); err != nil {
		k.wrong("AUTH_SECRETFILE", "%v; put 32 random bytes into it, which the server's user alone can read", err)
	}
	for _, name := range c.Mechanisms {
		if !slices.Contains(knownMechanisms(), name) {
			k.wrong("AUTH_MECHANISMS", "no mechanism %s is there; there are %s", name, strings.Join(knownMechanisms(), ", "))
		}
	}
}

func knownMechanisms() []string {
	all := append([]string{"EXTERNAL", "OAUTHBEARER", "XOAUTH2", "PLAIN", "LOGIN"}, sasl.CRAMMechanisms()...)
	for _, m := range sasl.SCRAMMechanisms() {
		all = append(all, m, m+"-PLUS")
	}
	return all
}

// tokens are the settings of OAUTH_, which need each other.
func (k *settingsCheck) tokens() {
	c := &k.loaded.Config
	if c.OAuth.Issuer == "" && c.OAuth.Introspection == "" {
		for _, name := range []string{"OAUTH_AUDIENCE", "OAUTH_SCOPE", "OAUTH_CLIENT_ID", "OAUTH_CLIENT_SECRETFILE"} {
			if k.loaded.Text(name) != "" {
				k.wrong(name, "without OAUTH_ISSUER or OAUTH_INTROSPECTION no token logs in: set one of them, or take this out")
			}
		}
		return
	}
	by := "OAUTH_ISSUER"
	if c.OAuth.Issuer == "" {
		by = "OAUTH_INTROSPECTION"
	}
	if err := accounts.CheckTokens(c); err != nil {
		k.wrong(by, "%v", err)
	}
	if c.OAuth.Introspection != "" && c.OAuth.ClientSecretFile == "" {
		k.wrong("OAUTH_INTROSPECTION", "OAUTH_CLIENT_SECRETFILE is not set, with the secret of who asks")
	}
}

// certificate is the server's own.
func (k *settingsCheck) certificate(now time.Time) {
	c := &k.loaded.Config
	if c.CertFile == "" {
		if !k.loaded.IsDefault("SSLPORT") && len(c.ListenTLS) > 0 {
			k.note("SSLPORT", "nothing listens there while TLS_CERTFILE is not set")
		}
		if len(c.Listen) == 0 {
			k.wrong("PORT", "nothing to listen on: set it, or SSLPORT with TLS_CERTFILE")
		}
		if c.RequireTLS {
			k.wrong("IMAP_TLS_REQUIRED", "nobody can log in while TLS_CERTFILE is not set")
		}
		return
	}
	read, err := certificate.Read(c.CertFile, c.KeyFile)
	if errors.Is(err, fs.ErrNotExist) && len(c.ACME.Names) > 0 {
		k.note("TLS_CERTFILE", "%s is not there yet: serve waits for the first certificate of ACME_NAMES", c.CertFile)
		return
	}
	if err != nil {
		setting := "TLS_CERTFILE"
		if _, e := os.Stat(c.KeyFile); c.KeyFile != "" && e != nil {
			setting = "TLS_PRIVATE_KEYFILE"
		}
		k.wrong(setting, "%v", err)
		return
	}
	const form = "2 January 2006 15:04 MST"
	switch leaf := read.Leaf; {
	case now.After(leaf.NotAfter):
		k.wrong("TLS_CERTFILE", "the certificate in %s ended on %s: renew it", c.CertFile, leaf.NotAfter.Format(form))
	case now.Before(leaf.NotBefore):
		k.wrong("TLS_CERTFILE", "the certificate in %s begins on %s", c.CertFile, leaf.NotBefore.Format(form))
	case now.AddDate(0, 0, 7).After(leaf.NotAfter):
		k.note("TLS_CERTFILE", "the certificate in %s ends on %s", c.CertFile, leaf.NotAfter.Format(form))
	}
	k.authorities()
}

// authorities are who signs clients' certificates.
func (k *settingsCheck) authorities() {
	c := &k.loaded.Config
	files, err := certificates.Files(c, nil)
	if err != nil {
		k.wrong("TLS_EXTERNAL", "%v", err)
		return
	}
	tell := k.wrong
	if files.Verify == certificate.VerifyNone {
		if c.External != "" {
			k.wrong("TLS_EXTERNAL", "clients are asked for no certificate: set TLS_VERIFYPEER to PEER, and TLS_TRUSTCERTS")
		}
		if c.TrustCerts == "" {
			return
		}
		files.Verify, tell = certificate.VerifyPeer, k.note // not read then
	}
	if _, err := certificate.Open(files); err != nil {
		tell("TLS_TRUSTCERTS", "%v", err)
	}
}

// daemon is what couriertcpd alone can do.
func (k *settingsCheck) daemon() {
	c := &k.loaded.Config
	if c.Proxied {
		k.note("TCPDOPTS", "%s", proxiedMistake)
	}
	if len(c.TCPDOthers) > 0 {
		k.note("TCPDOPTS", "couriertcpd alone obeys %s, serve does not", strings.Join(c.TCPDOthers, " "))
	}
}

// user is RUN_AS.
func (k *settingsCheck) user() {
	name := k.loaded.Config.User
	if name == "" {
		k.note("RUN_AS", "not set: started as root, serve has a process for each uid that an account names; for one user of all mail, such as vmail, name him")
		return
	}
	switch uid, gid, err := identify("RUN_AS", name); {
	case err != nil:
		k.wrong("RUN_AS", "%s; make that user, or name the one that the Maildirs belong to", strings.TrimPrefix(err.Error(), "RUN_AS: "))
	case uid == 0:
		k.wrong("RUN_AS", "must not be root; name the user that the Maildirs belong to")
	default:
		k.readable(uid, gid)
	}
}

// access is the access file.
func (k *settingsCheck) access() {
	setting := "IMAPACCESSFILE"
	if k.loaded.Text(setting) != k.loaded.Config.AccessFile {
		setting = "TCPDOPTS"
	}
	c := &k.loaded.Config
	access, notes, err := openAccess(c)
	switch {
	case err != nil:
		k.wrong(setting, "%v", err)
	case access == nil && c.AccessFile != "":
		k.note(setting, "%s is not there: everybody may connect", c.AccessFile)
	case access != nil && access.Denies() && c.User == "" && c.ProcessModel != "one":
		k.note(setting, "serve does not start where it keeps somebody out and there is a process for each uid: see RUN_AS and PROCESS_MODEL")
	}
	for _, n := range notes {
		k.wrong(setting, "%v; the line is passed over", n)
	}
}

// others are programs and directories.
func (k *settingsCheck) others() {
	c := &k.loaded.Config
	if info, err := os.Stat(c.Skeleton); c.Skeleton != "" && (err != nil || !info.IsDir()) {
		k.wrong("AUTH_MKHOMEDIR_SKEL", "%s is no directory; make it, or take the setting out", c.Skeleton)
	}
	if info, err := os.Stat(c.Sendmail); c.Outbox != "" && (err != nil || info.IsDir() || info.Mode()&0o111 == 0) {
		k.wrong("SENDMAIL", "%s is no program, and OUTBOX sends with it", c.Sendmail)
	}
}
