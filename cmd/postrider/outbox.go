package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"postrider/account"
	"postrider/config"
	"postrider/mail"
	"postrider/session"
)

// sendTime bounds how long the mailer may take with one message.
const sendTime = 2 * time.Minute

// maxComplaint is how much of what the mailer says goes to the log, in bytes.
const maxComplaint = 512

// newOutbox is the folder of OUTBOX for a user, nil if there is none.
func newOutbox(c *config.Config, style account.Style, user string) *session.Outbox {
	if c.Outbox == "" {
		return nil
	}
	name := mail.Name(strings.ReplaceAll(c.Outbox[1:], ".", mail.Separator))
	return &session.Outbox{
		Name: name, Wire: style.Wire(name), Multiple: c.OutboxMultiple,
		New: func() (session.Letter, error) { return newLetter(c, user) },
	}
}

// outgoing is a letter in a file without a name, until the mailer has it.
type outgoing struct {
	*os.File
	mailer, sender string
}

// newLetter begins a letter with the header that names its sender.
func newLetter(c *config.Config, sender string) (*outgoing, error) {
	file, err := os.CreateTemp("", "postrider-outbox-")
	if err != nil {
		return nil, fmt.Errorf("a letter for the outbox: %w", err)
	}
	if err := os.Remove(file.Name()); err != nil {
		file.Close()
		return nil, fmt.Errorf("a letter for the outbox: %w", err)
	}
	sender = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, sender)
	l := &outgoing{File: file, mailer: c.Sendmail, sender: sender}
	if c.SenderHeader != "" {
		if _, err := fmt.Fprintf(file, "%s: %s\n", c.SenderHeader, sender); err != nil {
			file.Close()
			return nil, err
		}
	}
	return l, nil
}

// Write implements session.Letter: a mailer wants the line ends of the system.
func (l *outgoing) Write(p []byte) (int, error) {
	if _, err := l.File.Write(bytes.ReplaceAll(p, []byte("\r"), nil)); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Send implements session.Letter.
func (l *outgoing) Send(ctx context.Context) error {
	if _, err := l.Seek(0, io.SeekStart); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, sendTime)
	defer cancel()
	args := []string{"-oi", "-t"}
	if l.sender != "" && l.sender[0] != '-' {
		args = append(args, "-f", l.sender)
	}
	mailer := exec.CommandContext(ctx, l.mailer, args...)
	mailer.Stdin = l.File
	said := &complaint{}
	mailer.Stdout, mailer.Stderr = said, said
	mailer.WaitDelay = time.Second
	if err := mailer.Run(); err != nil {
		return fmt.Errorf("%s: %w: %q", l.mailer, err, said.b)
	}
	return nil
}

// Discard implements session.Letter.
func (l *outgoing) Discard() { l.Close() }

// complaint is the beginning of what a program says.
type complaint struct{ b []byte }

func (c *complaint) Write(p []byte) (int, error) {
	c.b = append(c.b, p[:min(len(p), maxComplaint-len(c.b))]...)
	return len(p), nil
}
