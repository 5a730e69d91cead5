package accounts

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"strings"

	"postrider/auth/password"
	"postrider/auth/userdb"
	"postrider/config"
)

// CheckModule tells what keeps a module of authmodulelist from being asked, nil if it can
// be. It opens what a server would open, and connects to nothing.
func CheckModule(c *config.Config, name string) error {
	i := slices.IndexFunc(modules(), func(m module) bool { return m.name == name })
	if i < 0 {
		return fmt.Errorf("%s: no module of this name is there; there are %s", name, strings.Join(Names(), ", "))
	}
	opened, err := modules()[i].open(source{config: c, logger: slog.New(slog.DiscardHandler), verifier: password.NewVerifier(password.Limits{})})
	if errors.Is(err, errNotSetUp) {
		return fmt.Errorf("%s: %w; make what it needs, or take the module out", name, err)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if closer, ok := opened.(interface{ Close() error }); ok {
		return closer.Close()
	}
	if closer, ok := opened.(interface{ Close() }); ok {
		closer.Close()
	}
	return nil
}

// CheckUserdb tells what is wrong with the userdb: its lines, or all of it.
func CheckUserdb(c *config.Config) (wrong []string) {
	if _, err := userdb.Open(c.Userdb, userdb.Options{Verifier: password.NewVerifier(password.Limits{})}); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return []string{err.Error() + "; make it with userdb(8), name another, or take authuserdb out of authmodulelist"}
		}
		return []string{err.Error()}
	}
	report, err := userdb.Check(c.Userdb)
	if err != nil {
		return []string{err.Error()}
	}
	wrong = report.Mistakes
	if report.More > 0 {
		wrong = append(wrong, fmt.Sprintf("and %d lines more", report.More))
	}
	if report.Duplicate != "" {
		wrong = append(wrong, fmt.Sprintf("%q stands twice; makeuserdb refuses that", report.Duplicate))
	}
	return wrong
}

// CheckSecret tells what is wrong with AUTH_SECRETFILE.
func CheckSecret(c *config.Config) error {
	_, err := secret(c)
	return err
}

// CheckTokens tells what is wrong with the settings of OAUTH_, taken together. No provider
// is asked.
func CheckTokens(c *config.Config) error {
	_, err := tokens(c)
	return err
}
