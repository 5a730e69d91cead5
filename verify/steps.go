package verify

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// run goes through the seven steps. Without windows in IDLE there is nothing to see.
func (p *procedure) run(ctx context.Context) {
	if p.open(ctx); !p.last().Passed {
		return
	}
	p.enhanced()
	p.flag()
	p.toggle()
	p.vanish()
	p.arrive()
}

func (p *procedure) last() *Step { return &p.report.Steps[len(p.report.Steps)-1] }

// end notes how a step went.
func (p *procedure) end(what, note string, err error, advice ...string) {
	s := Step{What: what, Passed: err == nil, Note: note}
	if err != nil {
		s.Note, s.Advice = err.Error(), advice
	}
	p.report.Steps = append(p.report.Steps, s)
	if p.tell != nil {
		p.tell(len(p.report.Steps), s)
	}
}

// open is step 1: several windows log in, select and enter IDLE.
func (p *procedure) open(ctx context.Context) {
	var err error
	for n := 1; err == nil && n <= p.o.Sessions; n++ {
		if err = p.window(ctx); err != nil {
			err = fmt.Errorf("session %d of %d: %w", n, p.o.Sessions, err)
		}
	}
	p.end("several sessions enter IDLE", fmt.Sprintf("%d sessions", len(p.windows)), err,
		"the number of connections from one address is limited: MAXPERIP (Courier's default is 4), mail_max_userip_connections with Dovecot",
		"the number of all connections is limited: MAXDAEMONS",
		"IDLE must be announced: IMAP_CAPABILITY with Courier's settings, IMAP_HIDE with ours")
}

func (p *procedure) window(ctx context.Context) error {
	c, err := p.enter(ctx)
	if err != nil {
		return err
	}
	_, err = c.command("SELECT " + quoteMailbox(p.o.Mailbox))
	var plus string
	if err == nil {
		_, plus, err = c.continued("IDLE")
	}
	if err != nil {
		c.close()
		return err
	}
	p.windows, p.plus = append(p.windows, c), append(p.plus, plus)
	return nil
}

// enhanced is step 2: IDLE says that changes are told at once. A server of another kind
// than Courier's says nothing of that, so what it does must tell.
func (p *procedure) enhanced() {
	var err error
	note := strconv.Quote(p.plus[0])
	switch text := strings.ToLower(p.plus[0]); {
	case strings.Contains(text, "entering enhanced idle mode"):
	case strings.Contains(text, "entering idle mode"):
		err = fmt.Errorf("it said %q: changes are looked for now and then", p.plus[0])
	default:
		note += ", which says neither; the next steps tell"
	}
	p.end("IDLE is the enhanced one", note, err,
		"IMAP_ENHANCEDIDLE must not be 0",
		"Courier before 5.1: FAM or gamin must be installed; from 5.1 on it says this in any case")
}

// flag is steps 3 and 4: another session sets \Deleted, and every window is told.
func (p *procedure) flag() {
	told, err := p.store("+")
	p.end(`another session sets \Deleted`, "", err, "the account must be allowed to write to the mailbox")
	if err != nil {
		p.end("every session is told", "", errors.New("there was nothing to tell"))
		return
	}
	p.end("every session is told", told.String(), told.err(p), p.slow()...)
}

// toggle is step 5: again and again.
func (p *procedure) toggle() {
	const what = "every session is told again and again"
	for n := range p.o.Rounds {
		told, err := p.store([]string{"-", "+"}[n%2])
		if err == nil {
			err = told.err(p)
		}
		if err != nil {
			p.end(what, "", fmt.Errorf("change %d of %d: %w", n+1, p.o.Rounds, err), p.slow()...)
			return
		}
	}
	p.end(what, fmt.Sprintf("%d changes", p.o.Rounds), nil)
}

// told is how many windows were told of a change, and when the last.
type told struct {
	missed int
	all    int
	last   time.Duration
}

func (t told) String() string {
	return fmt.Sprintf("%d of %d, the last after %v", t.all-t.missed, t.all, round(t.last))
}

func (t told) err(p *procedure) error {
	if t.missed > 0 {
		return fmt.Errorf("%d of %d sessions were not told within %v", t.missed, t.all, p.o.Wait)
	}
	return nil
}

// watched is change, with when the last window was told.
func (p *procedure) watched(do func() error, tells func(string) bool) (told, error) {
	before := len(p.report.Latencies)
	missed, err := p.change(do, tells)
	t := told{missed: missed, all: len(p.windows)}
	for _, d := range p.report.Latencies[before:] {
		t.last = max(t.last, d)
	}
	return t, err
}

// store sets or takes away \Deleted of the first of our messages.
func (p *procedure) store(sign string) (told, error) {
	fetch := fmt.Sprintf("* %d FETCH ", p.number)
	return p.watched(func() error {
		_, err := p.actor.command(fmt.Sprintf(`STORE %d %sFLAGS (\Deleted)`, p.number, sign))
		return err
	}, func(line string) bool {
		line = strings.ToUpper(line)
		return strings.HasPrefix(line, fetch) && strings.Contains(line, "FLAGS") && strings.Contains(line, `\DELETED`) == (sign == "+")
	})
}

// vanish is step 6: the message is expunged.
func (p *procedure) vanish() {
	const what = "every session is told of EXPUNGE"
	_, err := p.actor.command(fmt.Sprintf(`STORE %d +FLAGS (\Deleted)`, p.number))
	var uid int
	if err == nil {
		uid, err = p.uidOf(p.number)
	}
	var t told
	if err == nil {
		expunge := fmt.Sprintf("* %d EXPUNGE", p.number)
		t, err = p.watched(func() error {
			_, err := p.actor.command(p.expunge(strconv.Itoa(uid)))
			return err
		}, func(line string) bool { return strings.EqualFold(line, expunge) })
	}
	if err == nil {
		err = t.err(p)
	}
	p.end(what, t.String(), err, p.slow()...)
}

// exists is the number in an answer EXISTS.
func exists(line string) (n int, ok bool) {
	f := strings.Fields(strings.ToUpper(line))
	if len(f) != 3 || f[0] != "*" || f[2] != "EXISTS" {
		return 0, false
	}
	n, err := strconv.Atoi(f[1])
	return n, err == nil
}

// uidOf is the UID of a message.
func (p *procedure) uidOf(number int) (int, error) {
	lines, err := p.actor.command(fmt.Sprintf("FETCH %d (UID)", number))
	if err != nil {
		return 0, err
	}
	for _, l := range lines {
		if _, rest, ok := strings.Cut(strings.ToUpper(l), "(UID "); ok && strings.HasPrefix(l, fmt.Sprintf("* %d ", number)) {
			if n, err := strconv.Atoi(strings.TrimRight(rest, ")")); err == nil {
				return n, nil
			}
		}
	}
	return 0, errors.New("the server does not tell a UID")
}

// arrive is step 7: a message comes in.
func (p *procedure) arrive() {
	t, err := p.watched(func() error { return p.append(p.actor, len(p.uids)+1) }, func(line string) bool {
		n, ok := exists(line)
		return ok && n >= p.count // Courier's EXPUNGE is followed by an EXISTS as well
	})
	if err == nil {
		err = t.err(p)
	}
	p.end("every session is told of a new message", t.String(), err, p.slow()...)
}

// slow is what to look at if changes are told late or not at all.
func (p *procedure) slow() []string {
	return []string{
		"IMAP_ENHANCEDIDLE=0, or a mailbox on a network's file system: changes are looked for every IMAP_IDLE_TIMEOUT seconds",
		"the log may say that inotify's watches or instances ran out: sysctl fs.inotify.max_user_watches, fs.inotify.max_user_instances",
		"other clients of this account that change " + p.o.Mailbox + " meanwhile disturb the test",
	}
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}
