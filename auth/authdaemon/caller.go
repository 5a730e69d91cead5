package authdaemon

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"syscall"
	"time"

	"postrider/auth"
)

// Options are what a Backend needs.
type Options struct {
	Socket string // its path

	// At once, and the rest waits here: a daemon has few processes (5 by default) and a
	// short queue. 0: DefaultAtOnce.
	AtOnce int

	ConnectTime time.Duration // to connect (TIMEOUT_SOCK); 0: 10 s
	WriteTime   time.Duration // to send the request (TIMEOUT_WRITE); 0: 10 s
	ReadTime    time.Duration // for the whole answer (TIMEOUT_READ); 0: 30 s
}

// DefaultAtOnce is the number of requests that are under way at once.
const DefaultAtOnce = 32

// caller makes requests of a daemon.
type caller struct {
	Options
	places chan struct{}

	// old is set when the daemon turned out to take no metadata (before 0.71), which
	// nothing but an attempt tells.
	old *atomic.Bool
}

func newCaller(o Options) caller {
	o.AtOnce = cmp.Or(max(o.AtOnce, 0), DefaultAtOnce)
	o.ConnectTime = cmp.Or(o.ConnectTime, 10*time.Second)
	o.WriteTime = cmp.Or(o.WriteTime, 10*time.Second)
	o.ReadTime = cmp.Or(o.ReadTime, 30*time.Second)
	return caller{Options: o, places: make(chan struct{}, o.AtOnce), old: new(atomic.Bool)}
}

// call returns the whole answer to a request, "" if the daemon closed without one. The
// client's address goes before it, unless the daemon is known not to take that.
func (c caller) call(ctx context.Context, r auth.Request, request string) (string, error) {
	address := r.Remote.Addr()
	if !address.IsValid() || c.old.Load() {
		return c.once(ctx, request)
	}
	answer, err := c.once(ctx, "TCPREMOTEIP="+address.Unmap().WithZone("").String()+"\n"+request)
	if err != nil || answer != "" {
		return answer, err
	}
	// Trouble, or a daemon to which the first line is no command.
	answer, err = c.once(ctx, request)
	if err == nil && answer != "" {
		c.old.Store(true)
	}
	return answer, err
}

func (c caller) once(ctx context.Context, request string) (string, error) {
	var answer []byte
	err := c.connected(ctx, request, func(conn net.Conn) (err error) {
		_ = conn.SetReadDeadline(time.Now().Add(c.ReadTime))
		answer, err = readAnswer(conn)
		return err
	})
	return string(answer), err
}

// readAnswer reads until the answer is whole or the connection ends.
func readAnswer(r io.Reader) ([]byte, error) {
	b := make([]byte, 0, 1024)
	for {
		if len(b) == cap(b) {
			b = append(b, make([]byte, min(cap(b), maxRecord+1-cap(b)))...)[:len(b)]
		}
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		switch {
		case len(b) > maxRecord:
			return nil, errors.New("the answer is too long")
		case bytes.HasSuffix(b, []byte("\n"+recordEnd)) || string(b) == failed || string(b) == changed:
			return b, nil
		case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET): // it closed without reading all
			return b, nil
		case err != nil:
			return nil, err
		}
	}
}

// stream sends a request and has its answer read line by line; each line has ReadTime.
func (c caller) stream(ctx context.Context, request string, read func(next func() (string, error)) error) error {
	var own error // of read, which is told as it is
	err := c.connected(ctx, request, func(conn net.Conn) error {
		r := bufio.NewReaderSize(conn, 2*maxRecord)
		own = read(func() (string, error) {
			_ = conn.SetReadDeadline(time.Now().Add(c.ReadTime))
			line, err := r.ReadSlice('\n')
			if err != nil {
				if errors.Is(err, io.EOF) {
					err = io.ErrUnexpectedEOF
				}
				return "", err
			}
			return string(line[:len(line)-1]), nil
		})
		return nil
	})
	if err != nil {
		return err
	}
	return own
}

// connected runs talk on a connection on which the request was sent. Its error, and
// that of anything before, is a temporary failure, or ctx's if that has ended.
func (c caller) connected(ctx context.Context, request string, talk func(net.Conn) error) error {
	select {
	case c.places <- struct{}{}:
		defer func() { <-c.places }()
	case <-ctx.Done():
		return ctx.Err()
	}
	conn, err := c.dial(ctx)
	if err == nil {
		defer conn.Close()
		defer context.AfterFunc(ctx, func() { conn.Close() })()
		_ = conn.SetWriteDeadline(time.Now().Add(c.WriteTime))
		// A daemon that gave up may have answered before: what it said counts.
		if _, err = conn.Write([]byte(request)); err == nil || errors.Is(err, syscall.EPIPE) {
			err = talk(conn)
		}
	}
	if ended := ctx.Err(); ended != nil {
		return ended
	}
	if err != nil {
		return fmt.Errorf("%w: asking authdaemond: %w", auth.ErrTemporary, err)
	}
	return nil
}

// dial connects. A socket whose queue is full refuses for a moment.
func (c caller) dial(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, c.ConnectTime)
	defer cancel()
	var d net.Dialer
	for wait := time.Millisecond; ; wait = min(2*wait, 50*time.Millisecond) {
		conn, err := d.DialContext(ctx, "unix", c.Socket)
		if !errors.Is(err, syscall.EAGAIN) {
			return conn, err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil, err
		}
	}
}
