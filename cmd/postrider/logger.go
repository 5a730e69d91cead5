package main

import (
	"io"
	"log/slog"

	"postrider/cmd/logs"
	"postrider/config"
)

// newLogger writes to standard error as the settings say.
func newLogger(c *config.Config, to io.Writer) *slog.Logger { return logs.New(c, to) }
