package accounts

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"postrider/auth"
	"postrider/auth/ldap"
	"postrider/auth/mysql"
	"postrider/auth/password"
	"postrider/auth/pgsql"
	"postrider/auth/sqlite"
	"postrider/auth/sqlquery"
	"postrider/auth/userdb"
	"postrider/config"
)

// Open opens the modules that c names, as one backend. Where a daemon runs that may
// know a module which is not there, it is asked for all of them.
func Open(c *config.Config, logger *slog.Logger) (auth.Backend, error) {
	if missing := missing(c); missing != "" && DaemonRuns(c) {
		logger.Info("authdaemond is asked for all accounts: authmodulelist names a module that is not built in",
			"module", missing, "socket", AuthdaemonSocket(c))
		named := *c
		named.Modules = []string{"authdaemon"}
		c = &named
	}
	opened, err := OpenModules(c, logger)
	if err != nil {
		return nil, err
	}
	return Join(c, opened)
}

// Module is one that was opened.
type Module struct {
	Name    string // as authmodulelist has it
	Backend auth.Backend
}

// OpenModules opens the modules that c names, each by itself. The verifier bounds
// what all of them spend on passwords together.
func OpenModules(c *config.Config, logger *slog.Logger) ([]Module, error) {
	from := source{config: c, logger: logger, verifier: password.NewVerifier(password.Limits{})}
	var opened []Module
	for _, name := range c.Modules {
		i := slices.IndexFunc(modules(), func(m module) bool { return m.name == name })
		if i < 0 {
			// As courier-authlib does with a module that is not installed.
			logger.Warn("authmodulelist names a module that is not there", "module", name, "there are", Names())
			continue
		}
		backend, err := modules()[i].open(from)
		if errors.Is(err, errNotSetUp) {
			logger.Warn("authmodulelist names a module that is not set up", "module", name, "err", err)
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("accounts of %s: %w", name, err)
		}
		opened = append(opened, Module{name, backend})
	}
	if len(opened) == 0 {
		return nil, fmt.Errorf("authmodulelist names no module that is there; there are %s", strings.Join(Names(), ", "))
	}
	return opened, nil
}

// Join makes one backend of modules, in their order, behind the rules of c.
func Join(c *config.Config, modules []Module) (auth.Backend, error) {
	var backends []auth.Backend
	for _, m := range modules {
		backends = append(backends, m.Backend)
	}
	all := auth.Chain(backends...)
	if c.AuthCacheTTL > 0 {
		all = auth.NewCache(all, c.AuthCacheTTL)
	}
	offer, err := offer(c)
	if err != nil {
		return nil, err
	}
	return auth.Guard{
		Backend:       auth.NewBrake(all),
		DefaultDomain: c.DefaultDomain, Separators: c.DomainSeparators,
		DefaultOptions: auth.ParseOptions(c.DefaultOptions),
		Offer:          offer,
	}, nil
}

// offer is which SASL mechanisms there are.
func offer(c *config.Config) (*auth.Offer, error) {
	o := auth.OfferOptions{Names: c.Mechanisms, Courier: c.AuthWords, ChannelBinding: c.ChannelBinding}
	var err error
	if o.Host, err = os.Hostname(); err != nil {
		return nil, fmt.Errorf("the name of this host: %w", err)
	}
	if o.Secret, err = secret(c); err != nil {
		return nil, fmt.Errorf("AUTH_SECRETFILE: %w", err)
	}
	if o.Tokens, err = tokens(c); err != nil {
		return nil, err
	}
	return auth.NewOffer(o), nil
}

// secret is what AUTH_SECRETFILE holds, nil where there is none.
func secret(c *config.Config) ([]byte, error) {
	if c.AuthSecretFile == "" {
		return nil, nil
	}
	text, err := os.ReadFile(c.AuthSecretFile)
	if err != nil {
		return nil, err
	}
	if len(text) < 16 || len(text) > 1<<16 {
		return nil, fmt.Errorf("%s has %d bytes, not 16 to 65536", c.AuthSecretFile, len(text))
	}
	return text, nil
}

// errNotSetUp passes over a module whose settings file is not there.
var errNotSetUp = errors.New("its settings are not there")

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
		{"authpam", openPAM},
		{"authpwd", openPasswd},
		{"authshadow", openShadow},
		{"authpipe", openPipe},
		{"authcustom", openProgram},
		{"authmysql", openTable("authmysqlrc", mysql.Open)},
		{"authpgsql", openTable("authpgsqlrc", pgsql.Open)},
		{"authsqlite", openTable("authsqliterc", sqlite.Open)},
		{"authldap", openLDAP},
		{"authdaemon", openAuthdaemon},
	}
}

func openUserdb(s source) (auth.Backend, error) {
	return userdb.Open(s.config.Userdb, userdb.Options{Verifier: s.verifier, Logger: s.logger})
}

// openTable opens a database with the settings file of this name.
func openTable(file string, open func(string, sqlquery.Options) (*sqlquery.Table, error)) func(source) (auth.Backend, error) {
	return func(s source) (auth.Backend, error) {
		path := filepath.Join(s.config.AuthDir, file)
		table, err := open(path, sqlquery.Options{Verifier: s.verifier, Logger: s.logger})
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%w: %w", errNotSetUp, err)
		}
		if err != nil {
			return nil, inFile(path, err)
		}
		return table, nil
	}
}

func openLDAP(s source) (auth.Backend, error) {
	path := filepath.Join(s.config.AuthDir, "authldaprc")
	b, err := ldap.Open(path, ldap.Options{
		Verifier: s.verifier, Logger: s.logger, CACert: s.config.LDAPCACert, RequireCert: s.config.LDAPRequireCert,
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %w", errNotSetUp, err)
	}
	if err != nil {
		return nil, inFile(path, err)
	}
	return b, nil
}

// inFile names the file that an error is about, unless the error does.
func inFile(path string, err error) error {
	if strings.Contains(err.Error(), path) {
		return err
	}
	return fmt.Errorf("%s: %w", path, err)
}
