package login

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"strings"

	"postrider/auth"
	"postrider/imap"
	"postrider/sasl"
	"postrider/wire"
)

// table has the commands of the not-authenticated state (RFC 3501 6.1 and 6.2).
func table() *wire.Table[*attempt] {
	row := func(name string) wire.Row[*attempt] {
		return wire.Row[*attempt]{Name: name, States: wire.NotAuthenticated}
	}
	return wire.NewTable(
		wire.Define(row("CAPABILITY"), wire.NoArguments, runCapability),
		wire.Define(row("NOOP"), wire.NoArguments, runNoop),
		wire.Define(row("LOGOUT"), wire.NoArguments, runLogout),
		wire.Define(row("ID"), (*imap.Decoder).ID, runID),
		wire.Define(row("STARTTLS"), wire.NoArguments, runStartTLS),
		wire.Define(row("LOGIN"), parseLogin, runLogin),
		wire.Define(row("AUTHENTICATE"), parseAuthenticate, runAuthenticate),
	)
}

func runCapability(_ context.Context, a *attempt, c *wire.Command, _ wire.None) error {
	c.WriteString("* CAPABILITY " + strings.Join(a.capabilities(), " ") + "\r\n")
	return nil
}

func runNoop(context.Context, *attempt, *wire.Command, wire.None) error { return nil }

func runLogout(_ context.Context, a *attempt, c *wire.Command, _ wire.None) error {
	c.Untagged(imap.Bye("", "Postrider server shutting down"))
	c.End(wire.EndLogout)
	return nil
}

func runID(_ context.Context, a *attempt, c *wire.Command, client [][2]string) error {
	c.Introduce(client)
	if len(client) > 0 && !a.named { // once: a stranger must not fill the log
		a.named = true
		text := fmt.Sprintf("%q", client)
		a.log.Info("client", "id", text[:min(len(text), maxLogged)])
	}
	b := append(c.AvailableBuffer(), "* ID "...)
	c.Write(append(imap.AppendID(b, a.cfg.ServerID), "\r\n"...))
	return nil
}

func runStartTLS(_ context.Context, a *attempt, c *wire.Command, _ wire.None) error {
	switch {
	case a.tls:
		return imap.Bad("TLS is active already")
	case a.cfg.StartTLS == nil:
		return imap.No(imap.CodeCannot, "TLS is not available here")
	}
	c.Answer(imap.OK("", "Begin TLS negotiation now."))
	if err := c.StartTLS(a.cfg.StartTLS); err != nil {
		a.log.Info("STARTTLS failed", "remote", a.cfg.Remote.String(), "error", err)
		c.End(wire.EndDisconnected)
		return nil
	}
	a.tls = true
	return nil
}

// credentials are the arguments of LOGIN. They are borrowed from the frame.
type credentials struct{ user, password []byte }

// parseLogin parses LOGIN.
//
//	login = "LOGIN" SP userid SP password
func parseLogin(d *imap.Decoder) credentials {
	var l credentials
	l.user = d.Astring()
	d.SP()
	l.password = d.Astring()
	return l
}

func runLogin(ctx context.Context, a *attempt, c *wire.Command, l credentials) error {
	if !a.clearAllowed() {
		return imap.No(imap.CodePrivacyRequired, "STARTTLS required")
	}
	user := string(l.user)
	id, err := a.cfg.Backend.Authenticate(ctx, a.request(user), string(l.password))
	if err != nil {
		return a.refuse(ctx, user, "LOGIN", err)
	}
	return a.accept(c, id, "LOGIN")
}

// exchange is the arguments of AUTHENTICATE.
type exchange struct {
	mechanism string
	initial   []byte // base64; nil if there is none (RFC 4959)
}

// parseAuthenticate parses AUTHENTICATE.
//
//	authenticate = "AUTHENTICATE" SP auth-type [SP (base64 / "=")]
func parseAuthenticate(d *imap.Decoder) exchange {
	x := exchange{mechanism: d.Word("a mechanism")}
	if d.Peek() == ' ' {
		d.SP()
		if !d.AtEnd() {
			x.initial = d.Astring()
		}
	}
	return x
}

func runAuthenticate(ctx context.Context, a *attempt, c *wire.Command, x exchange) error {
	r := a.request("")
	for _, m := range a.mechanisms() {
		if m.Name != x.mechanism {
			continue
		}
		var done bool
		server := m.Start(r, func(id *auth.Identity) { a.result = &Result{Identity: id}; done = true })
		err := a.converse(ctx, c, m.Name, server, x.initial)
		if err != nil || !done {
			a.result = nil
			return err
		}
		return a.accept(c, a.result.Identity, m.Name)
	}
	if !a.clearAllowed() {
		return imap.No(imap.CodePrivacyRequired, "STARTTLS required")
	}
	return imap.No(imap.CodeCannot, "This mechanism is not supported")
}

// converse goes through the exchange of a mechanism (RFC 3501 6.2.2).
func (a *attempt) converse(ctx context.Context, c *wire.Command, method string, server sasl.Server, initial []byte) error {
	var response []byte
	if initial != nil {
		var err error
		if response, err = decodeInitial(initial); err != nil {
			return imap.Bad("The initial response is not base64")
		}
	}
	for {
		challenge, done, err := server.Next(ctx, response)
		if err != nil {
			return a.refuse(ctx, "", method, err)
		}
		if done && challenge == nil {
			return nil
		}
		line, err := a.ask(c, challenge)
		if err != nil {
			return err
		}
		if done {
			if len(line) > 0 {
				return imap.Bad("An empty response was expected")
			}
			return nil
		}
		response = line
	}
}

// ask sends a challenge and reads the response.
func (a *attempt) ask(c *wire.Command, challenge []byte) ([]byte, error) {
	if err := c.Continue(base64.StdEncoding.EncodeToString(challenge)); err != nil {
		return nil, err
	}
	line, err := c.ReadLine(base64.StdEncoding.EncodedLen(sasl.MaxResponse) + 1)
	if err != nil {
		if c.Err() == nil {
			return nil, imap.Bad("The response is too long")
		}
		return nil, err
	}
	if bytes.Equal(line, []byte("*")) {
		return nil, imap.Bad("Authentication cancelled")
	}
	response, err := base64.StdEncoding.AppendDecode([]byte{}, line)
	if err != nil {
		return nil, imap.Bad("The response is not base64")
	}
	return response, nil
}

// decodeInitial decodes an initial response: "=" is an empty one (RFC 4959 3).
func decodeInitial(b []byte) ([]byte, error) {
	if string(b) == "=" {
		return []byte{}, nil
	}
	return base64.StdEncoding.AppendDecode([]byte{}, b)
}
