package ldap

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"sync"
	"time"

	driver "github.com/go-ldap/ldap/v3"
)

const (
	maxConnections = 8 // open at once
	maxIdle        = 4
	idleTime       = 5 * time.Minute
)

// pool is the connections to a directory. Each is used by one question at a time.
type pool struct {
	uris           []string // tried in order
	bindDN, bindPW string   // "": no bind before a search
	startTLS       bool
	tls            *tls.Config
	wait           time.Duration
	places         chan struct{}

	mu     sync.Mutex
	idle   []*connection
	closed bool
}

// connection is one of them. It is bound as whom the settings say unless it is another's.
type connection struct {
	*driver.Conn
	since   time.Time // in the pool
	foreign bool      // bound as an entry
}

// Close closes the connections that nobody uses; the others when they come back.
func (p *pool) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, c := range p.idle {
		c.Close()
	}
	p.idle = nil
	return nil
}

// do runs a question on a connection, once more on a new one if it was an old one that
// broke. When ctx ends the connection is cut, and with it the question.
func (p *pool) do(ctx context.Context, ask func(*connection) error) error {
	select {
	case p.places <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-p.places }()
	for {
		c, old, err := p.take(ctx)
		if err != nil {
			return err
		}
		stop := context.AfterFunc(ctx, func() { c.Close() })
		err = ask(c)
		whole := stop()
		if broken(err) || !whole {
			c.Close()
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if old {
				continue
			}
			return err
		}
		p.put(c)
		return err
	}
}

// broken reports whether an error is the connection's, not the answer.
func broken(err error) bool {
	if err == nil {
		return false
	}
	var e *driver.Error
	return !errors.As(err, &e) || e.ResultCode >= driver.ErrorNetwork
}

// take is an idle connection, or a new one.
func (p *pool) take(ctx context.Context) (c *connection, old bool, err error) {
	for {
		c := p.pop()
		if c == nil {
			break
		}
		if time.Since(c.since) < idleTime && !c.IsClosing() {
			return c, true, nil
		}
		c.Close()
	}
	c, err = p.dial(ctx)
	return c, false, err
}

func (p *pool) pop() *connection {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.idle) == 0 {
		return nil
	}
	c := p.idle[len(p.idle)-1]
	p.idle = p.idle[:len(p.idle)-1]
	return c
}

// put gives a connection back, unless it is bound as somebody.
func (p *pool) put(c *connection) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || c.foreign || len(p.idle) >= maxIdle {
		c.Close()
		return
	}
	c.since = time.Now()
	p.idle = append(p.idle, c)
}

// dial connects to the first server that answers.
func (p *pool) dial(ctx context.Context) (*connection, error) {
	var errs []error
	for _, uri := range p.uris {
		c, err := p.dialOne(ctx, uri)
		if err == nil {
			return &connection{Conn: c}, nil
		}
		errs = append(errs, fmt.Errorf("%s: %w", uri, err))
		if ctx.Err() != nil {
			break
		}
	}
	return nil, errors.Join(errs...)
}

func (p *pool) dialOne(ctx context.Context, uri string) (*driver.Conn, error) {
	u, err := url.Parse(uri)
	if err != nil {
		return nil, err
	}
	secure := p.tls.Clone()
	secure.ServerName = u.Hostname()
	limit := time.Now().Add(p.wait)
	if d, ok := ctx.Deadline(); ok && d.Before(limit) {
		limit = d
	}
	c, err := driver.DialURL(uri, driver.DialWithTLSConfig(secure), driver.DialWithDialer(&net.Dialer{Deadline: limit}))
	if err != nil {
		return nil, err
	}
	c.SetTimeout(p.wait)
	defer context.AfterFunc(ctx, func() { c.Close() })()
	if p.startTLS && u.Scheme == "ldap" {
		if err := c.StartTLS(secure); err != nil {
			c.Close()
			return nil, fmt.Errorf("StartTLS: %w", err)
		}
	}
	if p.bindDN != "" {
		if err := c.Bind(p.bindDN, p.bindPW); err != nil {
			c.Close()
			return nil, fmt.Errorf("binding as LDAP_BINDDN: %w", err)
		}
	}
	return c, nil
}
