package front

import (
	"io"
	"log/slog"
	"time"
)

// Settings are what the front needs of the settings. The parent sends them.
type Settings struct {
	TLS        bool // certificates come after the settings
	MinTLS     uint16
	StartTLS   bool
	RequireTLS bool

	MaxConnections int
	MaxPerAddress  int
	MaxPerNetwork  int

	LoginTimeout time.Duration
	DrainTimeout time.Duration

	Capabilities []string // of a session

	LogFormat string
	LogLevel  string
}

func (s *Settings) logger(to io.Writer) *slog.Logger {
	o := &slog.HandlerOptions{Level: map[string]slog.Level{
		"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError,
	}[s.LogLevel]}
	if s.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(to, o))
	}
	return slog.New(slog.NewTextHandler(to, o))
}
