package login

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"postrider/auth"
	"postrider/imap"
	"postrider/sasl"
	"postrider/wire"
)

// status says what an account's verdict means to the client (RFC 5530 3).
func status(err error) *imap.Status {
	switch {
	case errors.Is(err, auth.ErrRejected):
		return imap.No(imap.CodeAuthenticationFailed, "Login failed.")
	case errors.Is(err, sasl.ErrMalformed):
		return imap.Bad("The response does not follow the mechanism")
	case errors.Is(err, sasl.ErrAuthorization):
		return imap.No(imap.CodeAuthorizationFailed, "Acting for another identity is not allowed")
	case errors.Is(err, auth.ErrExpired):
		return imap.No(imap.CodeExpired, "The password has expired")
	case errors.Is(err, auth.ErrDisabled):
		return imap.No(imap.CodeContactAdmin, "IMAP access disabled for this account.")
	case errors.Is(err, auth.ErrInsecure):
		return imap.No(imap.CodePrivacyRequired, "IMAP access disabled via insecure connection.")
	case errors.Is(err, auth.ErrUnusable):
		return imap.No(imap.CodeContactAdmin, "The account is not set up right; the administrator's log says what is wrong")
	case errors.Is(err, auth.ErrThrottled):
		return imap.No(imap.CodeLimit, "Too many failed logins lately, please try again later")
	case errors.Is(err, auth.ErrTemporary), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return imap.No(imap.CodeUnavailable, "Temporary problem, please try again later")
	}
	return nil
}

// accept ends the conversation with a login.
func (a *attempt) accept(c *wire.Command, id *auth.Identity, method string) error {
	a.result = &Result{Identity: id, Tag: c.Tag, Method: method, TLS: a.tls}
	c.Leave()
	return nil
}

// refuse logs a failure, waits, and returns what the client is told. A stranger who
// guesses waits longer each time; who is told that there is a passing problem does
// not, but it counts, so that a database which is down is not asked without end.
func (a *attempt) refuse(ctx context.Context, login, method string, err error) error {
	a.cfg.Failed()
	level := slog.LevelInfo
	if errors.Is(err, auth.ErrTemporary) || errors.Is(err, auth.ErrUnusable) {
		level = slog.LevelError // the administrator's to mend
	}
	a.log.Log(ctx, level, "login failed", "user", printable(login), "method", method, "remote", a.cfg.Remote.String(), "tls", a.tls, "reason", err.Error())
	if ctx.Err() != nil {
		return err
	}
	if errors.Is(err, auth.ErrTemporary) {
		if a.failures++; a.failures >= a.cfg.MaxFailures {
			return imap.Bye(imap.CodeUnavailable, "Temporary problem, please try again later")
		}
		return err
	}
	wait := time.NewTimer(a.delay)
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-ctx.Done():
		return imap.Bye(imap.CodeUnavailable, interruptText)
	}
	a.delay = min(2*a.delay, maxDelay)
	if a.failures++; a.failures >= a.cfg.MaxFailures {
		return imap.Bye(imap.CodeAuthenticationFailed, "Too many failed logins")
	}
	return err
}

// printable is a login as it may stand in a log: bounded, control bytes as ".".
func printable(s string) string {
	if len(s) > 256 {
		s = s[:256]
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '.'
		}
		return r
	}, s)
}
