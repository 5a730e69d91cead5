package remote

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"postrider/auth"
	"postrider/packet"
	"postrider/sasl"
)

const (
	// maxExchanges bounds those of one link that have begun and not ended.
	maxExchanges = 16 << 10
	// exchangeTime bounds one exchange, between its steps too.
	exchangeTime = 5 * time.Minute
)

// Server checks passwords for the clients of other processes.
type Server struct {
	backend auth.Backend
	tickets *Tickets
	logger  *slog.Logger
}

// NewServer returns a server for the accounts of a backend, which gives tickets out.
func NewServer(b auth.Backend, t *Tickets, logger *slog.Logger) *Server {
	return &Server{backend: b, tickets: t, logger: logger}
}

// Serve answers one client until it is gone, ctx ends, or it sends what no client
// sends. It closes c.
func (s *Server) Serve(ctx context.Context, c *packet.Conn) error {
	ctx, cancel := context.WithCancel(ctx)
	l := &link{Server: s, conn: c, open: make(map[uint64]*exchange)}
	defer l.work.Wait()
	defer cancel()
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	defer c.Close()
	buf := make([]byte, packet.MaxMessage)
	for {
		m, files, err := c.Receive(buf)
		if err != nil {
			return err
		}
		packet.CloseAll(files)
		if err := l.take(ctx, m); err != nil {
			return fmt.Errorf("a message of the front: %w", err)
		}
	}
}

// link is one client as the server sees it.
type link struct {
	*Server
	conn *packet.Conn
	work sync.WaitGroup

	mu   sync.Mutex
	open map[uint64]*exchange
}

// exchange is one attempt, of one step or several.
type exchange struct {
	ctx     context.Context
	cancel  context.CancelFunc
	busy    bool        // a step of it runs; under the link's lock
	server  sasl.Server // nil: there is no next step
	request auth.Request
	id      *auth.Identity // proved
}

// take takes one message in. What it starts runs in a goroutine of its own, so that a
// slow backend holds nobody up.
func (l *link) take(ctx context.Context, m []byte) error {
	f := packet.NewFields(m)
	kind, number := f.Octet(), f.Uint64()
	var step func(*exchange) []byte
	switch kind {
	case askList:
		r := readRequest(f)
		step = func(*exchange) []byte { return l.list(number, r) }
	case askAuthenticate:
		r, password := readRequest(f), f.Text(auth.MaxPassword)
		step = func(x *exchange) []byte { return l.authenticate(x, number, r, password) }
	case askStart:
		r, mechanism, response := readRequest(f), f.Text(maxName), readResponse(f, sasl.MaxResponse)
		step = func(x *exchange) []byte { return l.start(x, number, r, mechanism, response) }
	case askNext:
		response := readResponse(f, sasl.MaxResponse)
		step = func(x *exchange) []byte { return l.next(x, number, response) }
	case askCancel:
		if x := l.find(number); x != nil {
			x.cancel()
		}
		return f.Err()
	default:
		return packet.ErrMalformed
	}
	if err := f.Err(); err != nil {
		return err
	}
	x := l.enter(ctx, number, kind == askNext)
	if x == nil {
		return l.conn.Send(append(begin(tellRefused, number), outcomeOf(auth.ErrTemporary)))
	}
	l.work.Go(func() { l.run(x, number, step) })
	return nil
}

func (l *link) find(number uint64) *exchange {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.open[number]
}

// enter finds an exchange that goes on, or makes one that begins; nil if that cannot be.
func (l *link) enter(ctx context.Context, number uint64, goesOn bool) *exchange {
	l.mu.Lock()
	defer l.mu.Unlock()
	x := l.open[number]
	if goesOn {
		if x == nil || x.busy || x.server == nil {
			return nil
		}
		x.busy = true
		return x
	}
	if x != nil || len(l.open) >= maxExchanges {
		return nil
	}
	x = &exchange{busy: true}
	x.ctx, x.cancel = context.WithTimeout(ctx, exchangeTime)
	context.AfterFunc(x.ctx, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if !x.busy {
			delete(l.open, number)
		}
	})
	l.open[number] = x
	return x
}

// run runs one step of an exchange and tells what came of it.
func (l *link) run(x *exchange, number uint64, step func(*exchange) []byte) {
	m := l.safely(x, number, step)
	l.mu.Lock()
	x.busy = false // before the client can answer
	if x.server == nil || x.ctx.Err() != nil {
		delete(l.open, number)
		x.cancel()
	}
	l.mu.Unlock()
	l.tell(m)
}

// safely runs a step. A defect in a backend costs that exchange.
func (l *link) safely(x *exchange, number uint64, step func(*exchange) []byte) (m []byte) {
	defer func() {
		if p := recover(); p != nil {
			l.logger.Error("a defect ended a check of a password", "panic", p)
			x.server = nil
			m = append(begin(tellRefused, number), outcomeOf(auth.ErrTemporary))
		}
	}()
	return step(x)
}

func (l *link) list(number uint64, r auth.Request) []byte {
	all := auth.MechanismsFor(l.backend, r)
	all = all[:min(len(all), maxMechanisms)]
	m := packet.AppendUint32(begin(tellList, number), uint32(len(all)))
	for _, mechanism := range all {
		m = packet.AppendBool(packet.AppendText(m, mechanism.Name), mechanism.Clear)
	}
	return m
}

func (l *link) authenticate(x *exchange, number uint64, r auth.Request, password string) []byte {
	id, err := l.backend.Authenticate(x.ctx, r, password)
	if err != nil {
		return l.refuse(number, r, err)
	}
	return l.accept(number, id, nil)
}

func (l *link) start(x *exchange, number uint64, r auth.Request, name string, response []byte) []byte {
	for _, m := range auth.MechanismsFor(l.backend, r) {
		if m.Name == name {
			x.request = r
			x.server = m.Start(r, func(id *auth.Identity) { x.id = id })
			return l.next(x, number, response)
		}
	}
	return l.refuse(number, r, fmt.Errorf("%w: no mechanism %q", auth.ErrTemporary, name))
}

func (l *link) next(x *exchange, number uint64, response []byte) []byte {
	challenge, done, err := x.server.Next(x.ctx, response)
	if err == nil && !done && len(challenge) <= maxChallenge {
		return appendResponse(begin(tellChallenge, number), challenge)
	}
	x.server = nil
	switch {
	case err == nil && done && x.id != nil:
		return l.accept(number, x.id, challenge)
	case err == nil:
		err = fmt.Errorf("%w: a mechanism ended without a verdict", auth.ErrTemporary)
	}
	return l.refuse(number, x.request, err)
}

// accept keeps who was proved, and says under which ticket.
func (l *link) accept(number uint64, id *auth.Identity, data []byte) []byte {
	ticket := l.tickets.Issue(id)
	m := packet.AppendText(packet.AppendText(begin(tellAccepted, number), ticket[:]), id.Login)
	return appendResponse(m, data)
}

// refuse says how an attempt ended. The reason stays in the log of this process: the
// other may be in a stranger's hands.
func (l *link) refuse(number uint64, r auth.Request, err error) []byte {
	if outcome := outcomeOf(err); outcome == outcomeOf(auth.ErrTemporary) || outcome == outcomeOf(auth.ErrUnusable) {
		l.logger.Error("a password could not be checked", "user", r.Login, "remote", r.Remote.String(), "err", err)
	}
	return append(begin(tellRefused, number), outcomeOf(err))
}

// tell sends to the client; one that is gone needs no answer.
func (l *link) tell(m []byte) {
	if err := l.conn.Send(m); err != nil {
		l.logger.Debug("the front takes no answer", "err", err)
	}
}
