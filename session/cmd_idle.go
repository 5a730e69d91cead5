package session

import (
	"context"
	"strings"
	"time"

	"postrider/imap"
	"postrider/wire"
)

// maxDone bounds the line that ends IDLE.
const maxDone = 1 << 10

// idle runs IDLE (RFC 2177), with or without a selected mailbox. It costs no
// goroutine: whoever changes the mailbox wakes the connection.
func (s *Session) idle(ctx context.Context, c *wire.Command, _ wire.None) error {
	if s.sel != nil {
		stop := s.sel.Notify(c.Wake)
		defer stop()
		if err := s.noop(ctx, c, wire.None{}); err != nil {
			return err
		}
	}
	text := "entering idle mode"
	if s.EnhancedIdle {
		text = "entering ENHANCED idle mode"
	}
	if err := c.Continue(text); err != nil {
		return err
	}
	return s.wait(ctx, c)
}

// wait tells what happens until the client says DONE. Where nobody watches the mailbox
// for us, not even by polling, it looks every Poll.
func (s *Session) wait(ctx context.Context, c *wire.Command) error {
	now := time.Now()
	until, alive, look := now.Add(s.IdleTimeout), now.Add(s.KeepAlive), now.Add(s.Poll)
	alone := s.sel != nil && !s.sel.Attended()
	for {
		if s.sel != nil {
			if _, err := s.sync(ctx, syncing{expunge: true}); err != nil {
				return err
			}
		}
		next := min(time.Until(until), time.Until(alive))
		if alone {
			next = min(next, time.Until(look))
		}
		ev, err := c.WaitInput(next)
		switch now = time.Now(); {
		case err != nil:
			return err
		case ev == wire.Input:
			return s.endIdle(c)
		case ev == wire.Timeout && !now.Before(until):
			return imap.Bye("", "Disconnected for inactivity")
		case ev == wire.Timeout && !now.Before(alive):
			c.Untagged(imap.OK("", "Still here"))
			alive = now.Add(s.KeepAlive)
		}
		if alone && !now.Before(look) {
			look = now.Add(s.Poll)
			if _, err := s.sel.Refresh(ctx); err != nil && !s.sel.Gone() {
				return err
			}
		}
	}
}

func (s *Session) endIdle(c *wire.Command) error {
	line, err := c.ReadLine(maxDone)
	if err != nil {
		return err
	}
	if !strings.EqualFold(strings.TrimSpace(string(line)), "DONE") {
		return imap.Bad("IDLE ends with DONE")
	}
	c.Done("", "IDLE completed")
	return nil
}
