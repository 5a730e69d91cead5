package remote

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"postrider/auth"
	"postrider/packet"
	"postrider/sasl"
)

// listTime bounds the question which mechanisms there are.
const listTime = 10 * time.Second

// Client is the accounts of another process. Until it is linked to one, and whenever
// that is gone, every attempt is a temporary failure.
type Client struct {
	mu      sync.Mutex
	conn    *packet.Conn // nil: there is no other side
	waiting map[uint64]chan<- answer
	last    uint64 // number of an exchange
}

// answer is a message to one who waits for it.
type answer struct {
	kind      byte
	err       error
	id        *auth.Identity
	challenge []byte
	list      []auth.Mechanism
}

// NewClient returns a client without a link.
func NewClient() *Client { return &Client{waiting: make(map[uint64]chan<- answer)} }

var errNoLink = fmt.Errorf("%w: the process that knows the accounts cannot be reached", auth.ErrTemporary)

// Link sends what is asked from now on over c. An earlier link is closed. It returns
// when c ends.
func (c *Client) Link(conn *packet.Conn) error {
	c.mu.Lock()
	if c.conn != nil {
		c.conn.Close()
		c.dropLocked()
	}
	c.conn = conn
	c.mu.Unlock()
	defer c.unlink(conn)
	buf := make([]byte, packet.MaxMessage)
	for {
		m, files, err := conn.Receive(buf)
		if err != nil {
			return err
		}
		packet.CloseAll(files)
		exchange, a, err := readAnswer(m)
		if err != nil {
			return err
		}
		c.mu.Lock()
		if to := c.waiting[exchange]; to != nil {
			delete(c.waiting, exchange)
			to <- a // it has room for one
		}
		c.mu.Unlock()
	}
}

func (c *Client) unlink(conn *packet.Conn) {
	conn.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn == conn { // else there is a newer one
		c.conn = nil
		c.dropLocked()
	}
}

// dropLocked tells all who wait that there will be no answer. c.mu is held.
func (c *Client) dropLocked() {
	for exchange, to := range c.waiting {
		delete(c.waiting, exchange)
		to <- answer{kind: tellRefused, err: errNoLink}
	}
}

func readAnswer(m []byte) (exchange uint64, a answer, err error) {
	f := packet.NewFields(m)
	a.kind, exchange = f.Octet(), f.Uint64()
	switch a.kind {
	case tellList:
		for n := min(f.Uint32(), maxMechanisms); n > 0; n-- {
			a.list = append(a.list, auth.Mechanism{Name: f.Text(maxName), Clear: f.Bool()})
		}
	case tellAccepted:
		a.id = &auth.Identity{UID: auth.Unknown, GID: auth.Unknown, Ticket: auth.NewSecret(f.Text(TicketSize)), Login: f.Text(2 * auth.MaxLogin)}
		a.challenge = readResponse(f, maxChallenge)
	case tellRefused:
		a.err = errorOf(f.Octet())
	case tellChallenge:
		a.challenge = readResponse(f, maxChallenge)
	default:
		return 0, a, packet.ErrMalformed
	}
	return exchange, a, f.Err()
}

// begin gives an exchange its number.
func (c *Client) begin() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last++
	return c.last
}

// ask sends a message of an exchange and waits for the answer.
func (c *Client) ask(ctx context.Context, exchange uint64, m []byte) (answer, error) {
	to := make(chan answer, 1)
	c.mu.Lock()
	conn := c.conn
	if conn == nil {
		c.mu.Unlock()
		return answer{}, errNoLink
	}
	c.waiting[exchange] = to
	c.mu.Unlock()
	if err := conn.Send(m); err != nil {
		c.forget(exchange, nil)
		return answer{}, fmt.Errorf("%w: %w", errNoLink, err)
	}
	select {
	case a := <-to:
		return a, a.err
	case <-ctx.Done():
		c.forget(exchange, conn)
		return answer{}, ctx.Err()
	}
}

// forget waits for no answer any more, and lets the other side know over conn.
func (c *Client) forget(exchange uint64, conn *packet.Conn) {
	c.mu.Lock()
	delete(c.waiting, exchange)
	c.mu.Unlock()
	if conn != nil {
		conn.Send(begin(askCancel, exchange)) // if it is gone, so is the exchange
	}
}

// Authenticate implements auth.Backend. Of the identity only Login and Ticket are set.
func (c *Client) Authenticate(ctx context.Context, r auth.Request, password string) (*auth.Identity, error) {
	if len(r.Login) > auth.MaxLogin || len(password) > auth.MaxPassword {
		return nil, auth.ErrRejected
	}
	exchange := c.begin()
	a, err := c.ask(ctx, exchange, packet.AppendText(appendRequest(begin(askAuthenticate, exchange), r), password))
	if err != nil {
		return nil, err
	}
	if a.id == nil {
		return nil, fmt.Errorf("%w: %w", auth.ErrTemporary, packet.ErrMalformed)
	}
	return a.id, nil
}

// Lookup implements auth.Backend: nobody is known here without a password.
func (c *Client) Lookup(context.Context, auth.Request) (*auth.Identity, error) {
	return nil, fmt.Errorf("%w: looking up an account without a password: %w", auth.ErrTemporary, errors.ErrUnsupported)
}

// Mechanisms implements auth.MechanismSource. There are none while there is no link.
func (c *Client) Mechanisms(r auth.Request) []auth.Mechanism {
	ctx, cancel := context.WithTimeout(context.Background(), listTime)
	defer cancel()
	exchange := c.begin()
	a, err := c.ask(ctx, exchange, appendRequest(begin(askList, exchange), r))
	if err != nil {
		return nil
	}
	for i := range a.list {
		name := a.list[i].Name
		a.list[i].Start = func(r auth.Request, accepted func(*auth.Identity)) sasl.Server {
			return &exchanged{client: c, number: c.begin(), mechanism: name, request: r, accepted: accepted}
		}
	}
	return a.list
}

// exchanged is one exchange that happens on the other side.
type exchanged struct {
	client    *Client
	number    uint64
	mechanism string
	request   auth.Request
	accepted  func(*auth.Identity)
	begun     bool
}

// Next implements sasl.Server.
func (x *exchanged) Next(ctx context.Context, response []byte) ([]byte, bool, error) {
	if len(response) > sasl.MaxResponse {
		return nil, false, sasl.ErrMalformed
	}
	m := begin(askNext, x.number)
	if !x.begun {
		x.begun = true
		m = packet.AppendText(appendRequest(begin(askStart, x.number), x.request), x.mechanism)
		// Nobody says that an exchange was given up, but its context ends.
		context.AfterFunc(ctx, func() { x.client.cancel(x.number) })
	}
	a, err := x.client.ask(ctx, x.number, appendResponse(m, response))
	if err != nil {
		return nil, false, err
	}
	if a.id == nil {
		return a.challenge, false, nil
	}
	x.accepted(a.id)
	return a.challenge, true, nil
}

// cancel tells the other side that an exchange is over.
func (c *Client) cancel(exchange uint64) {
	c.mu.Lock()
	conn := c.conn
	c.mu.Unlock()
	c.forget(exchange, conn)
}
