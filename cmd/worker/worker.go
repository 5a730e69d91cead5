package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"postrider/auth"
	"postrider/cmd/messages"
	"postrider/login"
	"postrider/packet"
	"postrider/serve"
	"postrider/wire"
)

// House is what the sessions are served with.
type House struct {
	Handover     serve.Handover
	DrainTimeout time.Duration
	Logger       *slog.Logger
	Close        func()
}

// worker is the process.
type worker struct {
	House
	control *packet.Conn
	buffers wire.Buffers
	done    sync.WaitGroup

	mu       sync.Mutex
	open     map[*wire.Conn]struct{}
	draining bool
}

// Run serves the sessions that come over control until the parent closes it, or ctx
// ends, and those have ended that there are. open is called with the settings that the
// parent sends first.
func Run(ctx context.Context, control *packet.Conn, open func(settings []byte) (*House, error)) error {
	w := &worker{control: control, open: make(map[*wire.Conn]struct{})}
	sessions, kill := context.WithCancel(context.WithoutCancel(ctx))
	defer kill()
	stop := context.AfterFunc(ctx, func() { control.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	defer control.Close()
	buf := make([]byte, packet.MaxMessage)
	var err error
	for err == nil {
		var m []byte
		var files []*os.File
		if m, files, err = control.Receive(buf); err == nil {
			err = w.take(sessions, m, files, open)
			packet.CloseAll(files)
		}
	}
	if w.Handover == nil {
		return err
	}
	w.drain(kill)
	w.Close()
	if errors.Is(err, io.EOF) || errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, errDrain) {
		return nil
	}
	return err
}

// errDrain ends the receiving.
var errDrain = errors.New("the parent says that it is enough")

// take does what one message says. The files are closed after it.
func (w *worker) take(ctx context.Context, m []byte, files []*os.File, open func([]byte) (*House, error)) error {
	f := packet.NewFields(m)
	switch kind := messages.Kind(f.Octet()); {
	case kind == messages.Settings && w.Handover == nil:
		house, err := open(m[1:])
		if err != nil {
			return err
		}
		w.House = *house
		return nil
	case kind == messages.Session && w.Handover != nil && len(files) == 1:
		return w.begin(ctx, f, files[0])
	case kind == messages.Drain:
		return errDrain
	}
	return packet.ErrMalformed
}

// begin starts a session. What cannot be one costs no other.
func (w *worker) begin(ctx context.Context, f *packet.Fields, file *os.File) error {
	number, id, about, err := messages.ReadSession(f)
	if err != nil {
		return fmt.Errorf("what was said of a session: %w", err)
	}
	conn, err := net.FileConn(file)
	if err != nil {
		w.Logger.Error("a connection that was handed over cannot be used", "err", err)
		return w.control.Send(messages.EndOf(number, false))
	}
	w.done.Go(func() {
		w.session(ctx, conn, &id.Identity, about)
		if err := w.control.Send(messages.EndOf(number, false)); err != nil {
			w.Logger.Debug("the parent takes no message", "err", err)
		}
	})
	return nil
}

// session serves one session.
func (w *worker) session(ctx context.Context, conn net.Conn, id *auth.Identity, a messages.About) {
	c := wire.Resume(conn, &w.buffers, a.Unread)
	defer c.Close()
	c.SetClient(a.Client)
	logger := w.Logger.With("user", id.Login, "ip", a.Remote.Addr().String(), "port", a.Remote.Port())
	defer func() {
		if p := recover(); p != nil {
			logger.Error("a defect ended the connection", "panic", p)
		}
	}()
	w.enter(c)
	defer w.leave(c)
	if id.UID == auth.Unknown { // of an account that has a system user's name
		id.UID, id.GID = os.Getuid(), os.Getgid()
	}
	err := w.Handover.Session(ctx, c, &login.Result{Identity: id, Tag: a.Tag, Method: a.Method, TLS: a.TLS}, a.Remote)
	if err != nil {
		logger.Warn("session ended", "err", err)
	}
}

// enter makes a connection known to drain; one that comes after that is interrupted.
func (w *worker) enter(c *wire.Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.open[c] = struct{}{}
	if w.draining {
		c.Interrupt()
	}
}

func (w *worker) leave(c *wire.Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.open, c)
}

// drain has every session say BYE at its next wait for input, and waits for all. What
// has not ended in time loses its connection.
func (w *worker) drain(kill func()) {
	w.mu.Lock()
	w.draining = true
	for c := range w.open {
		c.Interrupt()
	}
	w.mu.Unlock()
	late := time.AfterFunc(w.DrainTimeout, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		for c := range w.open {
			c.NetConn().SetDeadline(time.Unix(1, 0))
		}
		kill()
	})
	defer late.Stop()
	w.done.Wait()
}
