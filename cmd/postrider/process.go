package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"postrider/auth"
	"postrider/cmd/authority"
	"postrider/cmd/memory"
	"postrider/cmd/messages"
	"postrider/cmd/privilege"
	"postrider/cmd/skeleton"
	"postrider/cmd/worker"
	"postrider/config"
	"postrider/packet"
	"postrider/serve"
)

// newProcess is what serve starts for system accounts. People have no use for it.
func newProcess() *cobra.Command {
	c := &cobra.Command{Use: "process", Short: "What serve starts for system accounts", Hidden: true}
	c.AddCommand(
		&cobra.Command{Use: "keeper", Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error {
			return asProcess(c.Context(), func(ctx context.Context, control *packet.Conn) error {
				return authority.Run(ctx, control, openAccounts)
			})
		}},
		// The argument is the uid, for whoever looks at a list of processes.
		&cobra.Command{Use: "worker UID", Args: cobra.MaximumNArgs(1), RunE: func(c *cobra.Command, _ []string) error {
			if err := privilege.Unprivileged(); err != nil {
				return err
			}
			return asProcess(c.Context(), func(ctx context.Context, control *packet.Conn) error {
				return worker.Run(ctx, control, openForSessions)
			})
		}})
	return c
}

// asProcess runs one of the processes. Only SIGTERM ends it early: the other signals
// mean the parent.
func asProcess(ctx context.Context, run func(context.Context, *packet.Conn) error) error {
	signal.Ignore(syscall.SIGHUP, syscall.SIGINT, syscall.SIGUSR2)
	ctx, stop := signal.NotifyContext(context.WithoutCancel(ctx), syscall.SIGTERM)
	defer stop()
	file, err := privilege.Inherited(0)
	if err != nil {
		return err
	}
	if err := privilege.Seal(); err != nil {
		return err
	}
	control, err := packet.New(file)
	if err != nil {
		return err
	}
	go memory.GiveBack(ctx)
	return run(ctx, control)
}

// openAccounts is what the keeper of the accounts works with.
func openAccounts(settings []byte) (*authority.House, error) {
	c := new(config.Config)
	if err := json.Unmarshal(settings, c); err != nil {
		return nil, err
	}
	logger := newLogger(c, os.Stderr)
	others, err := listenForOthers(c, logger)
	if err != nil {
		return nil, err
	}
	backend, err := others.accounts(c)
	if err != nil {
		others.open.Close()
		return nil, err
	}
	stop := others.serve(context.Background())
	return &authority.House{Backend: backend, Logger: logger, Close: stop, Prepare: func(id *auth.Identity, o messages.Owner) error {
		if c.Skeleton == "" {
			return nil
		}
		return skeleton.Copy(c.Skeleton, id.Home, int(o.UID), int(o.GID))
	}}, nil
}

// openForSessions is what a worker serves its sessions with.
func openForSessions(settings []byte) (*worker.House, error) {
	c := new(config.Config)
	if err := json.Unmarshal(settings, c); err != nil {
		return nil, err
	}
	logger := newLogger(c, os.Stderr)
	syscall.Umask(int(c.Umask))
	house, closeHouse, err := openHouse(c, logger)
	if err != nil {
		return nil, fmt.Errorf("opening the house: %w", err)
	}
	return &worker.House{
		Handover:     &handover{config: c, house: house, roster: serve.NewRoster(c.MaxPerAccount), logger: logger},
		DrainTimeout: c.DrainTimeout, Logger: logger, Close: closeHouse,
	}, nil
}
