// Package socket serves connections of programs on the same machine: a bounded number
// at once, each in a goroutine of its own, with an end for all of them. It is what the
// protocols over local sockets below auth share.
//
// It owns the listener while it serves, and the goroutines. It knows no protocol.
package socket

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"runtime/debug"
	"sync"
	"time"
)

// DefaultConnections is how many connections are served at once, unless something else
// is asked for. More wait in the socket's queue.
const DefaultConnections = 1024

// writeTime is what a peer has to take what is written at once.
const writeTime = 30 * time.Second

// Server serves connections.
type Server struct {
	Connections int // at once; 0: DefaultConnections
	Logger      *slog.Logger

	// Handle serves one connection. The connection is closed when it returns, and when
	// ctx ends.
	Handle func(ctx context.Context, conn net.Conn)
}

// Serve serves what comes from l until ctx ends; what is being answered then has drain.
// It closes l.
func (s *Server) Serve(ctx context.Context, l net.Listener, drain time.Duration) error {
	defer l.Close()
	defer context.AfterFunc(ctx, func() { l.Close() })()
	working, stop := context.WithCancel(context.WithoutCancel(ctx))
	var open sync.WaitGroup
	defer func() {
		late := time.AfterFunc(drain, stop)
		open.Wait()
		late.Stop()
		stop()
	}()
	places := make(chan struct{}, max(s.Connections, 0))
	if s.Connections <= 0 {
		places = make(chan struct{}, DefaultConnections)
	}
	var wait time.Duration
	for {
		select {
		case places <- struct{}{}:
		case <-ctx.Done():
			return nil
		}
		conn, err := l.Accept()
		switch {
		case err == nil:
			wait = 0
			open.Go(func() {
				defer func() { <-places }()
				s.connection(working, conn)
			})
			continue
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, net.ErrClosed):
			return err
		}
		<-places
		// Too many open files, mostly: others end, then there is room again.
		wait = min(max(2*wait, 5*time.Millisecond), time.Second)
		s.Logger.Error("no connection can be taken", "socket", l.Addr().String(), "err", err.Error())
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
}

func (s *Server) connection(ctx context.Context, conn net.Conn) {
	defer func() {
		if p := recover(); p != nil {
			s.Logger.Error("panic in a connection", "panic", p, "stack", string(debug.Stack()))
		}
		conn.Close()
	}()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	s.Handle(ctx, slow{conn})
}

// slow gives each write its time.
type slow struct{ net.Conn }

func (w slow) Write(b []byte) (int, error) {
	_ = w.SetWriteDeadline(time.Now().Add(writeTime))
	return w.Conn.Write(b)
}
