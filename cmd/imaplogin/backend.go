package imaplogin

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"

	"postrider/auth"
	"postrider/cmd/accounts"
	"postrider/cmd/logs"
	"postrider/config"
)

// backend is the accounts that are asked: those of authdaemond, where one runs, as its
// connections to databases outlive ours; else those of the settings, or of the modules
// on the command line. A module that is this program by another name, or that is not there
// any more and has the name of one of ours, is asked in this process; where any is a
// program of its own, all of them are run as programs.
func (d *door) backend() auth.Backend {
	c := *d.Config
	c.AuthCacheTTL = 0 // of a process that ends with its login
	open := accounts.Open
	if len(d.modules) == 0 && accounts.DaemonRuns(&c) {
		c.Modules = []string{"authdaemon"}
	}
	if len(d.modules) > 0 {
		names, own := ownModules(d.modules, d.Self)
		if own {
			c.Modules = names
		} else {
			d.chain = newChain(d)
			open = func(c *config.Config, _ *slog.Logger) (auth.Backend, error) {
				return accounts.Join(c, []accounts.Module{{Name: "modules", Backend: d.chain}})
			}
		}
	}
	backend, err := open(&c, logs.Quiet(d.log))
	if err != nil {
		return broken{err}
	}
	return backend
}

// ownModules are the names of modules, and whether all of them are ours.
func ownModules(words []string, self string) (names []string, own bool) {
	for _, word := range words {
		name := filepath.Base(word)
		_, err := os.Stat(word)
		gone := errors.Is(err, fs.ErrNotExist) && slices.Contains(ModuleNames(), name)
		if !gone && !sameProgram(word, self) {
			return nil, false
		}
		names = append(names, name)
	}
	return names, true
}

// broken is accounts that cannot be asked: nobody's password is wrong for that.
type broken struct{ err error }

func (b broken) Authenticate(context.Context, auth.Request, string) (*auth.Identity, error) {
	return nil, fmt.Errorf("%w: %w", auth.ErrTemporary, b.err)
}

func (b broken) Lookup(context.Context, auth.Request) (*auth.Identity, error) {
	return nil, fmt.Errorf("%w: %w", auth.ErrTemporary, b.err)
}
