package main

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/spf13/cobra"

	"postrider/cmd/imaplogin"
	"postrider/config"
)

// courierDir is where imaplogin looks for Courier's files, if there is no settings
// file of ours.
const courierDir = "/etc/courier"

// loadChain reads the settings of a program that Courier's chain starts. Its scripts
// put what their files say into the environment. Where no settings file of ours is
// there, Courier's defaults hold, and readsFiles has its files read, too.
func (w *where) loadChain(readsFiles bool) (*config.Loaded, error) {
	o := config.Options{File: w.file, CourierDir: w.courier, Environment: os.Environ()}
	if o.File == "" && o.CourierDir == "" {
		o.File, o.FileMissing = configFile, true
		if _, err := os.Stat(configFile); errors.Is(err, fs.ErrNotExist) {
			o.Courier = true
			if _, err := os.Stat(filepath.Join(courierDir, "imapd")); err == nil && readsFiles {
				o.CourierDir = courierDir
			}
		}
	}
	loaded, err := config.Load(o)
	if err == nil {
		err = checkFolders(loaded)
	}
	if err != nil {
		return nil, err
	}
	if loaded.IsDefault("LOG_FORMAT") {
		loaded.Config.LogFormat = "courier" // standard error is courierlogger's
	}
	return loaded, nil
}

func newImaplogin() *cobra.Command {
	var from where
	var report string
	c := &cobra.Command{
		Use:   "imaplogin [MODULE...] IMAPD MAILDIR",
		Short: "Take a login on standard input and output, then be IMAPD as that account",
		Long: "imaplogin stands between couriertcpd and imapd: it talks IMAP on standard input and\n" +
			"output until a password was right, becomes the account, changes to its home\n" +
			"directory, and runs IMAPD with MAILDIR, or the account's own. MODULEs say where\n" +
			"accounts come from: programs of Courier's older form, or links to this one.",
		RunE: func(c *cobra.Command, args []string) error {
			if report != "" {
				return imaplogin.Report(report, os.Environ())
			}
			return runImaplogin(c, &from, args)
		},
	}
	from.flags(c)
	c.Flags().SetInterspersed(false)
	c.Flags().StringVar(&report, imaplogin.ReportFlag, "", "end of a chain of modules; for imaplogin itself")
	_ = c.Flags().MarkHidden(imaplogin.ReportFlag)
	return c
}

func runImaplogin(c *cobra.Command, from *where, args []string) error {
	loaded, err := from.loadChain(true)
	if err != nil {
		os.Stdout.WriteString("* BYE [UNAVAILABLE] Temporary problem, please try again later\r\n")
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	logger := newLogger(&loaded.Config, os.Stderr)
	offered := sessionConfig(&loaded.Config, "", logger)
	err = imaplogin.Run(c.Context(), imaplogin.Options{
		Config: &loaded.Config, Logger: logger, In: os.Stdin, Out: os.Stdout, Environment: os.Environ(),
		Self: self, Session: offered.Capabilities(), Args: args,
	})
	var ended *exec.ExitError
	switch {
	case errors.As(err, &ended) && ended.ExitCode() > 0:
		return exitStatus(ended.ExitCode())
	case err != nil && !errors.Is(err, imaplogin.ErrUsage):
		return errTold // in the log
	}
	return err
}

// newModule is this program as a module of imaplogin. Its words are not the user's, so
// none of them is a flag.
func newModule() *cobra.Command {
	return &cobra.Command{
		Use: "auth-module NAME PROGRAM [ARGUMENT...]", Hidden: true, DisableFlagParsing: true, Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			loaded, err := new(where).loadChain(true)
			if err != nil {
				return err
			}
			return imaplogin.Module{
				Name: args[0], Config: &loaded.Config, Logger: newLogger(&loaded.Config, os.Stderr),
				Environment: os.Environ(), Args: args[1:],
			}.Run(c.Context())
		},
	}
}
