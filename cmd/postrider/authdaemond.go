package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"postrider/cmd/authdaemond"
	"postrider/config"
)

func newAuthdaemond() *cobra.Command {
	return &cobra.Command{
		Use:   "authdaemond [--config FILE | --courier DIR] [start | stop | restart]",
		Short: "Answer the programs that ask Courier's authdaemond, or know Dovecot's protocol",
		Long: "authdaemond answers on the socket of courier-authlib, and on those of\n" +
			"DOVECOT_AUTH_SOCKET, from the modules of authmodulelist. With start it does so in\n" +
			"the background, under courierlogger; stop ends that, restart has the settings read\n" +
			"again. A dash may stand before these words. Without one it stays in the foreground.",
		DisableFlagParsing: true, // -start is no row of letters
		RunE: func(c *cobra.Command, args []string) error {
			from, verb, err := authdaemondWords(args)
			if err != nil {
				return err
			}
			if verb == "help" {
				return c.Help()
			}
			if verb != "" {
				return authdaemondInBackground(from, verb)
			}
			return authdaemond.Program{
				Load: from.loadAuthdaemond,
				Log:  func(loaded *config.Config) *slog.Logger { return newLogger(loaded, os.Stderr) },
				Err:  os.Stderr,
			}.Run(c.Context())
		},
	}
}

// authdaemondWords reads the command line.
func authdaemondWords(args []string) (from *where, verb string, err error) {
	from = new(where)
	for len(args) > 0 {
		name, value, joined := strings.Cut(args[0], "=")
		args = args[1:]
		switch name {
		case "--config", "--courier":
			if !joined && len(args) == 0 {
				return nil, "", fmt.Errorf("%s: a path is missing", name)
			}
			if !joined {
				value, args = args[0], args[1:]
			}
			if name == "--config" {
				from.file = value
			} else {
				from.courier = value
			}
		case "start", "-start", "stop", "-stop", "restart", "-restart":
			verb = strings.TrimPrefix(name, "-")
		case "-h", "--help":
			verb = "help"
		default:
			return nil, "", fmt.Errorf("authdaemond does not know %q", name)
		}
	}
	if from.file != "" && from.courier != "" {
		return nil, "", errors.New("--config and --courier exclude each other")
	}
	return from, verb, nil
}

// loadAuthdaemond reads the settings: of Courier's files authdaemonrc alone, for
// authdaemond serves machines without an imapd, too.
func (w *where) loadAuthdaemond() (*config.Config, error) {
	o := config.Options{File: w.file, Environment: os.Environ()}
	switch {
	case w.courier != "":
		o.File, o.Courier = filepath.Join(w.courier, "authdaemonrc"), true
	case w.file == "":
		o.File, o.FileMissing = configFile, true
		rc := filepath.Join(courierDir, "authdaemonrc")
		_, ours := os.Stat(configFile)
		if _, theirs := os.Stat(rc); errors.Is(ours, fs.ErrNotExist) && theirs == nil {
			o.File, o.Courier = rc, true
		}
	}
	loaded, err := config.Load(o)
	if err != nil {
		return nil, err
	}
	if loaded.IsDefault("LOG_FORMAT") {
		loaded.Config.LogFormat = "courier" // standard error is courierlogger's
	}
	if loaded.Config.DebugLogin > 0 && loaded.IsDefault("LOG_LEVEL") {
		loaded.Config.LogLevel = "debug"
	}
	return &loaded.Config, nil
}

// authdaemondInBackground has courierlogger, which this program is, too, take its place.
func authdaemondInBackground(from *where, verb string) error {
	c, err := from.loadAuthdaemond()
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	program := []string{self, "authdaemond"}
	if from.file != "" {
		program = append(program, "--config", from.file)
	}
	if from.courier != "" {
		program = append(program, "--courier", from.courier)
	}
	words, err := authdaemond.InBackground(c, verb, program)
	if err != nil {
		return err
	}
	return fmt.Errorf("courierlogger: %w", syscall.Exec(self, append([]string{"postrider"}, words...), os.Environ()))
}
