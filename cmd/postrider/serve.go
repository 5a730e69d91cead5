package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/user"
	"strconv"
	"syscall"

	"github.com/spf13/cobra"

	"postrider/auth"
	"postrider/cmd/certificates"
	"postrider/config"
	"postrider/metrics"
	"postrider/serve"
)

func newServe() *cobra.Command {
	var from where
	c := &cobra.Command{
		Use: "serve", Short: "Run the server", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			loaded, err := from.load()
			if err != nil {
				return err
			}
			logger := newLogger(&loaded.Config, os.Stderr)
			for _, n := range loaded.Notes {
				logger.Info("setting without effect", "at", n.String())
			}
			return runServe(c.Context(), &loaded.Config, logger)
		},
	}
	from.flags(c)
	return c
}

// runServe binds the ports, gives up root, opens what it needs as the mail user,
// and serves until ctx ends.
func runServe(ctx context.Context, c *config.Config, logger *slog.Logger) error {
	if c.Proxied {
		return errors.New("TCPDOPTS: " + proxiedMistake)
	}
	listeners, err := listen(c)
	if err != nil {
		return err
	}
	if err := guardListeners(c, listeners, logger); err != nil {
		return fmt.Errorf("IMAPACCESSFILE: %w", err)
	}
	figures, err := listenMetrics(c.Metrics)
	if err != nil {
		return err
	}
	others, err := listenForOthers(c, logger)
	if err != nil {
		return err
	}
	challenges, err := listenACME(c)
	if err != nil {
		return err
	}
	if err := giveUpRoot(c.User); err != nil {
		return err
	}
	stop, err := keepCertificates(ctx, c, challenges, logger)
	if err != nil {
		return err
	}
	defer stop()
	backend, err := others.accounts(c)
	if err != nil {
		return err
	}
	defer others.serve(ctx)()
	return serveAccounts(ctx, c, logger, listeners, figures, backend)
}

// serveAccounts serves the accounts of a backend, as it stands, on open listeners, and
// the server's figures on another, unless that is nil.
func serveAccounts(ctx context.Context, c *config.Config, logger *slog.Logger, listeners []serve.Listener, figures net.Listener, backend auth.Backend) error {
	syscall.Umask(int(c.Umask))
	w, err := openWatch(c, logger)
	if err != nil {
		return err
	}
	house, closeHouse, err := openHouseOver(c, logger, w)
	if err != nil {
		return err
	}
	defer closeHouse()
	sc := serve.Config{
		Handover:       &handover{config: c, house: house, roster: serve.NewRoster(c.MaxPerAccount), logger: logger},
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
	if c.CertFile != "" {
		files, err := certificates.Files(c, logger)
		if err != nil {
			return err
		}
		if sc.TLS, err = serve.LoadCertificates(files); err != nil {
			return err
		}
		if c.ChannelBinding {
			sc.TLS.OfferBindings()
		}
	}
	for _, l := range listeners {
		logger.Info("listening", "address", l.Addr().String(), "tls", l.ImplicitTLS)
	}
	quiet, stop := context.WithCancel(ctx)
	defer stop()
	go giveBack(quiet)
	server := serve.New(sc)
	if figures != nil {
		end := tellMetrics(ctx, figures, metrics.Sources{Server: server.Stats, House: house.Stats, Watch: w.Stats, Version: version()}, logger)
		defer end()
	}
	err = server.Serve(ctx, listeners...)
	logger.Info("stopped", "err", err)
	return err
}

// listen binds the ports. Without a certificate there is no TLS listener.
func listen(c *config.Config) ([]serve.Listener, error) {
	var all []serve.Listener
	for _, kind := range []struct {
		addresses []string
		tls       bool
	}{{c.Listen, false}, {c.ListenTLS, true}} {
		if kind.tls && c.CertFile == "" {
			continue
		}
		for _, address := range kind.addresses {
			l, err := net.Listen("tcp", address)
			if err != nil {
				for _, open := range all {
					open.Close()
				}
				return nil, err
			}
			all = append(all, serve.Listener{Listener: l, ImplicitTLS: kind.tls})
		}
	}
	if len(all) == 0 {
		return nil, errors.New("nothing to listen on: set PORT, or SSLPORT with TLS_CERTFILE")
	}
	return all, nil
}

// giveUpRoot becomes the user of RUN_AS. Root without one is an error: nothing
// here needs root once the ports are bound.
func giveUpRoot(name string) error {
	switch {
	case os.Geteuid() != 0 && name == "":
		return nil
	case name == "":
		return errors.New("started as root: set RUN_AS to the user or uid that the Maildirs belong to")
	}
	uid, gid, err := identify(name)
	if err != nil {
		return err
	}
	if uid == os.Geteuid() && uid != 0 {
		return nil
	}
	if uid == 0 {
		return errors.New("RUN_AS must not be root")
	}
	if err := syscall.Setgroups([]int{gid}); err != nil {
		return fmt.Errorf("becoming %s: %w", name, err)
	}
	if err := syscall.Setgid(gid); err != nil {
		return fmt.Errorf("becoming %s: %w", name, err)
	}
	if err := syscall.Setuid(uid); err != nil {
		return fmt.Errorf("becoming %s: %w", name, err)
	}
	return nil
}

// identify reads a user's name, or a number that stands for uid and gid.
func identify(name string) (uid, gid int, err error) {
	if n, err := strconv.ParseUint(name, 10, 31); err == nil {
		if u, err := user.LookupId(name); err == nil {
			gid, err := strconv.Atoi(u.Gid)
			return int(n), gid, err
		}
		return int(n), int(n), nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		return 0, 0, fmt.Errorf("RUN_AS: %w", err)
	}
	uid, err = strconv.Atoi(u.Uid)
	if err != nil {
		return 0, 0, err
	}
	gid, err = strconv.Atoi(u.Gid)
	return uid, gid, err
}
