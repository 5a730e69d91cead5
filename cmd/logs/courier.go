package logs

import (
	"context"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
)

// courier writes lines as Courier does: a severity that courierlogger takes off, and
// text; to the journal, the severity in the journal's form. Events of the table have
// Courier's text, others their message and attributes.
type courier struct {
	level   slog.Leveler
	journal bool
	attrs   attrs
	group   string

	mu *sync.Mutex // of w
	w  io.Writer
}

func newCourier(w io.Writer, level slog.Leveler) *courier {
	return &courier{level: level, journal: isJournal(w), mu: new(sync.Mutex), w: w}
}

// Enabled implements slog.Handler.
func (h *courier) Enabled(_ context.Context, l slog.Level) bool { return l >= h.level.Level() }

// WithAttrs implements slog.Handler.
func (h *courier) WithAttrs(more []slog.Attr) slog.Handler {
	with := *h
	with.attrs = slices.Clone(h.attrs)
	for _, a := range more {
		with.attrs.add(h.group, a)
	}
	return &with
}

// WithGroup implements slog.Handler.
func (h *courier) WithGroup(name string) slog.Handler {
	with := *h
	with.group = h.group + name + "."
	return &with
}

// Handle implements slog.Handler. A line is one write, so that lines of several
// processes on one pipe do not mix.
func (h *courier) Handle(_ context.Context, r slog.Record) error {
	all := slices.Clone(h.attrs)
	r.Attrs(func(a slog.Attr) bool { all.add(h.group, a); return true })
	line := severity(r.Level) + ": " + r.Message + all.text()
	for _, e := range events() {
		// An error is the administrator's to mend, and no failure to count against anybody.
		if e.message == r.Message && r.Level < slog.LevelError {
			line = e.line(all)
		}
	}
	if h.journal {
		line = journalLine(line)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	_, err := io.WriteString(h.w, oneLine(line)+"\n")
	return err
}

// severity is the word that courierlogger knows (NOTICE it does not).
func severity(l slog.Level) string {
	switch {
	case l < slog.LevelInfo:
		return "DEBUG"
	case l < slog.LevelWarn:
		return "INFO"
	case l < slog.LevelError:
		return "WARN"
	}
	return "ERR"
}

// oneLine keeps what a client or a file said from beginning a line of its own.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '.'
		}
		return r
	}, s)
}

// attrs are the attributes of a record, in their order. Of two with one name the
// later counts.
type attrs []slog.Attr

func (a *attrs) add(group string, more slog.Attr) {
	more.Value = more.Value.Resolve()
	if more.Value.Kind() == slog.KindGroup {
		for _, inner := range more.Value.Group() {
			a.add(group+more.Key+".", inner)
		}
		return
	}
	more.Key = group + more.Key
	if i := slices.IndexFunc(*a, func(b slog.Attr) bool { return b.Key == more.Key }); i >= 0 {
		(*a)[i] = more
		return
	}
	*a = append(*a, more)
}

// get is the text of an attribute, "" if there is none.
func (a attrs) get(key string) string {
	i := slices.IndexFunc(a, func(b slog.Attr) bool { return b.Key == key })
	if i < 0 {
		return ""
	}
	return a[i].Value.String()
}

func (a attrs) text() string {
	var b strings.Builder
	for _, attr := range a {
		b.WriteString(", " + attr.Key + "=" + attr.Value.String())
	}
	return b.String()
}
