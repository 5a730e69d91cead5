package session

import (
	"context"
	"io"

	"postrider/account"
	"postrider/imap"
	"postrider/mail"
)

// Outbox is the folder that sends what is put into it: Courier's OUTBOX, announced
// as XCOURIEROUTBOX. The client has made it like any other.
type Outbox struct {
	Name     mail.Name
	Wire     string // its name as clients see it
	Multiple bool   // COPY may put more than one message into it
	New      func() (Letter, error)
}

// Letter is a message on its way out. It is written whole, then sent or discarded.
type Letter interface {
	io.Writer
	// Send sends it; nil means that it is in the mailer's hands.
	Send(ctx context.Context) error
	// Discard gives back what it holds, sent or not.
	Discard()
}

// errUnsent is what the client is told of a message that was not sent.
func errUnsent() *imap.Status { return imap.No(imap.CodeAlert, "Unable to send E-mail message.") }

// letterFor begins a letter if the folder is the outbox; else it is nil.
func (s *Session) letterFor(n mail.Name) (Letter, error) {
	if s.Outbox == nil || n != s.Outbox.Name {
		return nil, nil
	}
	return s.Outbox.New()
}

// send sends a letter, if there is one. The mailer's reason is for the log.
func (s *Session) send(ctx context.Context, l Letter) error {
	if l == nil {
		return nil
	}
	if err := l.Send(ctx); err != nil {
		s.Logger.Error("a message in the outbox was not sent", "user", s.User, "err", err)
		return errUnsent()
	}
	return nil
}

// sendCopied sends messages that are copied to the outbox, before they are.
func (s *Session) sendCopied(ctx context.Context, n mail.Name, uids mail.UIDSet) error {
	if s.Outbox == nil || n != s.Outbox.Name {
		return nil
	}
	if uids.Len() > 1 && !s.Outbox.Multiple {
		return imap.No(imap.CodeAlert, "Only one message may be sent at a time.")
	}
	for uid := range uids.All() {
		if err := s.sendOne(ctx, s.sel.Handle, uid); err != nil {
			return err
		}
	}
	return nil
}

func (s *Session) sendOne(ctx context.Context, from *account.Handle, uid mail.UID) error {
	letter, err := s.Outbox.New()
	if err != nil {
		return err
	}
	defer letter.Discard()
	message, err := from.OpenMessage(ctx, uid)
	if err != nil {
		return err
	}
	defer message.Close()
	if _, err := message.WriteTo(letter); err != nil {
		return err
	}
	return s.send(ctx, letter)
}
