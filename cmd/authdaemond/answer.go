package authdaemond

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"

	"postrider/auth"
	"postrider/auth/authdaemon"
	"postrider/auth/dovecot"
	"postrider/cmd/accounts"
	"postrider/config"
)

// Answerer answers on the sockets.
type Answerer struct {
	authdaemon *authdaemon.Server
	dovecot    *dovecot.Server
	logger     *slog.Logger
	trace      io.Writer
}

// NewAnswerer answers from modules, and from what was joined of them. Lines of
// DEBUG_LOGIN go to trace.
func NewAnswerer(c *config.Config, modules []accounts.Module, joined auth.Backend, logger *slog.Logger, trace io.Writer) (*Answerer, error) {
	a := &Answerer{logger: logger, trace: trace}
	settings, err := a.settings(c, modules, joined)
	if err != nil {
		return nil, err
	}
	a.authdaemon = authdaemon.New(settings)
	a.dovecot = dovecot.New(dovecot.Config{Backend: auth.BeyondIMAP(joined), Logger: logger})
	return a, nil
}

// Replace answers from other modules from now on.
func (a *Answerer) Replace(c *config.Config, modules []accounts.Module, joined auth.Backend) error {
	settings, err := a.settings(c, modules, joined)
	if err == nil {
		a.authdaemon.Replace(settings)
		a.dovecot.Replace(auth.BeyondIMAP(joined))
	}
	return err
}

func (a *Answerer) settings(c *config.Config, modules []accounts.Module, joined auth.Backend) (authdaemon.Config, error) {
	settings := authdaemon.Config{DefaultOptions: auth.ParseOptions(c.DefaultOptions), Logger: a.logger}
	settings.Brake, _ = joined.(authdaemon.Brake) // guesses count the same, whichever door they come by
	settings.Changer, _ = joined.(auth.PasswordChanger)
	for _, m := range modules {
		if m.Name == "authdaemon" {
			return settings, fmt.Errorf("authmodulelist: authdaemond at %s cannot ask itself", accounts.AuthdaemonSocket(c))
		}
		settings.Modules = append(settings.Modules, authdaemon.Module{Name: m.Name, Backend: m.Backend})
	}
	if c.DebugLogin > 0 {
		var mu sync.Mutex
		settings.Trace = func(line string) {
			mu.Lock()
			defer mu.Unlock()
			_, _ = io.WriteString(a.trace, line+"\n")
		}
	}
	return settings, nil
}

// Serve answers until ctx ends, and closes the sockets.
func (a *Answerer) Serve(ctx context.Context, s *Sockets) error {
	var group sync.WaitGroup
	errs := make([]error, 1+len(s.dovecot))
	if s.authdaemon != nil {
		group.Go(func() { errs[0] = a.authdaemon.Serve(ctx, s.authdaemon) })
	}
	for i, d := range s.dovecot {
		group.Go(func() { errs[i+1] = a.dovecot.Serve(ctx, d) })
	}
	group.Wait()
	return errors.Join(errs...)
}

// Wanted tells which sockets serve is to open.
func Wanted(c *config.Config) (authdaemon, dovecot bool) {
	return slices.Contains(c.ServeSockets, "authdaemon"), slices.Contains(c.ServeSockets, "dovecot")
}
