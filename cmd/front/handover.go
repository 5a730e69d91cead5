package front

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"postrider/auth/remote"
	"postrider/cmd/messages"
	"postrider/login"
	"postrider/wire"
)

// Capabilities implements serve.Handover.
func (f *front) Capabilities() []string { return f.settings.Capabilities }

var (
	errRefused = errors.New("the connection could not be given to a worker")
	errNoProof = errors.New("the login left no ticket")
	errDied    = errors.New("the worker of the account died")
)

// Session implements serve.Handover: it gives the connection to the parent and returns
// when the session has ended.
func (f *front) Session(ctx context.Context, c *wire.Conn, l *login.Result, from netip.AddrPort) error {
	ticket := []byte(l.Identity.Ticket.Reveal())
	if len(ticket) != remote.TicketSize {
		return refuse(c, errNoProof)
	}
	if err := c.Flush(); err != nil {
		return err
	}
	stream, err := openStream(c.NetConn())
	if err != nil {
		return refuse(c, err)
	}
	defer stream.close()
	about := messages.About{Tag: l.Tag, Method: l.Method, TLS: l.TLS, Remote: from, Client: c.Client(), Unread: c.Unread()}
	number, s := f.sessions.begin()
	defer f.sessions.end(number)
	err = f.control.Send(messages.HandoverOf(number, remote.Ticket(ticket), about.Append(nil)), stream.away)
	stream.away.Close()
	if err != nil {
		return refuse(c, err)
	}
	if !s.awaitAccepted() {
		return refuse(c, errRefused)
	}
	c.NetConn().SetDeadline(time.Time{}) // the worker has its own
	if stream.here == nil {
		c.NetConn().Close() // it is the worker's alone
		s.awaitEnd(ctx)
		return nil
	}
	return f.carry(ctx, c, stream.here, s)
}

// refuse tells the client that there is no session. The reason is for the log.
func refuse(c *wire.Conn, reason error) error {
	c.WriteString("* BYE [UNAVAILABLE] Your mailbox cannot be opened; please tell your mail administrator\r\n")
	c.Flush()
	return reason
}

// stream is what is given away of a connection, and what stays.
type stream struct {
	away *os.File
	here *net.UnixConn // nil: the connection itself is given away
}

func (s *stream) close() {
	s.away.Close()
	if s.here != nil {
		s.here.Close()
	}
}

// pipeBuffer is what may be on its way between the processes. It is small, so that a
// worker notices how fast a slow client takes what it is sent.
const pipeBuffer = 32 << 10

// openStream gives away the socket of a plain connection, and else the far end of a
// socket pair.
func openStream(c net.Conn) (*stream, error) {
	if tcp, ok := c.(*net.TCPConn); ok {
		f, err := tcp.File()
		return &stream{away: f}, err
	}
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, os.NewSyscallError("socketpair", err)
	}
	here, away := os.NewFile(uintptr(fds[0]), "stream"), os.NewFile(uintptr(fds[1]), "stream")
	defer here.Close()
	for _, fd := range fds {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, pipeBuffer); err != nil {
			away.Close()
			return nil, os.NewSyscallError("setsockopt", err)
		}
	}
	conn, err := net.FileConn(here)
	if err != nil {
		away.Close()
		return nil, err
	}
	return &stream{away: away, here: conn.(*net.UnixConn)}, nil
}

// sessions are those that were given away. The zero value is ready.
type sessions struct {
	mu   sync.Mutex
	last uint64
	open map[uint64]*session
	gone bool // the parent is
}

// session is one of them.
type session struct {
	accepted chan bool // one value
	ended    chan bool // one value: whether the worker died
}

// event is what the parent says of one.
type event struct{ accepted, ended, died bool }

func (all *sessions) begin() (uint64, *session) {
	s := &session{accepted: make(chan bool, 1), ended: make(chan bool, 1)}
	all.mu.Lock()
	defer all.mu.Unlock()
	if all.open == nil {
		all.open = make(map[uint64]*session)
	}
	all.last++
	all.open[all.last] = s
	if all.gone {
		s.tell(event{ended: true, died: true})
	}
	return all.last, s
}

func (all *sessions) end(number uint64) {
	all.mu.Lock()
	defer all.mu.Unlock()
	delete(all.open, number)
}

func (all *sessions) tell(number uint64, e event) {
	all.mu.Lock()
	defer all.mu.Unlock()
	if s := all.open[number]; s != nil {
		s.tell(e)
	}
}

// parentGone ends all that wait for the parent.
func (all *sessions) parentGone() {
	all.mu.Lock()
	defer all.mu.Unlock()
	all.gone = true
	for _, s := range all.open {
		s.tell(event{ended: true, died: true})
	}
}

// tell never waits: what comes twice counts once.
func (s *session) tell(e event) {
	to, value := s.accepted, e.accepted
	if e.ended {
		to, value = s.ended, e.died
	}
	select {
	case to <- value:
	default:
	}
}

// awaitAccepted is whether a worker has the connection.
func (s *session) awaitAccepted() bool {
	select {
	case accepted := <-s.accepted:
		return accepted
	case died := <-s.ended:
		s.ended <- died
		return !died
	}
}

// awaitEnd waits for the end of a session that is the worker's alone.
func (s *session) awaitEnd(ctx context.Context) {
	select {
	case <-s.ended:
	case <-ctx.Done():
	}
}

// carry copies between a connection under TLS and the worker until the session ends.
func (f *front) carry(ctx context.Context, c *wire.Conn, worker *net.UnixConn, s *session) error {
	client := c.NetConn()
	stop := context.AfterFunc(ctx, func() { worker.Close() })
	defer stop()
	toWorker := make(chan struct{})
	go func() {
		defer close(toWorker)
		f.pool.up(worker, client)
		worker.CloseWrite() // the client is gone; the worker may have more to write down
	}()
	whole, err := f.pool.down(client, worker)
	client.SetReadDeadline(time.Unix(1, 0))
	worker.Close()
	<-toWorker
	if err != nil {
		return nil // the client is gone, as clients are every day
	}
	if died := s.fate(ctx); !died {
		return nil
	}
	if whole {
		client.SetWriteDeadline(time.Now().Add(byeTime))
		fmt.Fprint(client, "* BYE [UNAVAILABLE] The process that served your mailbox died; please connect again\r\n")
	}
	return errDied
}

// byeTime is how long a client may take for its BYE.
const byeTime = 5 * time.Second

// fate is whether the worker of a session that is over died.
func (s *session) fate(ctx context.Context) bool {
	select {
	case died := <-s.ended:
		return died
	case <-ctx.Done():
		return false
	}
}
