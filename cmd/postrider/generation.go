package main

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"syscall"

	"postrider/account"
	"postrider/auth"
	"postrider/cmd/certificates"
	"postrider/cmd/couriertcpd"
	"postrider/config"
	"postrider/serve"
	"postrider/watch"
)

// generation is the server with settings as they were at one moment. When they change,
// the next one takes over the listeners, and this one serves its sessions until they
// end.
type generation interface {
	// Retire ends accepting. The generation is done when its last session has ended.
	Retire()
	// Stop ends all sessions with BYE.
	Stop()
	Done() <-chan struct{}
}

// alone is a generation that is this process.
type alone struct {
	server *serve.Server
	house  *shared
	stop   context.CancelFunc
	done   chan struct{}
	err    error // after done
}

func (a *alone) Retire()               { a.server.Retire() }
func (a *alone) Stop()                 { a.stop() }
func (a *alone) Done() <-chan struct{} { return a.done }

// startAlone serves the accounts of a backend on open doors to whom access lets in.
func startAlone(c *config.Config, logger *slog.Logger, doors []door, access *couriertcpd.Access, backend auth.Backend, shared *houses) (*alone, error) {
	syscall.Umask(int(c.Umask))
	sc := serverConfig(c, logger, backend)
	var err error
	if sc.TLS, err = openTLS(c, logger); err != nil {
		return nil, err
	}
	house, leave, err := shared.enter(c, logger)
	if err != nil {
		return nil, err
	}
	open, err := listeners(doors)
	if err != nil {
		leave()
		return nil, err
	}
	guardListeners(access, open, logger)
	sc.Handover = &handover{config: c, house: house.House, roster: serve.NewRoster(c.MaxPerAccount), logger: logger}
	ctx, stop := context.WithCancel(context.Background())
	a := &alone{server: serve.New(sc), house: house, stop: stop, done: make(chan struct{})}
	go func() {
		defer close(a.done)
		defer leave()
		a.err = a.server.Serve(ctx, open...)
	}()
	return a, nil
}

// openTLS is the certificates of the settings, nil if there are none.
func openTLS(c *config.Config, logger *slog.Logger) (*serve.Certificate, error) {
	if c.CertFile == "" {
		return nil, nil
	}
	files, err := certificates.Files(c, logger)
	if err != nil {
		return nil, err
	}
	loaded, err := serve.LoadCertificates(files)
	if err == nil && c.ChannelBinding {
		loaded.OfferBindings()
	}
	return loaded, err
}

// serverConfig is what the settings say of accepting.
func serverConfig(c *config.Config, logger *slog.Logger, backend auth.Backend) serve.Config {
	return serve.Config{
		Backend:        backend,
		StartTLS:       c.StartTLS,
		RequireTLS:     c.RequireTLS,
		External:       c.External,
		MaxConnections: c.MaxConnections,
		MaxPerAddress:  c.MaxPerAddress,
		MaxPerNetwork:  c.MaxPerNetwork,
		LoginTimeout:   c.LoginTimeout,
		DrainTimeout:   c.DrainTimeout,
		Logger:         logger,
	}
}

// houses lets generations share a house, with its open mailboxes, where their settings
// do not ask for another.
type houses struct {
	mu     sync.Mutex
	newest *shared
}

// shared is a house and how many generations are in it.
type shared struct {
	*account.House
	watch *watch.Watcher
	close func()
	terms config.Config // that it was opened with
	users int
}

// terms are the settings that a house is opened with.
func terms(c *config.Config) config.Config {
	return config.Config{Fsync: c.Fsync, PollInterval: c.PollInterval, LockTimeout: c.LockTimeout, CourierUIDDB: c.CourierUIDDB,
		UseLocks: c.UseLocks, EnhancedIdle: c.EnhancedIdle, LogFormat: c.LogFormat, LogLevel: c.LogLevel}
}

// enter returns a house for a generation, which calls leave when it is done.
func (h *houses) enter(c *config.Config, logger *slog.Logger) (s *shared, leave func(), err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s = h.newest
	if s == nil || s.users == 0 || fmt.Sprint(s.terms) != fmt.Sprint(terms(c)) {
		s = &shared{terms: terms(c)}
		if s.watch, err = openWatch(c, logger); err != nil {
			return nil, nil, err
		}
		if s.House, s.close, err = openHouseOver(c, logger, s.watch); err != nil {
			return nil, nil, err
		}
		h.newest = s
	}
	s.users++
	return s, func() { h.leave(s) }, nil
}

func (h *houses) leave(s *shared) {
	h.mu.Lock()
	s.users--
	last := s.users == 0
	h.mu.Unlock()
	if last {
		s.close()
	}
}
