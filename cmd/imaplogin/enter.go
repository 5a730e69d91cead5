package imaplogin

import (
	"context"
	"fmt"
	"os"
	"syscall"

	"postrider/auth"
	"postrider/certificate"
	"postrider/cmd/skeleton"
	"postrider/login"
)

// temporary is what a client is told that is not at fault.
const temporary = "* BYE [UNAVAILABLE] Temporary problem, please try again later\r\n"

// enter has the next program serve whom the login proved. In clear this process becomes
// that program: the socket holds all that the client sent after its login. With TLS,
// which stays here, the program is a child behind a socket of its own.
func (d *door) enter(ctx context.Context, l *login.Result) error {
	who, err := d.person(l.Identity)
	if err != nil {
		return d.refuse(l.Identity, err)
	}
	path, err := program(d.imapd)
	if err == nil && d.Config.Skeleton != "" {
		err = skeleton.Copy(d.Config.Skeleton, who.home, who.uid, who.gid)
	}
	if err != nil {
		return d.refuse(l.Identity, err)
	}
	next := next{path: path, args: d.arguments(l.Identity), env: d.handOver(l), who: who}
	if d.secured == nil && d.conn.Buffered() == 0 {
		return d.refuse(l.Identity, d.replace(next))
	}
	return d.beside(ctx, next, l.Identity)
}

// next is the program that serves the session, and as whom.
type next struct {
	path string
	args []string
	env  environment
	who  person
}

// person is whom the account is: what modules became, where they are programs.
func (d *door) person(id *auth.Identity) (person, error) {
	if d.chain != nil {
		return d.chain.became, d.chain.became.check()
	}
	return personOf(id)
}

// arguments are the command line of the next program.
func (d *door) arguments(id *auth.Identity) []string {
	if id.Maildir != "" {
		return []string{d.imapd, id.Maildir}
	}
	return []string{d.imapd, d.maildir}
}

// handOver is the environment of the next program: what ours was, and who logged in,
// by the names of both of Courier's eras.
func (d *door) handOver(l *login.Result) environment {
	id, env := l.Identity, d.env
	if d.chain != nil {
		env = d.chain.env
	}
	env = env.withoutChain().without("MAILDIR", "MAILDIRQUOTA").
		with("AUTHENTICATED", id.Login).with("AUTHADDR", id.Login).with("AUTHFULLNAME", id.Name).
		with("OPTIONS", id.Options.String()).with("IMAPLOGINTAG", l.Tag).with("HOME", id.Home)
	if id.Maildir != "" {
		env = env.with("MAILDIR", id.Maildir)
	}
	if id.Quota != "" {
		env = env.with("MAILDIRQUOTA", id.Quota)
	}
	if d.secured != nil {
		state := d.secured.ConnectionState()
		env = env.with("IMAP_STARTTLS", "NO").with("IMAP_TLS_REQUIRED", "0").with("IMAP_TLS", "1").
			with("TLS_CONNECTED_PROTOCOL", certificate.Describe(state))
		for field, value := range certificate.Subject(state) {
			env = env.with("TLS_SUBJECT_"+field, value)
		}
	}
	return env
}

// replace makes this process the next program. It returns only if that fails.
func (d *door) replace(n next) error {
	if err := d.restore(); err != nil {
		return err
	}
	if err := n.who.become(); err != nil {
		return err
	}
	if err := os.Chdir(n.who.home); err != nil {
		return fmt.Errorf("chdir(%s) failed: %w", n.who.home, err)
	}
	return &os.PathError{Op: "exec", Path: n.path, Err: syscall.Exec(n.path, n.args, n.env)}
}

// refuse tells a client whose password was right that there will be no session, and
// the log why.
func (d *door) refuse(id *auth.Identity, reason error) error {
	d.log.Error("the account cannot be served", "user", id.Login, "reason", reason.Error())
	d.conn.WriteString(temporary)
	d.conn.Flush() // the client may be gone already
	return reason
}
