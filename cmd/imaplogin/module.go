package imaplogin

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"postrider/auth"
	"postrider/cmd/accounts"
	"postrider/cmd/logs"
	"postrider/config"
	"postrider/sasl"
)

// Module is what a module is started with.
type Module struct {
	Name        string // a word of authmodulelist
	Config      *config.Config
	Logger      *slog.Logger
	Environment []string
	Args        []string // the next program, and what follows it
}

// ModuleNames are the modules that this program can be.
func ModuleNames() []string { return accounts.Names() }

const (
	// credentialsDescriptor is where a module finds them.
	credentialsDescriptor = 3
	// maxCredentials bounds them in bytes, with room for Courier's 8191.
	maxCredentials = 16 << 10
)

// Run is the module: it becomes the account and runs the next program, or hands it the
// credentials; or it runs AUTHUSER, if it cannot tell. It returns what was in its way.
func (m Module) Run(ctx context.Context) error {
	env := environment(m.Environment)
	if len(m.Args) == 0 {
		return errors.New("AUTHFAILURE: no program to go on with")
	}
	if env.get("AUTHENTICATED") != "" {
		return execute(m.Args, env)
	}
	ctx, cancel := expiring(ctx, env.get("AUTHEXPIRE"))
	defer cancel()
	record, err := readCredentials()
	if err != nil {
		return err
	}
	id, err := m.ask(ctx, record, env)
	switch {
	case errors.Is(err, auth.ErrTemporary), errors.Is(err, auth.ErrUnusable):
		m.Logger.Error("the module cannot tell", "module", m.Name, "reason", err.Error())
		return Again(env)
	case err != nil:
		return passOn(m.Args, record, env)
	}
	who, err := personOf(id)
	if err == nil {
		err = m.enter(who, id, env)
	}
	m.Logger.Error("the account cannot be served", "user", id.Login, "reason", err.Error())
	if os.Geteuid() == 0 {
		return Again(env)
	}
	return err // we are the account by now: nobody can begin again
}

// expiring ends when the login's time is over.
func expiring(ctx context.Context, second string) (context.Context, context.CancelFunc) {
	n, err := strconv.ParseInt(second, 10, 64)
	if err != nil {
		return context.WithTimeout(ctx, moduleLimit)
	}
	return context.WithDeadline(ctx, time.Unix(n, 0))
}

// readCredentials reads what stands on descriptor 3.
func readCredentials() ([]byte, error) {
	if !given(credentialsDescriptor) {
		return nil, errors.New("AUTHFAILURE: no credentials on descriptor 3; a module is started by imaplogin")
	}
	var all []byte
	for len(all) <= maxCredentials {
		var part [4096]byte
		n, err := unix.Read(credentialsDescriptor, part[:])
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return nil, os.NewSyscallError("reading the credentials", err)
		case n == 0:
			return all, nil
		default:
			all = append(all, part[:n]...)
		}
	}
	return nil, errors.New("the credentials are too long")
}

// ask asks the module's accounts. A kind of credentials that they do not know is for
// another module.
func (m Module) ask(ctx context.Context, record []byte, env environment) (*auth.Identity, error) {
	fields := strings.Split(string(record), "\n")
	if len(fields) < 4 {
		return nil, auth.ErrRejected
	}
	c := *m.Config
	c.Modules = []string{m.Name}
	backend, err := accounts.Open(&c, logs.Quiet(m.Logger))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", auth.ErrTemporary, err)
	}
	r := auth.Request{Service: fields[0], Remote: env.remote(), TLS: env.on("IMAP_TLS")}
	mechanism := strings.ToUpper(fields[1])
	switch judge, able := backend.(auth.ChallengeVerifier); {
	case fields[1] == "login":
		r.Login = fields[2]
		return backend.Authenticate(ctx, r, fields[3])
	case able && slices.Contains(sasl.CRAMMechanisms(), mechanism):
		return answer(ctx, judge, r, mechanism, fields[2], fields[3])
	}
	return nil, auth.ErrRejected
}

// answer has a challenge and its response judged, which are handed on in base64.
func answer(ctx context.Context, judge auth.ChallengeVerifier, r auth.Request, mechanism, challenge, response string) (*auth.Identity, error) {
	asked, err := base64.StdEncoding.DecodeString(challenge)
	if err != nil {
		return nil, auth.ErrRejected
	}
	said, err := base64.StdEncoding.DecodeString(response)
	if err != nil {
		return nil, auth.ErrRejected
	}
	if r.Login, _, err = sasl.ParseCRAM(said); err != nil {
		return nil, auth.ErrRejected
	}
	id, err := judge.VerifyChallenge(ctx, r, mechanism, string(asked), string(said))
	if errors.Is(err, errors.ErrUnsupported) {
		return nil, auth.ErrRejected
	}
	return id, err
}

// enter becomes the account and runs the next program. It returns only if that fails.
func (m Module) enter(who person, id *auth.Identity, env environment) error {
	if err := who.become(); err != nil {
		return err
	}
	if err := os.Chdir(who.home); err != nil {
		return fmt.Errorf("chdir(%s) failed: %w", who.home, err)
	}
	unix.CloseOnExec(credentialsDescriptor)
	env = env.with("AUTHENTICATED", id.Login).with("AUTHADDR", id.Login).with("AUTHFULLNAME", id.Name)
	for _, v := range [][2]string{{"MAILDIR", id.Maildir}, {"MAILDIRQUOTA", id.Quota}, {"OPTIONS", id.Options.String()}} {
		if v[1] != "" {
			env = env.with(v[0], v[1])
		}
	}
	return execute(m.Args, env)
}

// passOn gives the credentials to the next program.
func passOn(args []string, record []byte, env environment) error {
	f, err := filled(record)
	if err != nil {
		return err
	}
	if err := unix.Dup3(int(f.Fd()), credentialsDescriptor, 0); err != nil {
		return os.NewSyscallError("dup3", err)
	}
	return execute(args, env)
}

// Again runs AUTHUSER, which begins the login anew: for a module that cannot tell, and
// for a last program that nobody logged in for.
func Again(env []string) error {
	e := environment(env)
	count, err := strconv.Atoi(e.get("AUTHARGC"))
	if err != nil || count < 1 || count > 1000 || e.get("AUTHUSER") == "" {
		return errors.New("AUTHFAILURE: nobody to begin the login anew")
	}
	var args []string
	for i := range count {
		args = append(args, e.get("AUTHARGV"+strconv.Itoa(i)))
	}
	return &os.PathError{Op: "exec", Path: e.get("AUTHUSER"), Err: syscall.Exec(e.get("AUTHUSER"), args, slices.Clone(env))}
}

// execute makes this process the program that args begin with.
func execute(args []string, env environment) error {
	path, err := program(args[0])
	if err != nil {
		return err
	}
	return &os.PathError{Op: "exec", Path: path, Err: syscall.Exec(path, args, env)}
}
