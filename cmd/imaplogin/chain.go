package imaplogin

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"postrider/auth"
	"postrider/sasl"
)

// moduleLimit is how long the modules may take for one password.
const moduleLimit = 30 * time.Second

// chain is modules that are programs, each of which hands the credentials on
// descriptor 3 to the next, or becomes the account and runs the next without them
// (Courier's form before authdaemond). At their end stands this program, which tells
// over a socket what it has become, and what the module put into its environment; and
// then we become that. AUTHUSER, which a module runs if it cannot tell, is this program
// too. So a rejection, a failure that passes, and a module that hangs or dies are three
// things here, which to Courier's imaplogin were one or a dead connection.
type chain struct {
	modules []string
	self    string
	maildir string
	limit   time.Duration

	env    environment // of imaplogin; after a success with what the modules added
	became person
}

func newChain(d *door) *chain {
	return &chain{modules: d.modules, self: d.Self, maildir: d.maildir, limit: moduleLimit, env: d.env}
}

// Lookup implements auth.Backend: modules have no such question.
func (c *chain) Lookup(context.Context, auth.Request) (*auth.Identity, error) {
	return nil, fmt.Errorf("%w: modules are asked with a password alone", auth.ErrTemporary)
}

// Authenticate implements auth.Backend.
func (c *chain) Authenticate(ctx context.Context, r auth.Request, password string) (*auth.Identity, error) {
	return c.ask(ctx, record(r.Service, "login", r.Login, password))
}

// ChallengeMechanisms implements auth.ChallengeVerifier: what some module may know. It is
// offered where the settings name it.
func (c *chain) ChallengeMechanisms(every bool) []string {
	if every {
		return nil
	}
	return sasl.CRAMMechanisms()
}

// VerifyChallenge implements auth.ChallengeVerifier.
func (c *chain) VerifyChallenge(ctx context.Context, r auth.Request, mechanism, challenge, response string) (*auth.Identity, error) {
	encode := base64.StdEncoding.EncodeToString
	return c.ask(ctx, record(r.Service, strings.ToLower(mechanism), encode([]byte(challenge)), encode([]byte(response))))
}

// record is what is handed on descriptor 3.
func record(service, kind, first, second string) []byte {
	return []byte(service + "\n" + kind + "\n" + first + "\n" + second + "\n\n")
}

// ask runs the modules, and says what their end means.
func (c *chain) ask(ctx context.Context, record []byte) (*auth.Identity, error) {
	ctx, cancel := context.WithTimeout(ctx, c.limit)
	defer cancel()
	told, who, err := c.run(ctx, record)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: modules %s: %w", auth.ErrTemporary, strings.Join(c.modules, " "), err)
	case told.Outcome == outcomeTemporary:
		return nil, fmt.Errorf("%w: a module of %s cannot tell now", auth.ErrTemporary, strings.Join(c.modules, " "))
	case told.Outcome != outcomeAccepted:
		return nil, auth.ErrRejected
	}
	c.env, c.became = told.Env, who
	return told.identity(who), nil
}

// run runs the modules once.
func (c *chain) run(ctx context.Context, record []byte) (*told, person, error) {
	near, far, err := reportSocket()
	if err != nil {
		return nil, person{}, err
	}
	defer near.Close()
	pipe, err := filled(record)
	if err != nil {
		far.Close()
		return nil, person{}, err
	}
	cmd := c.command(ctx, pipe, far)
	err = cmd.Start()
	pipe.Close()
	far.Close()
	if err != nil {
		return nil, person{}, err
	}
	stop := context.AfterFunc(ctx, func() { near.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	report, err := hear(near)
	var who person
	if err == nil && report.Outcome == outcomeAccepted {
		who, err = whoIs(cmd.Process.Pid, report.Dir)
	}
	near.Close() // the program at the end waits for it
	if err != nil {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	}
	waited := cmd.Wait()
	switch {
	case ctx.Err() != nil && err != nil:
		return nil, person{}, fmt.Errorf("no answer: %w", context.Cause(ctx))
	case err != nil:
		return nil, person{}, errors.Join(err, waited)
	}
	return report, who, nil
}

// command is the first module, with the others and ourselves behind it.
func (c *chain) command(ctx context.Context, credentials, far *os.File) *exec.Cmd {
	ourselves := []string{c.self}
	if filepath.Base(c.self) != "imaplogin" {
		ourselves = append(ourselves, "imaplogin")
	}
	cmd := exec.CommandContext(ctx, c.modules[0])
	cmd.Args = append(append(append([]string{}, c.modules...), ourselves...), reportFlag+outcomeEnd, c.maildir)
	cmd.Env = c.env.with("AUTHUSER", c.self).with("AUTHENTICATED", "").
		with("AUTHARGC", "2").with("AUTHARGV0", "imaplogin").with("AUTHARGV1", reportFlag+outcomeTemporary).
		with("AUTHEXPIRE", strconv.FormatInt(time.Now().Add(c.limit).Unix(), 10))
	cmd.Stderr = os.Stderr
	cmd.ExtraFiles = []*os.File{credentials, far} // 3 and 4
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	return cmd
}

// filled is a pipe that holds the credentials and nothing after them.
func filled(record []byte) (*os.File, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer w.Close()
	if _, err := w.Write(record); err != nil { // a pipe holds more than credentials can have
		r.Close()
		return nil, err
	}
	return r, nil
}

// reportSocket is the two ends on which the end of the chain tells what became of it.
func reportSocket() (near net.Conn, far *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	file := os.NewFile(uintptr(fds[0]), "report")
	defer file.Close()
	far = os.NewFile(uintptr(fds[1]), "report")
	if near, err = net.FileConn(file); err != nil {
		far.Close()
		return nil, nil, err
	}
	return near, far, nil
}
