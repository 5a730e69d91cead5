package login

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"postrider/wire"
)

// Ended is the error of a conversation that ended without a login: ErrEnded, and how.
type Ended struct {
	How wire.Ending
	TLS bool  // STARTTLS had been done, or TLS was there from the beginning
	Err error // of the connection, if that ended it
}

// Error implements error.
func (e *Ended) Error() string {
	if e.Err == nil {
		return ErrEnded.Error()
	}
	return errors.Join(ErrEnded, e.Err).Error()
}

// Unwrap implements errors.Is and errors.As.
func (e *Ended) Unwrap() []error { return []error{ErrEnded, e.Err} }

// LogEnd logs that a conversation which began then has ended without a login, with err,
// which Run returned. A goodbye is worth more than a connection that went.
func LogEnd(ctx context.Context, logger *slog.Logger, c *wire.Conn, began time.Time, err error) {
	var end *Ended
	if !errors.As(err, &end) {
		end = &Ended{Err: err}
	}
	level := slog.LevelDebug
	if end.How == wire.EndLogout {
		level = slog.LevelInfo
	}
	received, sent := c.Counts()
	logger.Log(ctx, level, "ended before login", "how", end.How.String(), "rcvd", received, "sent", sent,
		"time", int(time.Since(began).Seconds()), "tls", end.TLS, "err", end.Err)
}
