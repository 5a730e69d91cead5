package wire

import "net"

// What follows takes a connection from one process to another after the login. The
// stream goes over by itself; what a Conn knows of it goes beside it.

// MaxUnread bounds what Unread returns.
const MaxUnread = readBufferSize

// Unread returns a copy of the octets that were read and not yet consumed: commands
// that the client sent behind the one that logged in.
func (c *Conn) Unread() []byte {
	if c.in == nil {
		return nil
	}
	return append([]byte(nil), c.in[c.r:c.w]...)
}

// Resume returns a connection over n, of which somebody read unread already. What is
// beyond MaxUnread is not taken.
func Resume(n net.Conn, buffers *Buffers, unread []byte) *Conn {
	c := NewConn(n, buffers)
	if len(unread) > 0 {
		c.in = buffers.takeIn()
		c.w = copy(c.in[:], unread)
	}
	return c
}

// Client is what Introduce kept, for SetClient elsewhere.
func (c *Conn) Client() uint64 { return c.client.Load() }

// SetClient takes what another Conn of the same stream knew by Introduce.
func (c *Conn) SetClient(id uint64) { c.client.Store(id) }
