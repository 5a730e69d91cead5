package verify

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Options say what to verify.
type Options struct {
	Addr           string // host:port
	User, Password string
	TLS            bool          // from the first byte
	StartTLS       bool          // on a connection without
	TLSConfig      *tls.Config   // for either
	Mailbox        string        // "": INBOX
	Sessions       int           // in IDLE; 0: 3
	Rounds         int           // of step 5; 0: 10
	Wait           time.Duration // the longest for a change to be told; 0: 20 s, as the manual page has it
}

// MaxSessions bounds Options.Sessions.
const MaxSessions = 1000

// Step is one step of the procedure, as it went.
type Step struct {
	What   string
	Passed bool
	Note   string   // how it went
	Advice []string // what to look at, if it failed
}

// Report is what Run found.
type Report struct {
	Steps     []Step          // 1 to 7; those that were not reached are missing
	Latencies []time.Duration // of every change and session, from before it was asked for
	Cleanup   error           // what could not be removed
}

// Steps is how many steps the procedure has.
const Steps = 7

// Passed reports whether all seven steps passed.
func (r *Report) Passed() bool {
	return len(r.Steps) == Steps && !slices.ContainsFunc(r.Steps, func(s Step) bool { return !s.Passed })
}

// Run goes through the procedure and reports each step to tell as it ends. Its error
// says that the procedure could not begin; what went wrong later stands in the report.
func Run(ctx context.Context, o Options, tell func(int, Step)) (*Report, error) {
	o = o.withDefaults()
	if o.Sessions < 1 || o.Sessions > MaxSessions {
		return nil, fmt.Errorf("%d sessions: from 1 to %d are possible", o.Sessions, MaxSessions)
	}
	if strings.ContainsAny(o.User+o.Password+o.Mailbox, "\r\n\x00") {
		return nil, errors.New("a user, password or mailbox has a line end in it")
	}
	p := &procedure{o: &o, tell: tell, report: &Report{}, token: token()}
	err := p.prepare(ctx)
	if err == nil {
		p.run(ctx)
	}
	for _, w := range p.windows {
		w.close()
	}
	p.report.Cleanup = p.clean(ctx)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("preparing the test: %w", err), p.report.Cleanup)
	}
	return p.report, nil
}

func (o Options) withDefaults() Options {
	if o.Mailbox == "" {
		o.Mailbox = "INBOX"
	}
	if o.Sessions == 0 {
		o.Sessions = 3
	}
	if o.Rounds == 0 {
		o.Rounds = 10
	}
	if o.Wait == 0 {
		o.Wait = 20 * time.Second
	}
	return o
}
