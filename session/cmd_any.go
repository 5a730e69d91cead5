package session

import (
	"context"
	"strings"

	"postrider/imap"
	"postrider/wire"
)

// capabilityCode is CAPABILITY as a response code.
func (s *Session) capabilityCode() imap.Code {
	return imap.Code("CAPABILITY " + strings.Join(s.caps, " "))
}

func (s *Session) capability(_ context.Context, c *wire.Command, _ wire.None) error {
	c.WriteString("* CAPABILITY " + strings.Join(s.caps, " ") + "\r\n")
	return nil
}

// noop looks for what others did; the loop tells it (RFC 3501 6.1.2, 6.4.1).
func (s *Session) noop(ctx context.Context, _ *wire.Command, _ wire.None) error {
	if s.sel == nil || s.sel.Gone() {
		return nil
	}
	if _, err := s.sel.Refresh(ctx); err != nil && !s.sel.Gone() {
		return err
	}
	return nil // that it is gone is told by who tells the changes
}

func (s *Session) logout(_ context.Context, c *wire.Command, _ wire.None) error {
	s.deselect()
	c.Untagged(imap.Bye("", "Postrider server shutting down"))
	c.Done("", "LOGOUT completed")
	c.End(wire.EndLogout)
	return nil
}

// id answers ID (RFC 2971).
func (s *Session) id(_ context.Context, c *wire.Command, client [][2]string) error {
	c.Introduce(client)
	if len(client) > 0 {
		s.Logger.Info("client", "user", s.User, "id", client)
	}
	b := append(c.AvailableBuffer(), "* ID "...)
	if len(s.ServerID) == 0 {
		c.Write(append(b, "NIL\r\n"...))
		return nil
	}
	sep := byte('(')
	for _, pair := range s.ServerID {
		b = append(b, sep)
		b = imap.AppendString(b, []byte(pair[0]))
		b = append(b, ' ')
		b = imap.AppendString(b, []byte(pair[1]))
		sep = ' '
	}
	c.Write(append(b, ")\r\n"...))
	return nil
}

// parseEnable reads the words of ENABLE.
//
//	enable = "ENABLE" 1*(SP capability)
func parseEnable(d *imap.Decoder) []string {
	words := []string{d.Word("a capability")}
	for d.Peek() == ' ' {
		d.SP()
		if d.AtEnd() {
			break
		}
		words = append(words, d.Word("a capability"))
	}
	return words
}

// enable answers ENABLE (RFC 5161): words that mean nothing here are left out, and
// nothing that is announced so far has to be enabled.
func (s *Session) enable(_ context.Context, c *wire.Command, _ []string) error {
	c.WriteString("* ENABLED\r\n")
	c.Done("", "Options enabled")
	return nil
}

// parseAnything takes whatever arguments a command that is refused has.
func parseAnything(d *imap.Decoder) wire.None {
	for !d.AtEnd() {
		if d.Peek() == ' ' {
			d.SP()
			continue
		}
		d.Astring()
	}
	return wire.None{}
}

// loggedIn refuses what belongs before the password (RFC 3501 6.2).
func (s *Session) loggedIn(context.Context, *wire.Command, wire.None) error {
	return imap.Bad("You are logged in already")
}
