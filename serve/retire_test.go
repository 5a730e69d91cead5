package serve

import (
	"context"
	"net"
	"testing"
)

// told is a listener that tells when it is closed.
type told struct {
	net.Listener
	closed chan struct{}
}

func (l *told) Close() error {
	defer close(l.closed)
	return l.Listener.Close()
}

// A retired server leaves the socket to others, and its sessions go on.
func TestRetire(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	file, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	next, err := net.FileListener(file)
	file.Close()
	if err != nil {
		t.Fatal(err)
	}
	config := Config{Handover: echo{}, Backend: accounts()}
	old, successor := New(config), New(config)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended, last := make(chan error, 1), make(chan error, 1)
	closed := make(chan struct{})
	go func() { ended <- old.Serve(ctx, Listener{Listener: &told{Listener: l, closed: closed}}) }()
	session := dial(t, l.Addr().String())
	session.login()
	old.Retire()
	old.Retire()
	<-closed
	go func() { last <- successor.Serve(ctx, Listener{Listener: next}) }()
	dial(t, l.Addr().String()).login()
	if n := old.Stats().Open; n != 1 {
		t.Errorf("the old server has %d connections", n)
	}
	select {
	case err := <-ended:
		t.Fatal("the old server ended before its session:", err)
	default:
	}
	session.Close()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	cancel()
	if err := <-last; err != nil {
		t.Error(err)
	}
}

func TestARetiredServerDrains(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	s := New(Config{Handover: echo{}, Backend: accounts()})
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, Listener{Listener: l}) }()
	session := dial(t, l.Addr().String())
	session.login()
	s.Retire()
	cancel()
	session.want("* BYE done\r\n")
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
