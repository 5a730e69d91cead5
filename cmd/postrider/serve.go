package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"os/user"
	"strconv"
	"sync"
	"syscall"

	"github.com/spf13/cobra"

	"postrider/auth"
	"postrider/config"
)

func newServe() *cobra.Command {
	var from where
	c := &cobra.Command{
		Use: "serve", Short: "Run the server", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			// SIGHUP, which ends other commands, has another meaning here.
			ctx, stop := signal.NotifyContext(context.WithoutCancel(c.Context()), syscall.SIGTERM, syscall.SIGINT)
			defer stop()
			return runServe(ctx, &from)
		},
	}
	from.flags(c)
	return c
}

// runServe opens the doors, gives up root where one user has all the mail, and serves
// until ctx ends.
func runServe(ctx context.Context, from *where) error {
	loaded, err := from.load()
	if err != nil {
		return err
	}
	c := &loaded.Config
	logger := newLogger(c, os.Stderr)
	for _, n := range loaded.Notes {
		logger.Info("setting without effect", "at", n.String())
	}
	split, err := isSplit(c)
	if err = errors.Join(err, servable(c, split)); err != nil {
		return err
	}
	in, err := inherit(c)
	if err != nil {
		return err
	}
	doors, err := openDoors(c, in.doors)
	if err != nil {
		closeDoors(in.doors, nil)
		return err
	}
	closeDoors(in.doors, doors)
	r := &reign{from: from, split: split, user: c.User, ready: in.ready, houses: new(houses)}
	if split {
		if c.Metrics != "" {
			logger.Warn("METRICS has no effect with PROCESS_MODEL=split: no process has all figures")
		}
		return r.run(ctx, c, logger, doors)
	}
	if err := r.openOthers(c, logger, in); err != nil {
		return err
	}
	if err := giveUpRoot(c.User); err != nil {
		return err
	}
	stop, err := keepCertificates(ctx, c, r.challenges, logger)
	if err != nil {
		return err
	}
	r.stopRenewals = sync.OnceFunc(stop)
	defer r.stopRenewals()
	return r.run(ctx, c, logger, doors)
}

// openOthers opens what is listened on beside the doors, before root is given up.
func (r *reign) openOthers(c *config.Config, logger *slog.Logger, in inheritance) error {
	var err error
	if r.access, err = readGate(c, logger); err != nil {
		return err
	}
	if r.figures = in.figures; r.figures == nil {
		if r.figures, err = listenMetrics(c.Metrics); err != nil {
			return err
		}
	}
	if r.challenges = in.challenges; r.challenges == nil {
		if r.challenges, err = listenACME(c); err != nil {
			return err
		}
	}
	r.others, err = listenForOthers(c, logger)
	return err
}

// isSplit tells whether there is a process for each uid.
func isSplit(c *config.Config) (bool, error) {
	root := os.Geteuid() == 0
	switch {
	case c.ProcessModel == "split" && !root:
		return false, errors.New("PROCESS_MODEL=split needs to be started by root")
	case c.ProcessModel == "split" && c.User != "":
		return false, errors.New("RUN_AS and PROCESS_MODEL=split exclude each other: sessions run as the users that the accounts name")
	case c.ProcessModel == "auto" && root && c.User == "":
		return true, nil
	}
	return c.ProcessModel == "split", nil
}

// serveAccounts serves the accounts of a backend, as it stands, until ctx ends.
func serveAccounts(ctx context.Context, c *config.Config, logger *slog.Logger, doors []door, backend auth.Backend) error {
	defer closeDoors(doors, nil)
	a, err := startAlone(c, logger, doors, nil, backend, new(houses))
	if err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		a.Stop()
		<-a.Done()
	case <-a.Done():
	}
	return a.err
}

// giveUpRoot becomes the user of RUN_AS, where one process serves all accounts. Root
// without one is an error: nothing here needs root once the ports are bound.
func giveUpRoot(name string) error {
	switch {
	case os.Geteuid() != 0 && name == "":
		return nil
	case name == "":
		return errors.New("PROCESS_MODEL=one, started as root: set RUN_AS to the user or uid that the Maildirs belong to")
	}
	uid, gid, err := identify("RUN_AS", name)
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

// identify reads a user's name, or a number that stands for uid and gid, as a setting
// has it.
func identify(setting, name string) (uid, gid int, err error) {
	if n, err := strconv.ParseUint(name, 10, 31); err == nil {
		if u, err := user.LookupId(name); err == nil {
			gid, err := strconv.Atoi(u.Gid)
			return int(n), gid, err
		}
		return int(n), int(n), nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		return 0, 0, fmt.Errorf("%s: %w", setting, err)
	}
	uid, err = strconv.Atoi(u.Uid)
	if err != nil {
		return 0, 0, err
	}
	gid, err = strconv.Atoi(u.Gid)
	return uid, gid, err
}
