package pam

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"time"

	"golang.org/x/sync/semaphore"

	"postrider/auth"
)

// Options say how PAM is asked.
type Options struct {
	Command     []string      // the program and its arguments; required
	Environment []string      // of it
	Processes   int           // that run at once; 0: 32
	Timeout     time.Duration // of one; 0: 30 s
	Logger      *slog.Logger  // nil: no log
}

// Backend asks PAM. It implements auth.Backend.
type Backend struct {
	options Options
	places  *semaphore.Weighted
}

var _ auth.Backend = (*Backend)(nil)

// New returns a backend.
func New(o Options) *Backend {
	if o.Processes <= 0 {
		o.Processes = 32
	}
	if o.Timeout <= 0 {
		o.Timeout = 30 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Backend{options: o, places: semaphore.NewWeighted(int64(o.Processes))}
}

// Authenticate implements auth.Backend.
func (b *Backend) Authenticate(ctx context.Context, r auth.Request, password string) (*auth.Identity, error) {
	if password == "" || strings.IndexByte(password, 0) >= 0 || len(password) > auth.MaxPassword {
		return nil, reject(ctx)
	}
	return b.ask(ctx, r, Request{Op: OpAuthenticate, Password: password})
}

// Lookup implements auth.Backend.
func (b *Backend) Lookup(ctx context.Context, r auth.Request) (*auth.Identity, error) {
	return b.ask(ctx, r, Request{Op: OpLookup})
}

// reject is what is said to what cannot be asked.
func reject(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return auth.ErrRejected
}

func (b *Backend) ask(ctx context.Context, r auth.Request, q Request) (*auth.Identity, error) {
	if r.Login == "" || len(r.Login) > auth.MaxLogin || strings.ContainsAny(r.Login, "\x00\n") {
		return nil, reject(ctx)
	}
	q.User, q.Service = r.Login, r.Service
	if q.Service == "" {
		q.Service = "imap"
	}
	if r.Remote.IsValid() {
		q.Remote = r.Remote.Addr().String()
	}
	message, err := q.Encode()
	if err != nil {
		return nil, reject(ctx)
	}
	a, err := b.run(ctx, message)
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		b.options.Logger.Error("PAM cannot be asked", "user", r.Login, "reason", err.Error())
		return nil, fmt.Errorf("%w: PAM: %w", auth.ErrTemporary, err)
	}
	return b.judge(r, a)
}

func (b *Backend) judge(r auth.Request, a Answer) (*auth.Identity, error) {
	switch a.Outcome {
	case Accepted:
		return &auth.Identity{Login: a.User, User: a.User, UID: a.UID, GID: a.GID, Home: a.Home, Name: a.Name}, nil
	case Rejected:
		return nil, auth.ErrRejected
	case Expired:
		return nil, fmt.Errorf("%w: PAM: %s", auth.ErrExpired, a.Reason)
	case Disabled:
		return nil, fmt.Errorf("%w: PAM: %s", auth.ErrDisabled, a.Reason)
	}
	b.options.Logger.Error("PAM cannot tell", "user", r.Login, "reason", a.Reason)
	return nil, fmt.Errorf("%w: PAM: %s", auth.ErrTemporary, a.Reason)
}

// run is one process, with its answer.
func (b *Backend) run(ctx context.Context, message []byte) (Answer, error) {
	if err := b.places.Acquire(ctx, 1); err != nil {
		return Answer{}, err
	}
	defer b.places.Release(1)
	if err := ctx.Err(); err != nil {
		return Answer{}, err
	}
	limited, cancel := context.WithTimeout(ctx, b.options.Timeout)
	defer cancel()
	theirs, ours, err := pipe()
	if err != nil {
		return Answer{}, err
	}
	defer ours.Close()
	cmd := exec.CommandContext(limited, b.options.Command[0], b.options.Command[1:]...)
	cmd.Env = append([]string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"}, b.options.Environment...)
	cmd.Dir = "/"
	cmd.Stdin = bytes.NewReader(message)
	complaint := &bounded{left: 1 << 10}
	cmd.Stderr = complaint
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.WaitDelay = time.Second // a child that a module left behind may hold the pipes
	err = cmd.Start()
	theirs.Close()
	if err != nil {
		return Answer{}, err
	}
	// The answer ends with the process, or with its time: who holds the other end
	// longer is not waited for.
	stop := context.AfterFunc(limited, func() { _ = ours.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	a, err := ReadAnswer(ours)
	// The exit status tells nothing that the answer does not.
	exit := cmd.Wait()
	switch {
	case err == nil:
		return a, nil
	case limited.Err() != nil:
		return Answer{}, fmt.Errorf("no answer: %w", limited.Err())
	}
	return Answer{}, fmt.Errorf("%s: %w (%w): %s", b.options.Command[0], err, errors.Join(exit), complaint.String())
}

// pipe has a reading end that takes deadlines.
func pipe() (write, read *os.File, err error) {
	read, write, err = os.Pipe()
	return write, read, err
}

// bounded keeps the beginning of what is written.
type bounded struct {
	buffer bytes.Buffer
	left   int
}

func (b *bounded) Write(p []byte) (int, error) {
	n := min(len(p), b.left)
	b.left -= n
	b.buffer.Write(p[:n])
	return len(p), nil
}

func (b *bounded) String() string { return strings.TrimSpace(b.buffer.String()) }

var _ io.Writer = (*bounded)(nil)
