package wire

import (
	"bufio"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"postrider/imap"
)

const (
	readBufferSize  = 16 << 10
	writeBufferSize = 32 << 10

	// writeTimeout is how long a write may wait for a client that takes nothing.
	writeTimeout = 60 * time.Second
)

// ErrInterrupted says that Interrupt or Dismiss was called.
var ErrInterrupted = errors.New("the connection was interrupted")

// Buffers lends read and write buffers to the connections of a process. The zero
// value is ready; it must not be copied.
type Buffers struct{ in, out sync.Pool }

func (b *Buffers) takeIn() *[readBufferSize]byte {
	if p, ok := b.in.Get().(*[readBufferSize]byte); ok {
		return p
	}
	return new([readBufferSize]byte)
}

func (b *Buffers) takeOut(w io.Writer) *bufio.Writer {
	if p, ok := b.out.Get().(*bufio.Writer); ok {
		p.Reset(w)
		return p
	}
	return bufio.NewWriterSize(w, writeBufferSize)
}

// Conn is a connection with buffers that it holds only while it needs them. It
// belongs to one goroutine, but where a method says that any goroutine may
// call it.
type Conn struct {
	net     net.Conn
	buffers *Buffers

	in          *[readBufferSize]byte // nil while nothing is buffered
	r, w        int                   // in[r:w] is buffered
	out         *bufio.Writer         // nil while nothing is buffered
	timeout     time.Duration         // of Fill, without a byte
	err         error                 // the stream is of no more use
	midLine     bool                  // what was written last does not end an answer
	read, wrote int64

	mu          sync.Mutex
	waiting     bool
	woken       bool
	interrupted bool
	farewell    *imap.Status // why, if the server does not go down

	transcript *Transcript // nil: nobody listens

	heard  atomic.Int64  // when input came last, in Unix seconds
	client atomic.Uint64 // what the client says that it is, as a hash
}

// NewConn returns a connection over c. buffers may be shared by all connections.
func NewConn(c net.Conn, buffers *Buffers) *Conn {
	conn := &Conn{net: c, buffers: buffers, timeout: time.Minute}
	conn.heard.Store(time.Now().Unix())
	return conn
}

// NetConn is the stream that the connection reads and writes.
func (c *Conn) NetConn() net.Conn { return c.net }

// Counts returns the octets read and written so far.
func (c *Conn) Counts() (read, wrote int64) { return c.read, c.wrote }

// Heard is when input came last, to the second. Any goroutine may call it.
func (c *Conn) Heard() time.Time { return time.Unix(c.heard.Load(), 0) }

// Introduce keeps what the client says that it is (RFC 2971), of which only
// whether it is the same as another's can be told again.
func (c *Conn) Introduce(id [][2]string) {
	h := fnv.New64a()
	for _, field := range id {
		fmt.Fprintf(h, "%q=%q,", field[0], field[1])
	}
	c.client.Store(h.Sum64())
}

// SameClient reports whether both say that they are the same program, or neither
// says anything. Any goroutine may call it.
func (c *Conn) SameClient(other *Conn) bool { return c.client.Load() == other.client.Load() }

// SetTimeout sets how long Fill waits for a byte.
func (c *Conn) SetTimeout(d time.Duration) { c.timeout = d }

// Close closes the connection without flushing and gives its buffers back.
func (c *Conn) Close() error {
	c.releaseIn()
	c.out = nil // it may hold what was not sent, or an error
	return c.net.Close()
}

// Buffered is the number of octets that were read and not yet consumed.
func (c *Conn) Buffered() int { return c.w - c.r }

// Event says why WaitInput returned.
type Event uint8

const (
	Input   Event = iota // there is something to read
	Woken                // Wake was called
	Timeout              // the time is over
)

// WaitInput flushes, gives the buffers back and waits for input, Wake, or until d
// has passed. Its error is ErrInterrupted, io.EOF or the network's.
func (c *Conn) WaitInput(d time.Duration) (Event, error) {
	if c.Buffered() > 0 {
		return Input, nil
	}
	if err := c.Flush(); err != nil {
		return 0, err
	}
	c.releaseIn()
	// The first bytes go to a small place on the stack, so that the wait costs no
	// buffer.
	var few [64]byte
	n, ev, err := c.await(few[:], d)
	if n > 0 {
		c.in = c.buffers.takeIn()
		c.r, c.w = 0, copy(c.in[:], few[:n])
	}
	return ev, err
}

// await reads into p, waiting for input, Wake, or until d has passed.
func (c *Conn) await(p []byte, d time.Duration) (n int, ev Event, err error) {
	if woken, err := c.beginWait(d); woken || err != nil {
		return 0, Woken, c.fail(err)
	}
	n, err = c.net.Read(p)
	c.read += int64(n)
	if n > 0 {
		c.heard.Store(time.Now().Unix())
		c.transcript.add("C: ", p[:n])
	}
	woken, interrupted := c.endWait(n == 0)
	switch {
	case n > 0, err == nil:
		return n, Input, nil
	case !errors.Is(err, os.ErrDeadlineExceeded):
		return 0, 0, c.fail(err)
	case interrupted:
		return 0, 0, c.fail(ErrInterrupted)
	case woken:
		return 0, Woken, nil
	}
	return 0, Timeout, nil
}

// waitForCommand waits for the first octet of a command, without a buffer.
func (c *Conn) waitForCommand(d time.Duration) error {
	for c.Buffered() == 0 {
		ev, err := c.WaitInput(d)
		if err != nil {
			return err
		}
		if ev == Timeout {
			return c.fail(os.ErrDeadlineExceeded)
		}
	}
	return nil
}

// dismissal is the reason that Dismiss gave, nil if there is none.
func (c *Conn) dismissal() *imap.Status {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.farewell
}

func (c *Conn) beginWait(d time.Duration) (woken bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.interrupted {
		return false, ErrInterrupted
	}
	if c.woken {
		c.woken = false
		return true, nil
	}
	c.waiting = true
	return false, c.net.SetReadDeadline(time.Now().Add(d))
}

// endWait ends a wait. A wake-up that came together with input is kept for the
// next wait unless take is set.
func (c *Conn) endWait(take bool) (woken, interrupted bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	woken, c.waiting = c.woken, false
	if take {
		c.woken = false
	}
	return woken, c.interrupted
}

// fail remembers that the stream is of no more use.
func (c *Conn) fail(err error) error {
	if c.err == nil {
		c.err = err
	}
	return err
}

// Err is the first error of the stream itself, a timeout inside a command
// included; nil while it works.
func (c *Conn) Err() error { return c.err }

// Wake ends a WaitInput, or the next one if there is none. Any goroutine may call
// it; it does not wait.
func (c *Conn) Wake() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.woken = true
	if c.waiting {
		c.net.SetReadDeadline(time.Unix(1, 0))
	}
}

// Interrupt ends every wait for input, now and later, with ErrInterrupted. Any
// goroutine may call it; what is being written is not hindered.
func (c *Conn) Interrupt() { c.Dismiss(nil) }

// Dismiss interrupts the connection and has Serve give its client this BYE as the
// reason, where it would say that the server goes down. The first reason counts.
func (c *Conn) Dismiss(bye *imap.Status) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.interrupted {
		c.farewell = bye
	}
	c.interrupted = true
	if c.waiting {
		c.net.SetReadDeadline(time.Unix(1, 0))
	}
}

// Fill returns the buffered bytes, waiting for at least one (imap.Source).
// Wake-ups are ignored: who waits for them looks around first.
func (c *Conn) Fill() ([]byte, error) {
	for c.Buffered() == 0 {
		ev, err := c.refill()
		if err != nil {
			return nil, err
		}
		if ev == Timeout {
			return nil, c.fail(os.ErrDeadlineExceeded)
		}
	}
	return c.in[c.r:c.w], nil
}

// refill reads into the buffer if there is one, else waits without one.
func (c *Conn) refill() (Event, error) {
	if c.in == nil {
		return c.WaitInput(c.timeout)
	}
	if err := c.Flush(); err != nil {
		return 0, err
	}
	n, ev, err := c.await(c.in[:], c.timeout)
	c.r, c.w = 0, n
	return ev, err
}

// Skip consumes n of the bytes that Fill returned (imap.Source).
func (c *Conn) Skip(n int) { c.r += n }

func (c *Conn) releaseIn() {
	if c.in != nil {
		c.buffers.in.Put(c.in)
		c.in, c.r, c.w = nil, 0, 0
	}
}

// writer is the write buffer, taken when it is needed.
func (c *Conn) writer() *bufio.Writer {
	if c.out == nil {
		c.out = c.buffers.takeOut((*deadlineWriter)(c))
	}
	return c.out
}

// Write buffers p. An error stays until Flush.
func (c *Conn) Write(p []byte) (int, error) {
	if len(p) > 0 {
		c.midLine = p[len(p)-1] != '\n'
	}
	return c.writer().Write(p)
}

// WriteString buffers s.
func (c *Conn) WriteString(s string) (int, error) {
	if s != "" {
		c.midLine = s[len(s)-1] != '\n'
	}
	return c.writer().WriteString(s)
}

// ReadFrom copies r to the client through the write buffer, for io.Copy: a part of an
// answer, to which more comes.
func (c *Conn) ReadFrom(r io.Reader) (int64, error) {
	c.midLine = true
	return c.writer().ReadFrom(r)
}

// AvailableBuffer is an empty slice with the room that the buffer has left: append
// to it and give the result to Write, which then copies nothing.
func (c *Conn) AvailableBuffer() []byte { return c.writer().AvailableBuffer() }

// Flush sends what is buffered and gives the buffer back.
func (c *Conn) Flush() error {
	if c.out == nil {
		return nil
	}
	if err := c.out.Flush(); err != nil {
		return err
	}
	c.buffers.out.Put(c.out)
	c.out = nil
	return nil
}

// deadlineWriter writes to the socket.
type deadlineWriter Conn

func (c *deadlineWriter) Write(p []byte) (int, error) {
	total := 0
	for len(p) > 0 {
		if err := c.net.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
			return total, (*Conn)(c).fail(err)
		}
		n, err := c.net.Write(p[:min(len(p), writeBufferSize)])
		c.transcript.add("S: ", p[:n])
		total += n
		c.wrote += int64(n)
		if err != nil && (n == 0 || !errors.Is(err, os.ErrDeadlineExceeded)) {
			return total, (*Conn)(c).fail(err)
		}
		p = p[n:] // a slow client that takes something gets more time
	}
	return total, nil
}
