package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"postrider/account"
	"postrider/config"
	"postrider/mail"
	"postrider/mailbox"
	"postrider/session"
)

type indexCheck struct {
	targets
	deep bool
	out  io.Writer
	bar  *progress
}

func newIndexCheck() *cobra.Command {
	var k indexCheck
	c := &cobra.Command{
		Use: "check [--folder NAME] [--deep] [--json] DIR...", Short: "Compare names, journal, index and cache of mailboxes",
		Long: "check compares the names in new and cur, the journal, the index and the cache, and\n" +
			"changes nothing. What no session has seen yet, such as new mail, is told and is no\n" +
			"fault. The folder is locked while its names are read.",
		DisableFlagsInUseLine: true,
		RunE: func(c *cobra.Command, args []string) error {
			k.out = c.OutOrStdout()
			k.bar = newProgress(c.ErrOrStderr())
			defer k.bar.end()
			return k.run(c, args, func(*config.Config) (work, error) { return work{k.account, k.mailbox}, nil })
		},
	}
	k.flags(c)
	c.Flags().BoolVar(&k.deep, "deep", false, "read every message and compare its sizes and what is cached of it")
	return c
}

// checked is a mailbox as JSON has it.
type checked struct {
	Account  string         `json:"account"`
	Mailbox  string         `json:"mailbox,omitempty"` // empty: the account's file
	Opened   bool           `json:"opened"`
	Messages int            `json:"messages"`
	Files    int            `json:"files"`
	Cached   int            `json:"cached"`
	Damage   int            `json:"damage"`
	Unseen   int            `json:"unseen"`
	Findings []foundProblem `json:"findings"`
	Left     map[string]int `json:"not_listed,omitempty"`
}

// foundProblem is a finding as JSON has it.
type foundProblem struct {
	Severity string   `json:"severity"`
	Part     string   `json:"part"`
	UID      mail.UID `json:"uid,omitempty"`
	Text     string   `json:"text"`
}

func severityName(s mailbox.Severity) string {
	switch s {
	case mailbox.Damage:
		return "damage"
	case mailbox.Unseen:
		return "unseen"
	}
	return "note"
}

func (k *indexCheck) mailbox(ctx context.Context, p *place) (int, error) {
	o := mailbox.ExamineOptions{}
	if k.deep {
		o.Derive = session.Derive
		o.Progress = func(done, total int) { k.bar.step(p.shown, done, total) }
	}
	x, err := mailbox.Examine(ctx, p.folder, o)
	k.bar.next()
	opened := true
	if errors.Is(err, mailbox.ErrNoIndex) {
		opened, x, err = false, &mailbox.Examination{}, nil
	}
	if err != nil {
		return statusBlind, err
	}
	status := statusFine
	if x.Count(mailbox.Damage) > 0 {
		status = statusWrong
	}
	v := &checked{p.root, p.shown, opened, x.Messages, x.Files, x.Cached, x.Count(mailbox.Damage), x.Count(mailbox.Unseen), []foundProblem{}, x.Left}
	for _, f := range x.Findings {
		v.Findings = append(v.Findings, foundProblem{severityName(f.Severity), f.Part, f.UID, f.Text})
	}
	return status, k.tell(v)
}

func (k *indexCheck) account(_ context.Context, root string, s *account.Sight) (int, error) {
	a, err := readAccount(s.Root())
	if err != nil || !a.Damaged {
		return statusFine, err
	}
	return statusWrong, k.tell(&checked{Account: root, Opened: true, Damage: 1,
		Findings: []foundProblem{{"damage", "account", 0, "the file cannot be read to its end; it counts as empty from there on"}}})
}

func (k *indexCheck) tell(v *checked) error {
	if k.json {
		return json.NewEncoder(k.out).Encode(v)
	}
	switch {
	case !v.Opened:
		fmt.Fprintf(k.out, "%s %s: %v\n", v.Account, v.Mailbox, mailbox.ErrNoIndex)
		return nil
	case v.Mailbox != "":
		fmt.Fprintf(k.out, "%s %s: %s; %d messages, %d files, %d cached\n", v.Account, v.Mailbox, verdict(v), v.Messages, v.Files, v.Cached)
	default:
		fmt.Fprintf(k.out, "%s: DAMAGE\n", v.Account)
	}
	for _, f := range v.Findings {
		uid := ""
		if f.UID != 0 {
			uid = fmt.Sprintf("UID %d: ", f.UID)
		}
		fmt.Fprintf(k.out, "  %-7s %-8s %s%s\n", f.Severity, f.Part, uid, f.Text)
	}
	for _, part := range slices.Sorted(maps.Keys(v.Left)) {
		fmt.Fprintf(k.out, "  %-7s %-8s and %d more\n", "", part, v.Left[part])
	}
	return nil
}

func verdict(v *checked) string {
	switch {
	case v.Damage > 0:
		return fmt.Sprintf("DAMAGE (%d)", v.Damage)
	case v.Unseen > 0:
		return fmt.Sprintf("fine, %d changes not seen yet", v.Unseen)
	}
	return "fine"
}
