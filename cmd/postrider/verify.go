package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"postrider/verify"
)

// verifying is the flags of verify-idle.
type verifying struct {
	o                         verify.Options
	passwordFile, passwordEnv string
	caFile                    string
	insecure                  bool
}

func newVerifyIdle() *cobra.Command {
	var v verifying
	c := &cobra.Command{
		Use:   "verify-idle --addr HOST:PORT --user NAME",
		Short: "Find out whether an IMAP server tells every client of changes at once",
		Long: "verify-idle goes through the procedure of imapd(8), \"Verifying realtime concurrent\n" +
			"folder status updates\", against any IMAP server: several sessions wait in IDLE while\n" +
			"another sets and removes flags, expunges, and appends. What it appends it removes\n" +
			"again. It ends with status 0 only if all seven steps pass.\n\n" +
			"The password comes from --password-file, from the environment variable that\n" +
			"--password-env names, or, where nobody else can see it, from --password.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return v.run(c) },
	}
	f := c.Flags()
	f.StringVar(&v.o.Addr, "addr", "", "host:port of the server")
	f.StringVar(&v.o.User, "user", "", "an account, best one for tests")
	f.StringVar(&v.o.Password, "password", "", "its password; other users of this machine may see it here")
	f.StringVar(&v.passwordFile, "password-file", "", "file whose first line is the password")
	f.StringVar(&v.passwordEnv, "password-env", "", "environment variable that holds the password")
	f.BoolVar(&v.o.TLS, "tls", false, "TLS from the start")
	f.BoolVar(&v.o.StartTLS, "starttls", false, "TLS by STARTTLS")
	f.StringVar(&v.caFile, "ca", "", "PEM file of the authorities to trust, instead of the system's")
	f.BoolVar(&v.insecure, "insecure", false, "accept any certificate")
	f.IntVar(&v.o.Sessions, "sessions", 3, fmt.Sprintf("sessions in IDLE, up to %d", verify.MaxSessions))
	f.IntVar(&v.o.Rounds, "rounds", 10, "how often the flag is changed in step 5")
	f.StringVar(&v.o.Mailbox, "mailbox", "INBOX", "the mailbox to test with")
	f.DurationVar(&v.o.Wait, "wait", 20*time.Second, "the longest for a change to be told")
	c.MarkFlagsMutuallyExclusive("password", "password-file", "password-env")
	c.MarkFlagsMutuallyExclusive("tls", "starttls")
	c.MarkFlagsMutuallyExclusive("ca", "insecure")
	for _, name := range []string{"addr", "user"} {
		if err := c.MarkFlagRequired(name); err != nil {
			panic(err) // a mistake in the names above
		}
	}
	return c
}

func (v *verifying) run(c *cobra.Command) error {
	if err := v.complete(c); err != nil {
		return err
	}
	out := c.OutOrStdout()
	report, err := verify.Run(c.Context(), v.o, func(n int, s verify.Step) { s.Print(out, n) })
	if err != nil {
		return err
	}
	report.PrintLatencies(out)
	if report.Cleanup != nil {
		fmt.Fprintln(out, report.Cleanup)
	}
	if !report.Passed() {
		fmt.Fprintf(out, "not all of the %d steps passed\n", verify.Steps)
		return errTold
	}
	if report.Cleanup != nil {
		return errTold
	}
	fmt.Fprintf(out, "all %d steps passed\n", verify.Steps)
	return nil
}

// complete reads what the flags name.
func (v *verifying) complete(c *cobra.Command) (err error) {
	host, _, err := net.SplitHostPort(v.o.Addr)
	if err != nil {
		return fmt.Errorf("--addr: %w", err)
	}
	if v.o.Password, err = v.password(c); err != nil {
		return err
	}
	v.o.TLSConfig = &tls.Config{ServerName: host, InsecureSkipVerify: v.insecure}
	if v.caFile != "" {
		pem, err := os.ReadFile(v.caFile)
		if err != nil {
			return fmt.Errorf("--ca: %w", err)
		}
		v.o.TLSConfig.RootCAs = x509.NewCertPool()
		if !v.o.TLSConfig.RootCAs.AppendCertsFromPEM(pem) {
			return fmt.Errorf("--ca: %s holds no certificate", v.caFile)
		}
	}
	return nil
}

// maxPassword bounds a file with a password.
const maxPassword = 4 << 10

func (v *verifying) password(c *cobra.Command) (string, error) {
	switch {
	case c.Flags().Changed("password"):
		return v.o.Password, nil
	case v.passwordEnv != "":
		p, ok := os.LookupEnv(v.passwordEnv)
		if !ok {
			return "", fmt.Errorf("--password-env: %s is not set", v.passwordEnv)
		}
		return p, nil
	case v.passwordFile == "":
		return "", errors.New("no password: use --password-file or --password-env")
	}
	f, err := os.Open(v.passwordFile)
	if err != nil {
		return "", fmt.Errorf("--password-file: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxPassword))
	if err != nil {
		return "", fmt.Errorf("--password-file: %w", err)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return strings.TrimSuffix(line, "\r"), nil
}
