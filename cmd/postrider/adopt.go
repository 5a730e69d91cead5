package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"postrider/account"
	"postrider/config"
	"postrider/vfs"
)

// exitStatus ends the process with a status of its own, where the user was told why.
type exitStatus int

func (s exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

// The exit statuses of adopt beside 0 and 1.
const (
	exitOdd    exitStatus = 2 // something is odd, and somebody should look at it
	exitFailed exitStatus = 3 // an account or a folder could not be taken over, or looked at
)

const adoptLong = `adopt takes over what Courier-IMAP or Dovecot knew of accounts: UIDVALIDITY, UIDs,
keywords and subscriptions. A server does the same when a mailbox is opened for the
first time; adopt does it for all of them, and says what it finds.

DIR is a Maildir, or a directory that has accounts' Maildirs one or two levels below.

With --dry-run it reads, and changes nothing. Without, it must run as who owns the
Maildirs, and the other server should be stopped.

Exit status: 0 if all is well, 1 for wrong use, 2 if something is odd that somebody
should look at, 3 if an account or a folder could not be read or taken over.`

type adopt struct {
	from    where
	dryRun  bool
	asJSON  bool
	control string
	config  *config.Config
	failed  bool
	odd     bool
}

func newAdopt() *cobra.Command {
	var a adopt
	c := &cobra.Command{
		Use: "adopt [--dry-run] DIR...", Short: "Take over the UIDs, keywords and subscriptions of Courier or Dovecot, and report", Long: adoptLong,
		Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, dirs []string) error {
			loaded, err := a.from.load()
			if err != nil {
				return err
			}
			a.config = &loaded.Config
			return a.run(c.Context(), dirs, c.OutOrStdout(), c.ErrOrStderr())
		},
	}
	a.from.flags(c)
	c.Flags().BoolVarP(&a.dryRun, "dry-run", "n", false, "change nothing")
	c.Flags().BoolVar(&a.asJSON, "json", false, "report each account as a JSON object on a line of its own")
	c.Flags().StringVar(&a.control, "dovecot-control", "", "where Dovecot has its control files (CONTROL=); %u is the account's path below DIR")
	return c
}

// found is a Maildir, and the account's path below DIR.
type found struct {
	root, user string
	err        error // why it cannot be told what is below root
}

func (a *adopt) run(ctx context.Context, dirs []string, out, errOut io.Writer) error {
	var all []found
	for _, dir := range dirs {
		some, err := findMaildirs(dir)
		if err != nil {
			return err
		}
		if len(some) == 0 {
			return fmt.Errorf("no Maildir in %s, nor one or two levels below", dir)
		}
		all = append(all, some...)
	}
	progress := newProgress(errOut)
	defer progress.end()
	report := reporter(a.asJSON, progress.around(out), a.dryRun)
	house, closeHouse, err := a.openHouse(errOut)
	if err != nil {
		return err
	}
	defer closeHouse()
	for i, m := range all {
		s := a.one(ctx, house, m)
		a.failed = a.failed || len(s.Errors) > 0
		a.odd = a.odd || s.survey != nil && s.survey.Oddities() > 0
		if err := report(s); err != nil {
			return err
		}
		progress.step("accounts", i+1, len(all))
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	switch {
	case a.failed:
		return exitFailed
	case a.odd:
		return exitOdd
	}
	return nil
}

// around is where to write so that the bar stays below what is written.
func (p *progress) around(out io.Writer) io.Writer {
	if f, ok := out.(*os.File); ok && p.out != nil {
		if _, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS); err == nil {
			return p.out
		}
	}
	return out
}

// openHouse opens what the accounts are opened in; nothing for a dry run.
func (a *adopt) openHouse(errOut io.Writer) (*account.House, func(), error) {
	if a.dryRun {
		return nil, func() {}, nil
	}
	syscall.Umask(int(a.config.Umask))
	c := *a.config
	c.EnhancedIdle = false // nobody waits for changes
	return openHouse(&c, newLogger(&c, errOut))
}

// outcome is what became of one account.
type outcome struct {
	found
	survey *account.Survey
	Errors []string
}

// one looks at an account and, but for a dry run, takes it over.
func (a *adopt) one(ctx context.Context, house *account.House, m found) outcome {
	o := outcome{found: m}
	if m.err != nil {
		o.Errors = []string{m.err.Error()}
		return o
	}
	c := accountConfig(a.config, m.root)
	c.DovecotControl = strings.ReplaceAll(a.control, "%u", m.user)
	var err error
	if o.survey, err = account.Examine(ctx, vfs.OS(), c); err == nil && house != nil {
		err = open(ctx, house, c)
	}
	if err != nil {
		o.Errors = strings.Split(err.Error(), "\n")
	}
	return o
}

// open opens each mailbox of an account once.
func open(ctx context.Context, house *account.House, c account.Config) error {
	if err := checkOwner(c.Root); err != nil {
		return err
	}
	a, err := house.Open(ctx, c)
	if err != nil {
		return err
	}
	defer a.Close()
	tree, err := a.List(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, node := range tree.Nodes() {
		if !node.Exists {
			continue
		}
		h, err := a.Mailbox(ctx, node.Name)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", node.Name, err))
			continue
		}
		h.Release()
	}
	return errors.Join(errs...)
}

// findMaildirs returns the Maildir dir, or those one or two levels below it. Links
// are not followed below dir.
func findMaildirs(dir string) ([]found, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(dir); err != nil {
		return nil, err
	}
	if isMaildir(dir) {
		user := filepath.Base(dir)
		if strings.EqualFold(user, "Maildir") {
			user = filepath.Base(filepath.Dir(dir))
		}
		return []found{{root: dir, user: user}}, nil
	}
	var all []found
	err = below(dir, func(name string) error {
		one := filepath.Join(dir, name)
		if isMaildir(one) {
			user := name
			if strings.EqualFold(name, "Maildir") {
				user = filepath.Base(dir)
			}
			all = append(all, found{root: one, user: user})
			return nil
		}
		err := below(one, func(sub string) error {
			if two := filepath.Join(one, sub); isMaildir(two) {
				all = append(all, found{root: two, user: userOf(name, sub)})
			}
			return nil
		})
		if err != nil {
			all = append(all, found{root: one, err: err})
		}
		return nil
	})
	return all, err
}

// userOf is the account of a Maildir: the directory above it, if it is called so.
func userOf(above, name string) string {
	if strings.EqualFold(name, "Maildir") {
		return above
	}
	return above + "/" + name
}

func below(dir string, do func(name string) error) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() && e.Name()[0] != '.' {
			if err := do(e.Name()); err != nil {
				return err
			}
		}
	}
	return nil
}

func isMaildir(dir string) bool {
	st, err := os.Lstat(filepath.Join(dir, "cur"))
	return err == nil && st.IsDir()
}
