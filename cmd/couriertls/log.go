package couriertls

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
)

// courierLines writes the log's records as lines that courierlogger understands.
type courierLines struct{}

func (courierLines) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelWarn }

func (courierLines) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	b.WriteString("WARN: couriertls: ")
	if r.Level >= slog.LevelError {
		b.Reset()
		b.WriteString("ERR: couriertls: ")
	}
	b.WriteString(r.Message)
	r.Attrs(func(a slog.Attr) bool {
		fmt.Fprintf(&b, ", %s=%v", a.Key, a.Value)
		return true
	})
	_, err := fmt.Fprintln(os.Stderr, strings.ReplaceAll(b.String(), "\n", " "))
	return err
}

func (c courierLines) WithAttrs([]slog.Attr) slog.Handler { return c }
func (c courierLines) WithGroup(string) slog.Handler      { return c }
