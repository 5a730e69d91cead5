package imaplogin

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"postrider/auth"
	"postrider/certificate"
	"postrider/cmd/certificates"
	"postrider/config"
	"postrider/login"
	"postrider/wire"
)

// Options are what imaplogin is started with.
type Options struct {
	Config      *config.Config
	Logger      *slog.Logger
	In, Out     *os.File
	Environment []string
	Self        string   // the path of this program
	Session     []string // the capabilities of this program's own imapd
	Args        []string // [MODULE...] IMAPD MAILDIR
}

// ErrUsage says that the command line names no program to go on with. The client was
// told.
var ErrUsage = errors.New("usage: imaplogin [MODULE...] IMAPD MAILDIR")

// failDelay is the wait after a failed login. The process remembers nobody's earlier
// failures, so it is Courier's, which is long.
const failDelay = 5 * time.Second

// alarmAfter is how long after the login's time a process that cannot end is ended.
const alarmAfter = 15 * time.Second

// Run is imaplogin. It returns when the connection has ended; without TLS the process
// has become the next program by then, and it returns only what was in its way.
func Run(ctx context.Context, o Options) error {
	if len(o.Args) < 2 {
		io.WriteString(o.Out, "* BYE imaplogin expected at least two arguments.\r\n")
		return ErrUsage
	}
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) // who is gone is an error of the write
	stream, restore, err := wire.Standard(o.In, o.Out)
	if err != nil {
		return err
	}
	d := &door{
		Options: o, began: time.Now(), lines: wire.NewLines(stream), restore: restore,
		modules: o.Args[:len(o.Args)-2], imapd: o.Args[len(o.Args)-2], maildir: o.Args[len(o.Args)-1],
		env: environment(o.Environment).withClient(stream).with("PROTOCOL", "IMAP"),
	}
	d.conn = wire.NewConn(d.lines, new(wire.Buffers))
	remote := d.env.remote()
	d.log = o.Logger.With("ip", remote.Addr().String(), "port", remote.Port())
	d.log.Debug("connection")
	backend := d.backend()
	// A write to a pipe that nobody reads cannot be ended, and the process has nothing to
	// lose: as with Courier's alarm.
	alarm := time.AfterFunc(d.Config.LoginTimeout+alarmAfter, func() { os.Exit(1) })
	result, err := login.Run(ctx, d.conn, d.loginConfig(ctx, backend))
	alarm.Stop()
	if err != nil {
		login.LogEnd(context.WithoutCancel(ctx), d.log, d.conn, d.began, err)
		return d.conn.Close()
	}
	return d.enter(ctx, result)
}

// door is one run of imaplogin.
type door struct {
	Options
	began   time.Time
	log     *slog.Logger
	env     environment
	lines   *wire.Lines
	conn    *wire.Conn
	restore func() error // of the socket's mode
	secured *tls.Conn    // after STARTTLS

	modules        []string
	imapd, maildir string
	chain          *chain // of modules that are programs; nil: there are none
}

// loginConfig is what the environment and the settings say of the login.
func (d *door) loginConfig(ctx context.Context, backend auth.Backend) login.Config {
	c := login.Config{
		Backend:      backend,
		TLS:          d.env.on("IMAP_TLS"),
		RequireTLS:   d.Config.RequireTLS,
		Service:      d.env.get("AUTHSERVICE" + d.env.get("TCPLOCALPORT")),
		Remote:       d.env.remote(),
		Capabilities: d.capabilities(),
		Subject:      d.subject,
		External:     d.Config.External,
		Timeout:      d.Config.LoginTimeout,
		FailDelay:    failDelay,
		Logger:       d.log,
	}
	if store := d.certificates(c.TLS); store != nil {
		c.StartTLS = func(conn net.Conn) (net.Conn, error) {
			d.lines.Off()
			ctx, cancel := context.WithTimeout(ctx, d.Config.LoginTimeout)
			defer cancel()
			d.secured = tls.Server(conn, store.ConfigAt(d.env.local()))
			return d.secured, d.secured.HandshakeContext(ctx)
		}
	}
	return c
}

// certificates are what STARTTLS is done with, nil where it is not offered.
func (d *door) certificates(isTLS bool) *certificate.Store {
	offered := d.Config.StartTLS
	if d.env.get("IMAP_STARTTLS") != "" {
		offered = d.env.yes("IMAP_STARTTLS")
	}
	if isTLS || !offered || d.Config.CertFile == "" {
		return nil
	}
	var store *certificate.Store
	files, err := certificates.Files(d.Config, d.log)
	if err == nil {
		store, err = certificate.Open(files)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist): // Courier's file names one where nobody made it
		d.log.Debug("STARTTLS is not offered", "reason", err.Error())
		return nil
	case err != nil:
		d.log.Error("STARTTLS is not offered", "reason", err.Error())
		return nil
	}
	return store
}

// capabilities are the words of the session that comes after the login. Of another
// program than ours is known what IMAP_CAPABILITY says; how to log in is our affair.
func (d *door) capabilities() []string {
	if sameProgram(d.imapd, d.Self) {
		return d.Session
	}
	text := d.env.get("IMAP_CAPABILITY")
	if d.env.on("IMAP_TLS") && d.env.get("IMAP_CAPABILITY_TLS") != "" {
		text = d.env.get("IMAP_CAPABILITY_TLS")
	}
	if d.env.on("IMAP_ACL") {
		text += " ACL ACL2=UNION"
	}
	var words []string
	for _, w := range strings.Fields(text) {
		if !strings.HasPrefix(w, "AUTH=") && w != "STARTTLS" && w != "LOGINDISABLED" {
			words = append(words, w)
		}
	}
	return words
}
