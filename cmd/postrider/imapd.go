package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"postrider/cmd/imapdrc"
	"postrider/config"
	"postrider/session"
	"postrider/wire"
)

func newImapd() *cobra.Command {
	var from where
	c := &cobra.Command{
		Use:   "imapd [MAILDIR]",
		Short: "Serve one session on standard input and output, logged in as the caller",
		Long: "imapd speaks IMAP on standard input and output, as whoever started it: from a\n" +
			"shell, over ssh, from a mail program's tunnel. It serves MAILDIR, else what the\n" +
			"environment variable MAILDIR names, else ./Maildir. Started by imaplogin, it\n" +
			"serves whom that logged in, and MAILDIR in the environment comes first.",
		Version: version(),
		Args:    cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			v, err := visitOf(os.Environ())
			if err != nil {
				return err
			}
			if !v.chain && len(args) == 1 && imapdrc.IsAction(args[0]) {
				return runPlain(from.courier, args[0]) // a Maildir of such a name is ./start
			}
			load := from.load
			if v.chain {
				load = func() (*config.Loaded, error) { return from.loadChain(false) }
			}
			loaded, err := load()
			if err != nil {
				fmt.Print("* BYE [UNAVAILABLE] The server's settings have a mistake; please tell your mail administrator\r\n")
				return err
			}
			return imapd(c.Context(), &loaded.Config, v, v.root(args))
		},
	}
	from.flags(c)
	c.Version = version()
	c.SetVersionTemplate("postrider version {{.Version}}\n")
	return c
}

// imapd is one session. What stops it before it begins the client is told with
// BYE, in Courier's words.
func imapd(ctx context.Context, c *config.Config, v *visit, root string) error {
	syscall.Umask(int(c.Umask))
	if c.MemoryLimit > 0 {
		debug.SetMemoryLimit(c.MemoryLimit)
	}
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) // a client that is gone is an error of its write
	logger := newLogger(c, os.Stderr).With("user", v.user, "ip", v.remote.Addr().String(), "port", v.remote.Port(), "tls", v.tls)
	if err := v.admit(ctx, c, root, logger); err != nil {
		return err
	}
	house, closeHouse, err := openHouse(c, logger)
	if err != nil {
		return byeFatal(logger, err)
	}
	defer closeHouse()
	here, err := os.Getwd()
	if err != nil {
		return byeFatal(logger, err)
	}
	a, err := house.Open(ctx, accountConfig(c, here))
	if err != nil {
		return byeFatal(logger, err)
	}
	defer a.Close()
	stream, closeStream, err := v.stream()
	if err != nil {
		return byeFatal(logger, err)
	}
	defer closeStream()
	sc := sessionConfig(c, v.user, logger)
	sc.Account, sc.Conn, sc.FirstTag = a, wire.NewConn(stream, new(wire.Buffers)), v.tag
	defer transcribe(c, here, sc.Conn, logger)()
	emptyTrash(ctx, c, a, logger)
	defer context.AfterFunc(ctx, sc.Conn.Interrupt)()
	return v.session(ctx, sc, logger)
}

// session runs the session, between the two lines that Courier logs.
func (v *visit) session(ctx context.Context, sc session.Config, logger *slog.Logger) error {
	level := slog.LevelInfo
	if !v.chain {
		level = slog.LevelDebug // who calls it from a shell knows
	}
	logger.Log(ctx, level, "login")
	stats, err := session.Run(ctx, sc)
	received, sent := sc.Conn.Counts()
	logger.Log(context.WithoutCancel(ctx), level, "session ended", "how", stats.Ending.String(), "headers", stats.HeaderBytes,
		"body", stats.BodyBytes, "rcvd", received, "sent", sent, "time", int(time.Since(v.began).Seconds()))
	if stats.Ending == wire.EndDisconnected {
		return nil // a mail program that closes the pipe has ended well
	}
	return err
}

// stream is standard input and output. From a shell they may be shared with others, so
// that nothing of theirs is changed.
func (v *visit) stream() (net.Conn, func(), error) {
	stream, err := wire.NewPipe(os.Stdin, os.Stdout)
	restore := func() error { return nil }
	if v.chain {
		if err == nil {
			stream.Close()
		}
		stream, restore, err = wire.Standard(os.Stdin, os.Stdout)
	}
	if err != nil {
		return nil, nil, err
	}
	return stream, func() {
		stream.Close()
		restore()
	}, nil
}

// byeFatal tells the client why there is no session.
func byeFatal(logger *slog.Logger, err error) error {
	logger.Error("the session cannot begin", "reason", err.Error())
	reason := err.Error()
	var errno syscall.Errno
	if errors.As(err, &errno) {
		reason = capitalized(errno.Error()) // as the C library has it
	}
	fmt.Printf("* BYE [ALERT] Fatal error: %s: %s\r\n", reason, reason)
	return errTold
}
