package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	args := append(calledAs(os.Args[0]), os.Args[1:]...)
	root := newRoot()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	stop()
	if status := exitStatus(0); errors.As(err, &status) {
		os.Exit(int(status))
	}
	if err != nil {
		if !errors.Is(err, errTold) {
			fmt.Fprintln(os.Stderr, "postrider:", err)
		}
		var own *statusError
		if errors.As(err, &own) {
			os.Exit(own.status)
		}
		os.Exit(1)
	}
}

// errTold ends the process with status 1 where the user was told already.
var errTold = errors.New("told already")

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "postrider",
		Short:         "An IMAP server for Maildirs",
		Version:       version(),
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(newServe(), newImapd(), newConfig(), newAdopt(), newIndex(), newDemo(), newDeliver(), newVersion())
	root.AddCommand(newVerifyIdle(), newProcess())
	root.AddCommand(newImaplogin(), newModule(), newAuthdaemond())
	root.AddCommand(newPrograms()...)
	root.AddCommand(newTools()...)
	return root
}

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		Run: func(c *cobra.Command, _ []string) { fmt.Fprintln(c.OutOrStdout(), "postrider", version()) },
	}
}

// version is the module's version, or the commit of a build from a work tree.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	return info.Main.Version
}
