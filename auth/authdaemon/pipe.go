package authdaemon

import (
	"bufio"
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"syscall"
	"time"

	"postrider/auth"
)

// PipeOptions are what a Pipe needs.
type PipeOptions struct {
	Command  []string // the program and its arguments; required
	Extended bool     // the protocol of docs/auth-program.md, not authpipe's

	Processes int           // of the program, each with one request at a time; 0: 5
	Timeout   time.Duration // of one request; 0: 30 s
	Logger    *slog.Logger  // nil: no log
}

// Pipe is a backend that asks a program which stays: Courier's authpipe. The program
// gets authdaemond's requests on its standard input, one at a time, and answers on
// its standard output. It is started when it is needed, and again when it ended. One
// that does not answer in time, or says what was not asked for, is killed: its next
// answer could be taken for another's.
type Pipe struct {
	*Backend
	pool *pool
}

// NewPipe returns a backend; nothing is started yet.
func NewPipe(o PipeOptions) *Pipe {
	o.Processes = cmp.Or(max(o.Processes, 0), 5)
	o.Timeout = cmp.Or(o.Timeout, 30*time.Second)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	p := &pool{options: o, idle: make(chan *program, o.Processes)}
	for range o.Processes {
		p.idle <- &program{options: o}
	}
	return &Pipe{Backend: &Backend{p}, pool: p}
}

// Close ends the programs, once none has a request: their input ends, after 2 s they
// get SIGTERM, after 10 more SIGKILL.
func (p *Pipe) Close() {
	for range p.pool.options.Processes {
		(<-p.pool.idle).end()
	}
}

// Enumerate implements auth.Enumerator. Of authpipe's programs none can.
func (p *Pipe) Enumerate(ctx context.Context, yield func(*auth.Identity) error) error {
	if !p.pool.options.Extended {
		return fmt.Errorf("listing the accounts of %s: %w", p.pool.options.Command[0], errors.ErrUnsupported)
	}
	return p.Backend.Enumerate(ctx, yield)
}

// pool is the processes.
type pool struct {
	options PipeOptions
	idle    chan *program
}

func (p *pool) call(ctx context.Context, r auth.Request, request string) (string, error) {
	var answer string
	err := p.with(ctx, func(g *program) error {
		next, err := g.ask(r, request)
		if err != nil {
			return err
		}
		answer, err = readAnswerLines(next, p.options.Extended)
		return err
	})
	return answer, err
}

func (p *pool) stream(ctx context.Context, request string, read func(next func() (string, error)) error) error {
	var own error
	err := p.with(ctx, func(g *program) error {
		next, err := g.ask(auth.Request{}, request)
		if err != nil {
			return err
		}
		ended := false
		own = read(func() (string, error) {
			line, err := next()
			ended = ended || line == "."
			return line, err
		})
		if !ended { // what is left of the list would be the next answer
			return errUnread
		}
		return nil
	})
	if own != nil {
		return own
	}
	return err
}

// errUnread says that a program is no more in step with us.
var errUnread = errors.New("an answer was not read to its end")

// with runs one request on an idle program. An outcome among the backend's errors
// leaves the program as it is; after any other error it is killed.
func (p *pool) with(ctx context.Context, talk func(*program) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var g *program
	select {
	case g = <-p.idle:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { p.idle <- g }()
	limited, cancel := context.WithTimeout(ctx, p.options.Timeout)
	defer cancel()
	err := g.start()
	if err == nil {
		stop := context.AfterFunc(limited, interrupt(g.in, g.out))
		err = talk(g)
		if !stop() && err == nil {
			err = limited.Err() // it may be interrupted, too late
		}
	}
	var said outcomeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &said):
		return said.error
	}
	g.kill()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	p.options.Logger.Error("the program of accounts does not answer", "program", p.options.Command[0], "reason", err.Error())
	return fmt.Errorf("%w: asking %s: %w", auth.ErrTemporary, p.options.Command[0], err)
}

// outcomeError is one that the program has said.
type outcomeError struct{ error }

// readAnswerLines reads one answer: a word, or a record up to its dot.
func readAnswerLines(next func() (string, error), extended bool) (string, error) {
	var b strings.Builder
	for {
		line, err := next()
		if err != nil {
			return "", err
		}
		if b.Len() == 0 && extended {
			if err := outcomeOf(line); err != nil {
				return "", outcomeError{err}
			}
		}
		b.WriteString(line + "\n")
		switch {
		case b.Len() > maxRecord:
			return "", errors.New("the answer is too long")
		case line == ".", b.String() == failed, b.String() == changed:
			return b.String(), nil
		}
	}
}

// outcomeOf is the error that a word of the extended protocol stands for.
func outcomeOf(line string) error {
	word, reason, _ := strings.Cut(line, " ")
	known := map[string]error{
		"EXPIRED": auth.ErrExpired, "DISABLED": auth.ErrDisabled, "BADPASSWORD": auth.ErrBadPassword, "TEMPORARY": auth.ErrTemporary,
	}[word]
	if known == nil || reason == "" {
		return known
	}
	return fmt.Errorf("%w: %s", known, printable(reason))
}

// program is one process, or none. It belongs to who took it from the pool.
type program struct {
	options PipeOptions
	process *os.Process
	in, out *os.File
	lines   *bufio.Reader
}

// start starts the program if it does not run, or has ended, or said something that
// nobody asked for.
func (g *program) start() error {
	if g.process != nil && g.quiet() {
		return nil
	}
	g.kill()
	theirIn, in, err := os.Pipe()
	if err != nil {
		return err
	}
	defer theirIn.Close()
	out, theirOut, err := os.Pipe()
	if err != nil {
		in.Close()
		return err
	}
	defer theirOut.Close()
	g.process, err = os.StartProcess(g.options.Command[0], g.options.Command, &os.ProcAttr{
		Dir: "/", Env: []string{"PATH=/usr/local/bin:/usr/bin:/bin"}, Files: []*os.File{theirIn, theirOut, os.Stderr},
		Sys: &syscall.SysProcAttr{Setpgid: true},
	})
	if err != nil {
		in.Close()
		out.Close()
		return err
	}
	g.in, g.out, g.lines = in, out, bufio.NewReaderSize(out, 2*maxRecord)
	return nil
}

// quiet reports whether the program runs and has said nothing since its last answer.
func (g *program) quiet() bool {
	if g.lines.Buffered() > 0 {
		return false
	}
	raw, err := g.out.SyscallConn()
	if err != nil {
		return false
	}
	var readErr error
	if err := raw.Read(func(fd uintptr) bool {
		_, readErr = syscall.Read(int(fd), make([]byte, 1))
		return true
	}); err != nil {
		return false
	}
	return errors.Is(readErr, syscall.EAGAIN)
}

// ask sends a request, and returns what reads the lines of its answer. In the
// extended protocol the answer must begin with the request's own number.
func (g *program) ask(r auth.Request, request string) (next func() (string, error), err error) {
	id := ""
	if g.options.Extended {
		id = "ID=" + rand.Text()
		head := "VERSION=1\n" + id + "\n"
		if r.Remote.IsValid() {
			head += "TCPREMOTEIP=" + r.Remote.Addr().Unmap().WithZone("").String() + "\n"
		}
		if r.TLS {
			head += "TLS=1\n"
		}
		request = head + request
	}
	if _, err := g.in.WriteString(request); err != nil {
		return nil, err
	}
	if id != "" {
		line, err := g.line()
		if err == nil && line != id {
			err = errors.New("the answer is to another request")
		}
		if err != nil {
			return nil, err
		}
	}
	return g.line, nil
}

func (g *program) line() (string, error) {
	line, err := g.lines.ReadSlice('\n')
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return "", err
	}
	return string(line[:len(line)-1]), nil
}

// interrupt ends reads and writes that are under way.
func interrupt(files ...*os.File) func() {
	return func() {
		for _, f := range files {
			_ = f.SetDeadline(time.Unix(1, 0))
		}
	}
}

func (g *program) kill() {
	if g.process == nil {
		return
	}
	g.signal(syscall.SIGKILL)
	g.closed()
}

// signal reaches the program and what it has started.
func (g *program) signal(s syscall.Signal) { _ = syscall.Kill(-g.process.Pid, s) }

// end lets the program go, then makes it go.
func (g *program) end() {
	if g.process == nil {
		return
	}
	g.in.Close()
	term := time.AfterFunc(2*time.Second, func() { g.signal(syscall.SIGTERM) })
	kill := time.AfterFunc(12*time.Second, func() { g.signal(syscall.SIGKILL) })
	g.closed()
	term.Stop()
	kill.Stop()
}

// closed waits for a process that was told to end.
func (g *program) closed() {
	_, _ = g.process.Wait()
	g.in.Close()
	g.out.Close()
	g.process = nil
}
