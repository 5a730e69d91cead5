package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"postrider/account"
	"postrider/config"
	"postrider/mail"
	"postrider/mailbox"
	"postrider/session"
)

type indexRebuild struct {
	targets
	fromFiles bool
	out       io.Writer
	bar       *progress
	writer
}

func newIndexRebuild() *cobra.Command {
	var r indexRebuild
	c := &cobra.Command{
		Use: "rebuild [--folder NAME] [--from-files] [--json] DIR...", Short: "Make index and cache of mailboxes anew",
		Long: "rebuild makes the index anew from the journal, and the cache from the messages. With\n" +
			"--from-files it makes the journal, too, from whatever is left of journal and index, and\n" +
			"from Courier's or Dovecot's list: every UID that one of them knows is kept, and new\n" +
			"numbers go on 1,000,000 above. Old files are kept as NAME.aside.N. A server may have the\n" +
			"mailboxes open.",
		DisableFlagsInUseLine: true,
		RunE: func(c *cobra.Command, args []string) error {
			r.out = c.OutOrStdout()
			r.bar = newProgress(c.ErrOrStderr())
			defer r.bar.end()
			defer r.writer.close()
			return r.run(c, args, func(conf *config.Config) (work, error) {
				r.conf, r.logger = conf, newLogger(conf, c.ErrOrStderr())
				return work{nil, r.mailbox}, nil
			})
		},
	}
	r.flags(c)
	c.Flags().BoolVar(&r.fromFiles, "from-files", false, "make the journal anew, too, from what is left")
	return c
}

// rebuilt is a mailbox as JSON has it.
type rebuilt struct {
	Account     string           `json:"account"`
	Mailbox     string           `json:"mailbox"`
	UIDValidity mail.UIDValidity `json:"uidvalidity"`
	UIDNext     mail.UID         `json:"uidnext"`
	Messages    int              `json:"messages"`
	Unread      int              `json:"unread"` // of which nothing is cached
	Sources     []rebuiltSource  `json:"sources,omitempty"`
	Aside       []string         `json:"aside"`
}

type rebuiltSource struct {
	Name     string `json:"name"`
	Messages int    `json:"messages"`
	Wrong    string `json:"wrong,omitempty"`
}

func (r *indexRebuild) mailbox(ctx context.Context, p *place) (int, error) {
	if err := r.become(p.root); err != nil {
		return statusBlind, err
	}
	o := mailbox.RebuildOptions{FromFiles: r.fromFiles, Fsync: r.conf.Fsync}
	o.Validity = func() (mail.UIDValidity, error) {
		l, err := openLedger(p.sight.Root(), r.conf.LockTimeout)
		if err != nil {
			return 0, err
		}
		defer l.Close()
		return l.NextValidity()
	}
	if r.fromFiles {
		var err error
		if o.Lists, err = account.Lists(p.folder); err != nil {
			return statusBlind, err
		}
	}
	made, err := mailbox.Rebuild(ctx, p.folder, o)
	if errors.Is(err, mailbox.ErrNoIndex) {
		if !r.json {
			fmt.Fprintf(r.out, "%s %s: %v\n", p.root, p.shown, err)
		}
		return statusFine, nil
	}
	if err != nil {
		return statusOf(err), err
	}
	v := &rebuilt{Account: p.root, Mailbox: p.shown, Aside: append([]string{}, made.Aside...)}
	for _, s := range made.Sources {
		v.Sources = append(v.Sources, rebuiltSource{s.Name, s.Messages, textOf(s.Err)})
	}
	err = r.open(ctx, p, func(box *account.Handle) error {
		v.Unread, err = box.RebuildCache(ctx, session.Derive, func(done, total int) { r.bar.step(p.shown, done, total) })
		r.bar.next()
		s := box.Snapshot()
		v.UIDValidity, v.UIDNext, v.Messages = s.UIDValidity(), s.UIDNext(), s.Len()
		return err
	})
	if err != nil {
		return statusBlind, err
	}
	status := statusFine
	if v.Unread > 0 {
		status = statusWrong
	}
	if r.json {
		return status, json.NewEncoder(r.out).Encode(v)
	}
	v.print(r.out)
	return status, nil
}

func (v *rebuilt) print(out io.Writer) {
	fmt.Fprintf(out, "%s %s: %d messages, UIDVALIDITY %d, UIDNEXT %d\n", v.Account, v.Mailbox, v.Messages, v.UIDValidity, v.UIDNext)
	for _, s := range v.Sources {
		fmt.Fprintf(out, "  from %s: %d messages", s.Name, s.Messages)
		if s.Wrong != "" {
			fmt.Fprintf(out, "; %s", s.Wrong)
		}
		fmt.Fprintln(out)
	}
	if len(v.Aside) > 0 {
		fmt.Fprintf(out, "  kept aside: %s\n", strings.Join(v.Aside, " "))
	}
	if v.Unread > 0 {
		fmt.Fprintf(out, "  %d messages cannot be read\n", v.Unread)
	}
}

// writer opens mailboxes to change something of them, as whom their files belong to.
type writer struct {
	conf   *config.Config
	logger *slog.Logger
	house  *account.House
	end    func()
}

// become makes root whom the Maildir belongs to: files of root's own could not be read
// by the server. It can be done once.
func (w *writer) become(root string) error {
	info, err := os.Stat(root)
	if err != nil {
		return err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || int(st.Uid) == os.Geteuid() {
		return nil
	}
	if os.Geteuid() != 0 {
		return fmt.Errorf("it belongs to uid %d, and this is uid %d: run it as that user, or as root for accounts of one user at a time", st.Uid, os.Geteuid())
	}
	for _, step := range []func() error{
		func() error { return syscall.Setgroups([]int{int(st.Gid)}) },
		func() error { return syscall.Setgid(int(st.Gid)) },
		func() error { return syscall.Setuid(int(st.Uid)) },
	} {
		if err := step(); err != nil {
			return fmt.Errorf("becoming uid %d: %w", st.Uid, err)
		}
	}
	return nil
}

// open opens a mailbox as a session does, beside a server.
func (w *writer) open(ctx context.Context, p *place, do func(*account.Handle) error) error {
	if w.house == nil {
		syscall.Umask(int(w.conf.Umask))
		conf := *w.conf
		conf.EnhancedIdle = false // nobody waits for anything
		house, end, err := openHouse(&conf, w.logger)
		if err != nil {
			return err
		}
		w.house, w.end = house, end
	}
	a, err := w.house.Open(ctx, accountConfig(w.conf, p.root))
	if err != nil {
		return err
	}
	defer a.Close()
	box, err := a.Mailbox(ctx, p.name)
	if err != nil {
		return err
	}
	defer box.Release()
	return do(box)
}

func (w *writer) close() {
	if w.end != nil {
		w.end()
	}
}
