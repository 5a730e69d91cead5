package main

import (
	"context"
	"errors"
	"log/slog"
	"os"

	"postrider/auth"
	"postrider/cmd/accounts"
	"postrider/cmd/authdaemond"
	"postrider/config"
)

// otherSockets are those on which serve answers other programs (SERVE_SOCKETS).
type otherSockets struct {
	open     *authdaemond.Sockets
	answerer *authdaemond.Answerer
	logger   *slog.Logger
}

// listenForOthers opens them, before root is given up.
func listenForOthers(c *config.Config, logger *slog.Logger) (*otherSockets, error) {
	daemon, dovecot := authdaemond.Wanted(c)
	if dovecot && len(c.DovecotSockets) == 0 {
		return nil, errors.New("SERVE_SOCKETS names dovecot: set DOVECOT_AUTH_SOCKET")
	}
	open, err := authdaemond.Listen(c, daemon, dovecot, logger)
	if err != nil {
		return nil, err
	}
	return &otherSockets{open: open, logger: logger}, nil
}

// accounts opens what all doors ask, from now on.
func (o *otherSockets) accounts(c *config.Config) (auth.Backend, error) {
	if len(o.open.Paths()) == 0 {
		return accounts.Open(c, o.logger)
	}
	modules, err := accounts.OpenModules(c, o.logger)
	if err != nil {
		return nil, err
	}
	joined, err := accounts.Join(c, modules)
	switch {
	case err != nil:
	case o.answerer != nil: // the settings were read again
		err = o.answerer.Replace(c, modules, joined)
	default:
		o.answerer, err = authdaemond.NewAnswerer(c, modules, joined, o.logger, os.Stderr)
	}
	return joined, err
}

// serve answers until the returned function is called, which waits for the end, or ctx
// ends.
func (o *otherSockets) serve(ctx context.Context) (stop func()) {
	if o.answerer == nil {
		return o.open.Close
	}
	for _, path := range o.open.Paths() {
		o.logger.Info("listening for other programs", "socket", path)
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := o.answerer.Serve(ctx, o.open); err != nil {
			o.logger.Error("other programs are not answered any more", "err", err.Error())
		}
	}()
	return func() { cancel(); <-ended }
}
