package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"postrider/auth"
	"postrider/auth/password"
	"postrider/auth/static"
	"postrider/config"
)

// The account of the demonstration.
const demoUser, demoPassword = "demo", "demo"

type demo struct {
	dir       string
	port      uint16
	tlsPort   uint16
	deliverEv time.Duration
}

func newDemo() *cobra.Command {
	var d demo
	c := &cobra.Command{
		Use: "demo", Short: "Make an account with messages and serve it on 127.0.0.1", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return d.run(c.Context(), os.Stdin, c.OutOrStdout()) },
	}
	c.Flags().StringVar(&d.dir, "dir", "demo", "where the account and the certificate are kept")
	c.Flags().Uint16Var(&d.port, "port", 1143, "port for IMAP with STARTTLS")
	c.Flags().Uint16Var(&d.tlsPort, "tls-port", 1993, "port for IMAP with TLS")
	c.Flags().DurationVar(&d.deliverEv, "deliver-every", 0, "deliver a new message this often")
	return c
}

func newDeliver() *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use: "deliver", Short: "Deliver a new message to the demonstration's inbox", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			name, err := deliverNew(filepath.Join(dir, "Maildir"), time.Now())
			if err == nil {
				fmt.Fprintln(c.OutOrStdout(), "delivered", name)
			}
			return err
		},
	}
	c.Flags().StringVar(&dir, "dir", "demo", "where the demonstration is kept")
	return c
}

func (d *demo) run(ctx context.Context, in io.Reader, out io.Writer) error {
	dir, err := filepath.Abs(d.dir)
	if err != nil {
		return err
	}
	root := filepath.Join(dir, "Maildir")
	if err := makeDemoAccount(root, time.Now()); err != nil {
		return fmt.Errorf("making the account: %w", err)
	}
	cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	if err := makeCertificate(cert, key, time.Now()); err != nil {
		return fmt.Errorf("making a certificate: %w", err)
	}
	port, tlsPort := strconv.Itoa(int(d.port)), strconv.Itoa(int(d.tlsPort))
	loaded, err := config.Load(config.Options{Environment: append(os.Environ(),
		"ADDRESS=127.0.0.1", "SSLADDRESS=127.0.0.1", "PORT="+port, "SSLPORT="+tlsPort,
		"TLS_CERTFILE="+cert, "TLS_PRIVATE_KEYFILE="+key, "LOG_LEVEL=warn")})
	if err != nil {
		return err
	}
	logger := newLogger(&loaded.Config, os.Stderr)
	doors, err := openDoors(&loaded.Config, nil)
	if err != nil {
		return err
	}
	// Without auth.Guard: the demonstration may be root's own.
	accounts := static.New(password.NewVerifier(password.Limits{}), static.Account{
		Identity: auth.Identity{Login: demoUser, UID: auth.Unknown, GID: auth.Unknown, Home: dir, Maildir: root},
		Stored:   "{PLAIN}" + demoPassword,
	})
	fmt.Fprintf(out, demoText, port, tlsPort, demoUser, demoPassword,
		demoUser, demoPassword, port, port, tlsPort, port, demoUser, demoPassword)
	go d.deliveries(ctx, root, in, out)
	return serveAccounts(ctx, &loaded.Config, logger, doors, accounts)
}

// demoText takes: port, TLS port, user, password; user, password, port;
// port, TLS port; port, user, password.
const demoText = `
Postrider serves a demonstration account:

  IMAP      127.0.0.1, port %s with STARTTLS, port %s with TLS (self-signed certificate)
  user      %s
  password  %s

  mutt         mutt -e 'set ssl_starttls=no' -f imap://%s:%s@127.0.0.1:%s/INBOX
  Thunderbird  new account, set up by hand: IMAP, 127.0.0.1, port %s STARTTLS or %s SSL/TLS,
               normal password; accept the certificate
  curl         curl -k --ssl-reqd 'imap://127.0.0.1:%s/INBOX;MAILINDEX=1' --user %s:%s

Press Enter to deliver a new message (or run "make deliver"), Ctrl-C to stop.

`

// deliveries delivers a message for each line of in, and by the clock.
func (d *demo) deliveries(ctx context.Context, root string, in io.Reader, out io.Writer) {
	lines := make(chan struct{})
	go func() {
		defer close(lines)
		for s := bufio.NewScanner(in); s.Scan(); {
			select {
			case lines <- struct{}{}:
			case <-ctx.Done():
				return
			}
		}
	}()
	var tick <-chan time.Time
	if d.deliverEv > 0 {
		ticker := time.NewTicker(d.deliverEv)
		defer ticker.Stop()
		tick = ticker.C
	}
	for {
		select {
		case <-ctx.Done():
			return
		case _, ok := <-lines:
			if !ok {
				lines = nil
				continue
			}
		case <-tick:
		}
		name, err := deliverNew(root, time.Now())
		if err != nil {
			fmt.Fprintln(out, "delivery failed:", err)
			continue
		}
		fmt.Fprintln(out, "delivered", name)
	}
}
