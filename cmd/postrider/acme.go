package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"time"

	"postrider/cmd/acme"
	"postrider/config"
)

// firstCertificate is how long a start waits for a certificate that was never there.
const firstCertificate = 2 * time.Minute

// listenACME binds the port of ACME's challenges, as root where that is needed; nil if
// certificates are not got by ACME.
func listenACME(c *config.Config) (net.Listener, error) {
	if len(c.ACME.Names) == 0 {
		return nil, nil
	}
	l, err := net.Listen("tcp", c.ACME.Address)
	if err != nil {
		return nil, fmt.Errorf("ACME_ADDRESS: %w", err)
	}
	return l, nil
}

// keepCertificates has certificates got and renewed until stop is called. It returns when
// TLS_CERTFILE is there.
func keepCertificates(ctx context.Context, c *config.Config, l net.Listener, logger *slog.Logger) (stop func(), err error) {
	if l == nil {
		return func() {}, nil
	}
	k, err := acme.Start(ctx, acme.Options{
		Names: c.ACME.Names, Email: c.ACME.Email, Directory: c.ACME.Directory, CACert: c.ACME.CACert,
		Dir: c.ACME.Dir, File: c.CertFile, Listener: l, Logger: logger,
	})
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(c.CertFile); errors.Is(err, fs.ErrNotExist) {
		logger.Info("waiting for the first certificate", "names", c.ACME.Names)
		wait, cancel := context.WithTimeout(ctx, firstCertificate)
		defer cancel()
		if err := k.Wait(wait); err != nil {
			k.Close()
			return nil, fmt.Errorf("ACME gave no certificate for %q in %v: the log says why", c.ACME.Names, firstCertificate)
		}
	}
	return k.Close, nil
}
