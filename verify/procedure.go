package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// procedure is one run.
type procedure struct {
	o       *Options
	tell    func(int, Step)
	report  *Report
	token   string
	uids    []uint32 // of the messages that were appended; 0 where the server did not say
	uidPlus bool

	actor   *client // who changes things, not in IDLE
	windows []*client
	plus    []string // what each window's IDLE was answered with
	number  int      // of the first of our messages
	count   int      // of messages when all our work is done: one is expunged, one comes
}

// prepare logs in, appends a couple of messages, and finds out what the server cannot.
func (p *procedure) prepare(ctx context.Context) (err error) {
	if p.actor, err = p.enter(ctx); err != nil {
		return err
	}
	c := p.actor
	words, err := c.command("CAPABILITY")
	if err != nil {
		return err
	}
	if !has(words, "IDLE") {
		return errors.New("the server does not announce IDLE: with Courier's settings, IDLE must stand in IMAP_CAPABILITY")
	}
	p.uidPlus = has(words, "UIDPLUS")
	for n := 1; n <= 2; n++ {
		if err := p.append(c, n); err != nil {
			return err
		}
	}
	if err := p.choose(c); err != nil || p.uidPlus {
		return err
	}
	return p.noneDeleted(c)
}

// choose selects the mailbox, and the message that is changed.
func (p *procedure) choose(c *client) error {
	selected, err := c.command("SELECT " + quoteMailbox(p.o.Mailbox))
	if err != nil {
		return err
	}
	for _, l := range selected {
		if n, ok := exists(l); ok {
			p.count = n
		}
	}
	p.number, err = p.findNumber(c)
	return err
}

// enter connects and logs in.
func (p *procedure) enter(ctx context.Context) (*client, error) {
	c, err := dial(ctx, p.o)
	if err != nil {
		return nil, err
	}
	if err := c.login(p.o.User, p.o.Password); err != nil {
		c.close()
		return nil, fmt.Errorf("logging in: %w", err)
	}
	return c, nil
}

// has reports whether a capability is announced.
func has(lines []string, word string) bool {
	for _, l := range lines {
		if rest, ok := strings.CutPrefix(l, "* CAPABILITY "); ok && slices.Contains(strings.Fields(strings.ToUpper(rest)), word) {
			return true
		}
	}
	return false
}

func (p *procedure) append(c *client, n int) error {
	p.uids = append(p.uids, 0)
	uid, err := c.append(p.o.Mailbox, letter(p.token, n))
	p.uids[len(p.uids)-1] = uid
	return err
}

// noneDeleted makes sure that EXPUNGE removes no message but ours, where UID EXPUNGE is
// not to be had.
func (p *procedure) noneDeleted(c *client) error {
	found, err := c.search("SEARCH DELETED")
	if err == nil && len(found) > 0 {
		err = fmt.Errorf("%d messages of %s are marked \\Deleted, and the server has no UID EXPUNGE: use an account for tests", len(found), p.o.Mailbox)
	}
	return err
}

// findNumber is the sequence number of the first of our messages.
func (p *procedure) findNumber(c *client) (int, error) {
	found, err := c.search("SEARCH SUBJECT " + p.token)
	if err != nil {
		return 0, err
	}
	if len(found) != len(p.uids) {
		return 0, fmt.Errorf("%d of %d messages that were appended are there", len(found), len(p.uids))
	}
	return slices.Min(found), nil
}

// search returns the numbers that a SEARCH found.
func (c *client) search(command string) (found []int, err error) {
	lines, err := c.command(command)
	if err != nil {
		return nil, err
	}
	for _, l := range lines {
		rest, ok := strings.CutPrefix(strings.ToUpper(l), "* SEARCH")
		if !ok {
			continue
		}
		for _, w := range strings.Fields(rest) {
			if n, err := strconv.Atoi(w); err == nil {
				found = append(found, n)
			}
		}
	}
	return found, nil
}

// clean removes what was appended, even if ctx ended: over the connection that is there,
// since a limit may allow no other, else over a new one.
func (p *procedure) clean(ctx context.Context) error {
	if p.actor == nil {
		return nil
	}
	err := p.remove(p.actor)
	p.actor.close()
	if err == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commandTimeout)
	defer cancel()
	c, err := p.enter(ctx)
	if err == nil {
		err = p.remove(c)
		c.close()
	}
	if err != nil {
		return fmt.Errorf("removing the test messages, whose subjects begin with %s: %w", p.token, err)
	}
	return nil
}

func (p *procedure) remove(c *client) error {
	if len(p.uids) == 0 {
		return nil
	}
	if _, err := c.command("SELECT " + quoteMailbox(p.o.Mailbox)); err != nil {
		return err
	}
	found, err := c.search("UID SEARCH SUBJECT " + p.token)
	if err != nil || len(found) == 0 {
		return err
	}
	if !p.uidPlus {
		if deleted, err := c.search("UID SEARCH DELETED NOT SUBJECT " + p.token); err == nil && len(deleted) > 0 {
			return errors.New("other messages are marked \\Deleted, and would be expunged too")
		}
	}
	set := make([]string, len(found))
	for i, n := range found {
		set[i] = strconv.Itoa(n)
	}
	uids := strings.Join(set, ",")
	if _, err := c.command("UID STORE " + uids + ` +FLAGS.SILENT (\Deleted)`); err != nil {
		return err
	}
	_, err = c.command(p.expunge(uids))
	return err
}

// expunge is the command that expunges messages of ours alone.
func (p *procedure) expunge(uids string) string {
	if p.uidPlus {
		return "UID EXPUNGE " + uids
	}
	return "EXPUNGE"
}

// change does something and waits until every window was told of it.
func (p *procedure) change(do func() error, told func(line string) bool) (missed int, err error) {
	begin := time.Now()
	took := make([]time.Duration, len(p.windows))
	errs := make([]error, len(p.windows))
	var wait sync.WaitGroup
	for i, w := range p.windows {
		wait.Go(func() {
			errs[i] = w.await(begin.Add(p.o.Wait), told)
			took[i] = time.Since(begin)
		})
	}
	err = do()
	wait.Wait()
	for i := range took {
		if errs[i] == nil {
			p.report.Latencies = append(p.report.Latencies, took[i])
			continue
		}
		missed++
		if err == nil && !isTimeout(errs[i]) {
			err = errs[i]
		}
	}
	return missed, err
}

// await reads until a line that tells.
func (c *client) await(deadline time.Time, told func(string) bool) error {
	for {
		l, err := c.line(deadline)
		if err != nil {
			return err
		}
		if strings.HasPrefix(l, "* BYE") {
			return errRefused{l}
		}
		if told(l) {
			return nil
		}
	}
}
