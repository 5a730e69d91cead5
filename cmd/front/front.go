package front

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"

	"postrider/auth/remote"
	"postrider/certificate"
	"postrider/cmd/messages"
	"postrider/packet"
	"postrider/serve"
)

// front is the process.
type front struct {
	control  *packet.Conn // to the parent
	settings Settings
	logger   *slog.Logger
	accounts *remote.Client
	sessions sessions
	pool     pool

	certificates *certificate.Store // nil: no TLS
	listeners    []serve.Listener

	server *serve.Server      // nil until there are listeners
	drain  context.CancelFunc // of server
	served chan error         // what Serve returned
}

// Run serves what the parent sends over control, until that says that it is enough or
// is gone. The process must be confined before.
func Run(ctx context.Context, control *packet.Conn, log io.Writer) error {
	f := &front{control: control, accounts: remote.NewClient(), served: make(chan error, 1)}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	received := make(chan error, 1)
	go func() { received <- f.receive(ctx, log) }()
	var err error
	select {
	case err = <-received: // the parent is gone
		cancel()
		f.sessions.parentGone()
		if f.server != nil {
			err = errors.Join(err, <-f.served)
		}
	case err = <-f.served:
	}
	control.Close()
	return err
}

// receive does what the parent says.
func (f *front) receive(ctx context.Context, log io.Writer) error {
	buf := make([]byte, packet.MaxMessage)
	for {
		m, files, err := f.control.Receive(buf)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		err = f.take(ctx, m, files, log)
		packet.CloseAll(files)
		if err != nil {
			return err
		}
	}
}

// take does what one message says. The files are closed after it.
func (f *front) take(ctx context.Context, m []byte, files []*os.File, log io.Writer) error {
	fields := packet.NewFields(m)
	switch kind := messages.Kind(fields.Octet()); kind {
	case messages.Settings:
		if err := json.Unmarshal(m[1:], &f.settings); err != nil {
			return fmt.Errorf("the parent's settings: %w", err)
		}
		f.logger = f.settings.logger(log)
	case messages.Certificate:
		return f.takeCertificate(fields, files)
	case messages.Accounts:
		return f.takeAccounts(files)
	case messages.Listeners:
		if err := f.takeListeners(fields, files); err != nil {
			return err
		}
		f.serve(ctx)
		return f.control.Send([]byte{byte(messages.Ready)})
	case messages.Retire, messages.Drain:
		return f.leave(kind)
	case messages.Accepted, messages.Refused:
		number, err := messages.ReadNumber(fields)
		f.sessions.tell(number, event{accepted: kind == messages.Accepted})
		return err
	case messages.Ended:
		number, died, err := messages.ReadEnd(fields)
		f.sessions.tell(number, event{ended: true, died: died})
		return err
	default:
		return packet.ErrMalformed
	}
	return nil
}

// leave ends accepting, or the front.
func (f *front) leave(kind messages.Kind) error {
	switch {
	case f.server == nil:
		return errors.New("stopped before it began")
	case kind == messages.Retire:
		f.server.Retire()
	default:
		f.drain()
	}
	return nil
}

// maxPEM bounds a file with certificates or a key.
const maxPEM = 1 << 20

// takeCertificate reads a certificate, the first or a renewed one; without files the name
// has none any more.
func (f *front) takeCertificate(fields *packet.Fields, files []*os.File) error {
	name, err := messages.ReadCertificate(fields)
	if err != nil || len(files) != 0 && len(files) != 2 {
		return packet.ErrMalformed
	}
	if f.certificates == nil {
		s := f.settings
		f.certificates = certificate.Given(certificate.Files{MinVersion: s.MinTLS, Protocols: s.Protocols, Logger: f.logger})
	}
	if len(files) == 0 {
		f.certificates.Withdraw(name)
		return nil
	}
	var pem [2][]byte
	for i, file := range files {
		if pem[i], err = io.ReadAll(io.LimitReader(file, maxPEM)); err != nil {
			return fmt.Errorf("reading a certificate: %w", err)
		}
	}
	err = f.certificates.Give(name, pem[0], pem[1])
	switch {
	case err == nil && f.server != nil:
		f.logger.Info("certificate read again", "name", name)
	case err != nil && (f.server != nil || name != ""):
		f.logger.Error("a certificate cannot be used; the one from before, or the main one, is", "name", name, "err", err)
	case err != nil:
		return err
	}
	return nil
}

func (f *front) takeAccounts(files []*os.File) error {
	if len(files) != 1 {
		return packet.ErrMalformed
	}
	link, err := packet.New(files[0])
	if err != nil {
		return err
	}
	go func() {
		if err := f.accounts.Link(link); err != nil {
			f.logger.Warn("the keeper of the accounts is gone", "err", err)
		}
	}()
	return nil
}

func (f *front) takeListeners(fields *packet.Fields, files []*os.File) error {
	for _, file := range files {
		l, err := net.FileListener(file)
		if err != nil {
			return fmt.Errorf("the parent's listeners: %w", err)
		}
		f.listeners = append(f.listeners, serve.Listener{Listener: l, ImplicitTLS: fields.Bool()})
	}
	if len(f.listeners) == 0 || f.server != nil {
		return packet.ErrMalformed
	}
	return fields.Err()
}

// serve begins to accept.
func (f *front) serve(ctx context.Context) {
	s := f.settings
	var tls *serve.Certificate
	if f.certificates != nil {
		if tls = serve.GivenCertificates(f.certificates); s.Bindings {
			tls.OfferBindings()
		}
	}
	f.server = serve.New(serve.Config{
		Handover:       f,
		Backend:        f.accounts,
		TLS:            tls,
		StartTLS:       s.StartTLS,
		RequireTLS:     s.RequireTLS,
		MaxConnections: s.MaxConnections,
		MaxPerAddress:  s.MaxPerAddress,
		MaxPerNetwork:  s.MaxPerNetwork,
		LoginTimeout:   s.LoginTimeout,
		DrainTimeout:   s.DrainTimeout,
		Logger:         f.logger,
	})
	ctx, f.drain = context.WithCancel(ctx)
	go func() { f.served <- f.server.Serve(ctx, f.listeners...) }()
}
