package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"postrider/account"
	"postrider/config"
	"postrider/mail"
	"postrider/mailbox"
	"postrider/maildir"
	"postrider/vfs"
)

// The statuses of the index commands.
const (
	statusFine  = 0
	statusWrong = 1 // something is wrong with a mailbox
	statusBlind = 2 // it could not be looked at
)

// statusError ends the process with a status of its own. err is nil where the user was
// told already.
type statusError struct {
	status int
	err    error
}

func (e *statusError) Error() string {
	if e.err == nil {
		return errTold.Error()
	}
	return e.err.Error()
}

func (e *statusError) Unwrap() error {
	if e.err == nil {
		return errTold
	}
	return e.err
}

const indexLong = `The index commands look at, check and mend what Postrider keeps beside a Maildir: in
each folder the journal, the index and the cache, and the account's file. DIR is a
Maildir, of which all folders are meant, or one folder of it.

They work while a server has the mailboxes open. Their status is 0 if all is well, 1
if something is wrong with a mailbox, and 2 if one could not be looked at.`

func newIndex() *cobra.Command {
	c := &cobra.Command{Use: "index", Short: "Look at, check and mend the files that are kept beside a Maildir", Long: indexLong}
	c.AddCommand(newIndexShow(), newIndexCheck(), newIndexRebuild(), newIndexExport(), newIndexForget())
	for _, sub := range c.Commands() {
		sub.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &statusError{statusBlind, err} })
	}
	return c
}

// targets are what an index command is asked to work on.
type targets struct {
	from   where
	folder string
	all    string
	json   bool
}

func (t *targets) flags(c *cobra.Command) {
	t.from.flags(c)
	c.Flags().StringVar(&t.folder, "folder", "", "only this folder, as clients name it (INBOX, Sent)")
	c.Flags().StringVar(&t.all, "all", "", "every Maildir below this directory")
	c.Flags().BoolVar(&t.json, "json", false, "one JSON object a line and mailbox")
	c.MarkFlagDirname("all")
	c.ValidArgsFunction = func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return nil, cobra.ShellCompDirectiveFilterDirs
	}
}

// place is a mailbox that an index command works on.
type place struct {
	root   string
	name   mail.Name
	shown  string // as clients name it
	sight  *account.Sight
	folder *maildir.Folder
}

// work is an index command: perAccount may be nil. Each returns a status.
type work struct {
	perAccount func(ctx context.Context, root string, s *account.Sight) (int, error)
	perMailbox func(ctx context.Context, p *place) (int, error)
}

// run does the work on all that was named. What could not be looked at is told, and does
// not keep it from the others.
func (t *targets) run(c *cobra.Command, args []string, prepare func(*config.Config) (work, error)) error {
	loaded, err := t.from.load()
	if err != nil {
		return &statusError{statusBlind, err}
	}
	w, err := prepare(&loaded.Config)
	if err != nil {
		return &statusError{statusBlind, err}
	}
	if t.all != "" {
		below, err := maildirsBelow(t.all)
		if err != nil {
			return &statusError{statusBlind, err}
		}
		args = append(args, below...)
	}
	if len(args) == 0 {
		return &statusError{statusBlind, errors.New("name a Maildir, or a directory with --all")}
	}
	worst := statusFine
	for _, dir := range args {
		if err := c.Context().Err(); err != nil {
			return &statusError{statusBlind, err}
		}
		worst = max(worst, t.account(c, &loaded.Config, dir, w))
	}
	if worst != statusFine {
		return &statusError{worst, nil}
	}
	return nil
}

// account does the work on one Maildir, or on one folder of it.
func (t *targets) account(c *cobra.Command, conf *config.Config, dir string, w work) int {
	fail := func(what string, err error) int {
		fmt.Fprintf(c.ErrOrStderr(), "postrider: %s: %v\n", what, err)
		return statusBlind
	}
	root, sub := accountOf(dir)
	s, err := account.Look(vfs.OS(), accountConfig(conf, root))
	if err != nil {
		return fail(dir, err)
	}
	defer s.Close()
	style := accountConfig(conf, root).Style
	names, err := t.names(s, style, sub)
	if err != nil {
		return fail(dir, err)
	}
	worst := statusFine
	if w.perAccount != nil && t.folder == "" && sub == "" {
		status, err := w.perAccount(c.Context(), root, s)
		if err != nil {
			status = max(status, statusWrong)
			fail(root, err)
		}
		worst = max(worst, status)
	}
	for _, n := range names {
		p := &place{root: root, name: n, shown: style.Wire(n), sight: s}
		status, err := t.mailbox(c.Context(), p, w)
		if err != nil {
			status = max(status, statusWrong)
			fail(root+" "+p.shown, err)
		}
		worst = max(worst, status)
	}
	return worst
}

func (t *targets) mailbox(ctx context.Context, p *place, w work) (int, error) {
	if err := ctx.Err(); err != nil {
		return statusBlind, err
	}
	folder, err := p.sight.Folder(p.name)
	if err != nil {
		return statusBlind, err
	}
	p.folder = folder
	defer folder.Close()
	return w.perMailbox(ctx, p)
}

// names are the mailboxes that are meant: all, or one.
func (t *targets) names(s *account.Sight, style account.Style, sub string) ([]mail.Name, error) {
	switch {
	case t.folder != "":
		n, err := style.Parse(t.folder)
		return []mail.Name{n}, err
	case sub != "":
		n, ok := s.At(sub)
		if !ok {
			return nil, account.ErrNoMailbox
		}
		return []mail.Name{n}, nil
	}
	return s.Names(), nil
}

// accountOf takes the directory of a folder apart into that of its account and its own
// name there; sub is "" for an account's.
func accountOf(dir string) (root, sub string) {
	abs, err := filepath.Abs(dir)
	if err != nil || !strings.HasPrefix(filepath.Base(abs), ".") {
		return dir, ""
	}
	_, err = os.Lstat(filepath.Join(abs, "maildirfolder"))
	_, above := os.Lstat(filepath.Join(filepath.Dir(abs), "cur"))
	if err != nil || above != nil {
		return dir, ""
	}
	return filepath.Dir(abs), filepath.Base(abs)
}

// maildirsBelow are the Maildirs below a directory, those of folders left out.
func maildirsBelow(dir string) ([]string, error) {
	var found []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		if info, err := os.Lstat(filepath.Join(path, "cur")); err == nil && info.IsDir() {
			found = append(found, path)
			return filepath.SkipDir
		}
		return nil
	})
	if err == nil && len(found) == 0 {
		err = fmt.Errorf("no Maildir below %s", dir)
	}
	return found, err
}

// statusOf is the status for what kept a mailbox from being mended.
func statusOf(err error) int {
	if errors.Is(err, mailbox.ErrNotWhole) {
		return statusWrong
	}
	return statusBlind
}
