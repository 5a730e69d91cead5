package couriertls

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"postrider/certificate"
	"postrider/wire"
)

const (
	// writeTime is how long a client may take none of what it is sent.
	writeTime = 60 * time.Second
	// endTime is what remains for last words after a signal.
	endTime = 5 * time.Second
)

// serve does the handshake, tells how it went, and carries octets until both ends are
// done.
func (e *engine) serve() error {
	f := os.NewFile(uintptr(e.remote), "network")
	network, err := net.FileConn(f)
	if err != nil {
		return fmt.Errorf("the network is no socket: %w", err)
	}
	defer network.Close()
	if err := f.Close(); err != nil {
		return err
	}
	program, err := e.program()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), handshakeTime)
	defer cancel()
	config := e.store.Config()
	if e.local.IsValid() {
		config = e.store.ConfigAt(e.local)
	}
	secured := tls.Server(wire.Records(network), config)
	err = secured.HandshakeContext(ctx)
	if tellErr := e.tell(secured, err); err == nil {
		err = tellErr
	}
	if err != nil {
		return errTold
	}
	return carry(secured, network, program)
}

// stream is the clear side.
type stream struct {
	io.ReadCloser
	to         io.WriteCloser
	closeWrite func() error
}

// program is the descriptor that was named, else standard input and output.
func (e *engine) program() (*stream, error) {
	if e.options.local < 0 {
		if e.remote == 0 {
			return nil, errors.New("the network is on standard input, so a program or -localfd must be named")
		}
		return &stream{os.Stdin, os.Stdout, os.Stdout.Close}, nil
	}
	f := os.NewFile(uintptr(e.options.local), "program")
	c, err := net.FileConn(f)
	if err != nil {
		return nil, fmt.Errorf("-localfd is no socket: %w", err)
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	half, ok := c.(interface{ CloseWrite() error })
	if !ok {
		return nil, errors.New("-localfd is no stream")
	}
	return &stream{c, c, half.CloseWrite}, nil
}

// tell says how the handshake went: in the log if it failed, and on the descriptors that
// were named for that. For a program it is a report; else the end of the file is success
// and a line is not (Courier's form).
func (e *engine) tell(secured *tls.Conn, failed error) error {
	state := secured.ConnectionState()
	if failed != nil {
		why := certificate.Refusal(failed)
		fmt.Fprintf(os.Stderr, "%s, %s\n", peer(), strings.ReplaceAll(why, "\n", " "))
		if e.status >= 0 && len(e.options.program) == 0 {
			fmt.Fprintln(os.NewFile(uintptr(e.status), "status"), why)
		}
		return failed
	}
	if e.x509 >= 0 {
		f := os.NewFile(uintptr(e.x509), "x509")
		for _, c := range state.PeerCertificates {
			if err := pem.Encode(f, &pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}); err != nil {
				return err
			}
		}
		f.Close()
	}
	if e.status < 0 {
		return nil
	}
	f := os.NewFile(uintptr(e.status), "status")
	defer f.Close()
	if len(e.options.program) == 0 {
		return nil
	}
	r := report{Environment: map[string]string{"TLS_CONNECTED_PROTOCOL": certificate.Describe(state)}}
	for name, value := range certificate.Subject(state) {
		r.Environment["TLS_SUBJECT_"+name] = value
	}
	return json.NewEncoder(f).Encode(r)
}

// carry copies both ways. It ends when the program has closed its end and the client has
// what the program said, or when the client is gone and the program has heard so.
func carry(secured *tls.Conn, network net.Conn, program *stream) error {
	signals := make(chan os.Signal, 1)
	signal.Reset(unix.SIGTERM, unix.SIGINT, unix.SIGHUP)
	signal.Notify(signals, unix.SIGTERM, unix.SIGINT, unix.SIGHUP)
	in, out := make(chan error, 1), make(chan error, 1)
	go func() {
		_, err := io.Copy(program.to, secured)
		program.closeWrite()
		in <- err
	}()
	go func() {
		_, err := io.Copy(patient{secured}, program)
		out <- err
	}()
	var late <-chan time.Time
	for {
		select {
		case <-out: // the program's last word is sent
			secured.SetDeadline(time.Now().Add(endTime))
			secured.Close()
			return nil
		case <-in: // the program knows; it may have something to say still
			in = nil
		case <-signals: // the program got it, too, and has a last word
			late = time.After(endTime)
		case <-late:
			network.Close()
			return nil
		}
	}
}

// patient bounds each write.
type patient struct{ *tls.Conn }

func (p patient) Write(b []byte) (int, error) {
	if err := p.SetWriteDeadline(time.Now().Add(writeTime)); err != nil {
		return 0, err
	}
	return p.Conn.Write(b)
}
