package front

import (
	"io"
	"log/slog"
	"time"

	"postrider/cmd/logs"
	"postrider/config"
)

// Settings are what the front needs of the settings. The parent sends them.
type Settings struct {
	TLS        bool // certificates come after the settings
	MinTLS     uint16
	Protocols  []string // of ALPN
	Bindings   bool     // what SCRAM's -PLUS forms need is kept
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
	return logs.New(&config.Config{LogFormat: s.LogFormat, LogLevel: s.LogLevel}, to)
}
