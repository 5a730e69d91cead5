package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"postrider/account"
	"postrider/config"
	"postrider/mailbox"
)

// indexRegister writes Courier's list of UIDs, or ends its being kept.
type indexRegister struct {
	targets
	out io.Writer
	writer
	done string // what is said of a mailbox
	do   func(*mailbox.Mailbox, context.Context) error
}

func newIndexExport() *cobra.Command {
	r := indexRegister{done: "Courier's list of UIDs and its keywords are written", do: (*mailbox.Mailbox).ExportRegister}
	return r.command("export [--folder NAME] [--json] DIR...", "Write Courier's list of UIDs and its keywords",
		"export writes courierimapuiddb and courierimapkeywords as of now, so that Courier can\n"+
			"serve the mailboxes with the same UIDs. Postrider keeps them current from then on, unless\n"+
			"COURIER_UIDDB=off. A server may have the mailboxes open.")
}

func newIndexForget() *cobra.Command {
	r := indexRegister{done: "Courier's list of UIDs is put aside", do: (*mailbox.Mailbox).ForgetRegister}
	return r.command("forget [--folder NAME] [--json] DIR...", "Keep Courier's list of UIDs no longer",
		"forget puts courierimapuiddb aside, as courierimapuiddb.forgotten, and ends its being kept\n"+
			"current. Courier, if it is started again, gives all messages new UIDs. A server may have\n"+
			"the mailboxes open.")
}

func (r *indexRegister) command(use, short, long string) *cobra.Command {
	c := &cobra.Command{
		Use: use, Short: short, Long: long, DisableFlagsInUseLine: true,
		RunE: func(c *cobra.Command, args []string) error {
			r.out = c.OutOrStdout()
			defer r.writer.close()
			return r.run(c, args, func(conf *config.Config) (work, error) {
				r.conf, r.logger = conf, newLogger(conf, c.ErrOrStderr())
				return work{nil, r.mailbox}, nil
			})
		},
	}
	r.flags(c)
	return c
}

func (r *indexRegister) mailbox(ctx context.Context, p *place) (int, error) {
	if err := r.become(p.root); err != nil {
		return statusBlind, err
	}
	err := r.open(ctx, p, func(box *account.Handle) error { return r.do(box.Mailbox, ctx) })
	if err != nil {
		return statusWrong, err
	}
	if r.json {
		return statusFine, json.NewEncoder(r.out).Encode(map[string]any{"account": p.root, "mailbox": p.shown, "done": true})
	}
	fmt.Fprintf(r.out, "%s %s: %s\n", p.root, p.shown, r.done)
	return statusFine, nil
}
