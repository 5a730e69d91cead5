package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

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
			"environment variable MAILDIR names, else ./Maildir.",
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			loaded, err := from.load()
			if err != nil {
				return err
			}
			root := "./Maildir"
			if env := os.Getenv("MAILDIR"); env != "" {
				root = env
			}
			if len(args) > 0 {
				root = args[0]
			}
			return imapd(c, &loaded.Config, root)
		},
	}
	from.flags(c)
	c.Version = version()
	c.SetVersionTemplate("postrider version {{.Version}}\n")
	return c
}

// imapd is one session. What stops it before it begins the client is told with
// BYE, in Courier's words.
func imapd(cmd *cobra.Command, c *config.Config, root string) error {
	if err := os.Chdir(root); err != nil {
		return byeFatal(err)
	}
	if c.CheckOwner {
		if err := checkOwner("."); err != nil {
			fmt.Print("* BYE [ALERT] Fatal error: Account's mailbox directory is not owned by the correct uid or gid: \r\n")
			return errTold
		}
	}
	logger := newLogger(c, os.Stderr)
	syscall.Umask(int(c.Umask))
	here, err := os.Getwd()
	if err != nil {
		return byeFatal(err)
	}
	house, closeHouse, err := openHouse(c, logger)
	if err != nil {
		return byeFatal(err)
	}
	defer closeHouse()
	a, err := house.Open(cmd.Context(), accountConfig(c, here))
	if err != nil {
		return byeFatal(err)
	}
	defer a.Close()
	pipe, err := wire.NewPipe(os.Stdin, os.Stdout)
	if err != nil {
		return byeFatal(err)
	}
	defer pipe.Close()
	sc := sessionConfig(c, logger)
	sc.Account, sc.Conn, sc.User = a, wire.NewConn(pipe, new(wire.Buffers)), caller()
	defer context.AfterFunc(cmd.Context(), sc.Conn.Interrupt)()
	stats, err := session.Run(cmd.Context(), sc)
	if stats.Ending == wire.EndDisconnected {
		return nil // a mail program that closes the pipe has ended well
	}
	return err
}

// byeFatal tells the client why there is no session.
func byeFatal(err error) error {
	reason := err.Error()
	var errno syscall.Errno
	if errors.As(err, &errno) {
		reason = errno.Error()
		reason = strings.ToUpper(reason[:1]) + reason[1:] // as the C library has it
	}
	fmt.Printf("* BYE [ALERT] Fatal error: %s: %s\r\n", reason, reason)
	return errTold
}

// caller is the name of whom the process belongs to.
func caller() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return strconv.Itoa(os.Getuid())
}
