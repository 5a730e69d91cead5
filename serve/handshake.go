package serve

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"time"
)

// Handshake makes a connection that no Server has accepted a TLS one, within limit.
func (c *Certificate) Handshake(ctx context.Context, conn net.Conn, limit time.Duration) (*tls.Conn, error) {
	secured, err := c.handshake(ctx, conn, limit)
	if err != nil {
		return nil, err
	}
	under, ok := secured.(*tls.Conn)
	if !ok {
		return nil, errors.New("the connection under TLS is of another kind")
	}
	return under, nil
}
