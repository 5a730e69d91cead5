package accounts

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"postrider/auth"
	"postrider/auth/password"
	"postrider/auth/userdb"
	"postrider/config"
)

// Open opens the modules that c names. The verifier bounds what all of them
// spend on passwords together.
func Open(c *config.Config, logger *slog.Logger) (auth.Backend, error) {
	from := source{config: c, logger: logger, verifier: password.NewVerifier(password.Limits{})}
	var opened []auth.Backend
	for _, name := range c.Modules {
		i := slices.IndexFunc(modules(), func(m module) bool { return m.name == name })
		if i < 0 {
			// As courier-authlib does with a module that is not installed.
			logger.Warn("authmodulelist names a module that is not there", "module", name, "there are", Names())
			continue
		}
		backend, err := modules()[i].open(from)
		if err != nil {
			return nil, fmt.Errorf("accounts of %s: %w", name, err)
		}
		opened = append(opened, backend)
	}
	if len(opened) == 0 {
		return nil, fmt.Errorf("authmodulelist names no module that is there; there are %s", strings.Join(Names(), ", "))
	}
	return auth.Guard{Backend: auth.NewBrake(auth.Chain(opened...))}, nil
}

// Names are the modules that can stand in authmodulelist.
func Names() []string {
	var names []string
	for _, m := range modules() {
		names = append(names, m.name)
	}
	return names
}

// source is what a module may be opened from.
type source struct {
	config   *config.Config
	logger   *slog.Logger
	verifier *password.Verifier
}

// module is one row: a word of authmodulelist, and what it opens.
type module struct {
	name string
	open func(source) (auth.Backend, error)
}

func modules() []module {
	return []module{
		{"authuserdb", openUserdb},
	}
}

func openUserdb(s source) (auth.Backend, error) {
	return userdb.Open(s.config.Userdb, userdb.Options{Verifier: s.verifier, Logger: s.logger})
}
