package serve

import (
	"context"
	"net"
	"time"

	"postrider/wire"
)

const (
	// refusals bounds the connections that are told why they are not served;
	// beyond it they are only closed.
	refusals = 64

	refusalTime = 5 * time.Second // for a handshake and a line
)

// refuse tells a client why it is not served, on a TLS port under TLS, without
// waiting for it.
func (s *Server) refuse(ctx context.Context, conn net.Conn, implicit bool, reason string) {
	select {
	case s.refusing <- struct{}{}:
	default:
		conn.Close()
		return
	}
	s.done.Go(func() {
		defer func() { <-s.refusing }()
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(refusalTime))
		if implicit {
			secured, err := s.secure(ctx, conn, refusalTime)
			if err != nil {
				return
			}
			defer secured.Close()
			conn = secured
		}
		conn.Write([]byte("* BYE [LIMIT] " + reason + "\r\n"))
	})
}

// register makes a connection known to drain; false if that has begun.
func (s *Server) register(c *wire.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.drained {
		return false
	}
	s.open[c] = struct{}{}
	return true
}

func (s *Server) unregister(c *wire.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, c)
}

// drain interrupts every connection at its next wait for input, where it says
// BYE, and waits for all to end. What has not ended in time loses its network
// connection, and then its context.
func (s *Server) drain(kill func()) {
	s.mu.Lock()
	s.drained = true
	for c := range s.open {
		c.Interrupt()
	}
	s.mu.Unlock()

	ended := make(chan struct{})
	go func() {
		s.done.Wait()
		close(ended)
	}()
	late := time.NewTimer(s.config.DrainTimeout)
	defer late.Stop()
	select {
	case <-ended:
		return
	case <-late.C:
	}
	s.mu.Lock()
	s.config.Logger.Warn("connections did not end in time", "number", len(s.open))
	for c := range s.open {
		c.NetConn().SetDeadline(time.Unix(1, 0))
	}
	s.mu.Unlock()
	kill()
	late.Reset(s.config.DrainTimeout)
	select {
	case <-ended:
	case <-late.C:
		s.config.Logger.Error("connections do not end; leaving them")
	}
}
