package wire

import (
	"fmt"
	"net"
	"time"
)

// StartTLS replaces the stream by what upgrade makes of it. Input that is buffered
// by now came before the encryption and is thrown away: it may be an attacker's
// (RFC 3501 6.2.1, RFC 2595 2.4).
func (c *Conn) StartTLS(upgrade func(net.Conn) (net.Conn, error)) error {
	if err := c.Flush(); err != nil {
		return err
	}
	c.releaseIn()
	if err := c.net.SetDeadline(time.Now().Add(c.timeout)); err != nil {
		return err
	}
	n, err := inGoroutine(func() (net.Conn, error) { return upgrade(Records(c.net)) })
	if err != nil {
		return c.fail(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.net = n
	return n.SetDeadline(time.Time{})
}

// inGoroutine runs f in a goroutine of its own and waits for it. A handshake grows
// its stack by far more than a quiet connection may hold; it goes with the
// goroutine. A panic becomes an error: nobody recovers it there.
func inGoroutine(f func() (net.Conn, error)) (n net.Conn, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("panic in a handshake: %v", p)
			}
		}()
		n, err = f()
	}()
	<-done
	return n, err
}

// Records returns c for use below TLS: each Read ends where a TLS record or its
// header ends (RFC 8446 5.1), so that crypto/tls never needs room for more than one
// record, which it would keep for the connection's life.
func Records(c net.Conn) net.Conn { return &records{Conn: c} }

type records struct {
	net.Conn
	head [5]byte // type, version, length
	have int     // octets of head
	left int     // octets of the record's body
}

func (r *records) Read(p []byte) (int, error) {
	if r.left > 0 {
		n, err := r.Conn.Read(p[:min(len(p), r.left)])
		r.left -= n
		return n, err
	}
	n, err := r.Conn.Read(p[:min(len(p), len(r.head)-r.have)])
	r.have += copy(r.head[r.have:], p[:n])
	if r.have == len(r.head) {
		r.have, r.left = 0, int(r.head[3])<<8|int(r.head[4])
	}
	return n, err
}
