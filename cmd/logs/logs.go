package logs

import (
	"context"
	"io"
	"log/slog"

	"postrider/config"
)

// New returns a log that writes to w as the settings say.
func New(c *config.Config, w io.Writer) *slog.Logger {
	o := &slog.HandlerOptions{Level: map[string]slog.Level{
		"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError,
	}[c.LogLevel]}
	switch c.LogFormat {
	case "json":
		return slog.New(slog.NewJSONHandler(w, o))
	case "courier":
		return slog.New(newCourier(w, o.Level))
	}
	return slog.New(slog.NewTextHandler(w, o))
}

// Quiet returns l for a process that lives for one connection: what a server says once,
// when it starts, is told only where everything is.
func Quiet(l *slog.Logger) *slog.Logger { return slog.New(quiet{l.Handler()}) }

type quiet struct{ slog.Handler }

// Enabled implements slog.Handler.
func (q quiet) Enabled(ctx context.Context, level slog.Level) bool {
	return q.Handler.Enabled(ctx, level) && (level >= slog.LevelWarn || q.Handler.Enabled(ctx, slog.LevelDebug))
}

// WithAttrs implements slog.Handler.
func (q quiet) WithAttrs(a []slog.Attr) slog.Handler { return quiet{q.Handler.WithAttrs(a)} }

// WithGroup implements slog.Handler.
func (q quiet) WithGroup(name string) slog.Handler { return quiet{q.Handler.WithGroup(name)} }
