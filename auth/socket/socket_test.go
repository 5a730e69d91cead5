package socket_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"postrider/auth/socket"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestPlaces: no more connections than there are places; the next is served when one has
// ended, however it ended; at the end those that do not end are closed.
func TestPlaces(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	began, end := make(chan int, 10), make(chan bool)
	n := 0
	s := socket.Server{Connections: 2, Logger: slog.New(slog.DiscardHandler), Handle: func(ctx context.Context, _ net.Conn) {
		began <- 1
		select {
		case panics := <-end:
			if panics {
				panic("in a connection")
			}
		case <-ctx.Done():
		}
	}}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, l, 10*time.Millisecond) }()
	for range 4 {
		c, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	n += <-began + <-began
	select {
	case <-began:
		t.Fatal("a third connection is served")
	case <-time.After(50 * time.Millisecond): // a bound on what must not happen
	}
	end <- true
	n += <-began
	end <- false
	n += <-began
	if n != 4 {
		t.Errorf("%d were served", n)
	}
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
	if _, err := net.Dial("unix", path); err == nil {
		t.Error("it still listens")
	}
}

// TestClosedListener: one that somebody else closes ends the serving with its error.
func TestClosedListener(t *testing.T) {
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	s := socket.Server{Logger: slog.New(slog.DiscardHandler), Handle: func(_ context.Context, c net.Conn) { io.Copy(io.Discard, c) }}
	if err := s.Serve(t.Context(), l, 0); err == nil {
		t.Error("no error")
	}
}
