package logs_test

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"syscall"
	"testing"

	"postrider/cmd/logs"
	"postrider/config"
)

// TestCourier: each event has Courier's line, and nobody can begin a line of his own.
func TestCourier(t *testing.T) {
	client := []any{"ip", "192.0.2.7", "port", 77}
	session := append([]any{"user", "joe"}, client...)
	for _, c := range []struct {
		level   slog.Level
		message string
		with    []any
		attrs   []any
		line    string
	}{
		{slog.LevelDebug, "connection", client, nil, "DEBUG: Connection, ip=[::ffff:192.0.2.7], port=[77]"},
		{slog.LevelDebug, "ended before login", client, []any{"how", "disconnected", "time", 3, "tls", false, "rcvd", 1, "sent", 2}, "DEBUG: Disconnected, ip=[::ffff:192.0.2.7], port=[77], time=3"},
		{slog.LevelDebug, "ended before login", client, []any{"how", "timeout", "time", 60, "tls", true}, "DEBUG: Disconnected, ip=[::ffff:192.0.2.7], port=[77], time=60, starttls=1"},
		{slog.LevelInfo, "ended before login", client, []any{"how", "logout", "time", 3, "tls", true, "rcvd", 1, "sent", 2}, "INFO: LOGOUT, ip=[::ffff:192.0.2.7], port=[77], rcvd=1, sent=2"},
		{slog.LevelInfo, "login failed", client, []any{"user", "joe\x01", "method", "LOGIN"}, "INFO: LOGIN FAILED, user=joe., ip=[::ffff:192.0.2.7], port=[77]"},
		{slog.LevelInfo, "login failed", nil, []any{"user", "", "method", "PLAIN", "remote", "[2001:db8::1]:99"}, "INFO: LOGIN FAILED, method=PLAIN, ip=[2001:db8::1], port=[99]"},
		{slog.LevelError, "login failed", client, []any{"user", "joe", "reason", "the database is down"}, "ERR: login failed, ip=192.0.2.7, port=77, user=joe, reason=the database is down"},
		{slog.LevelInfo, "login", session, []any{"tls", false}, "INFO: LOGIN, user=joe, ip=[::ffff:192.0.2.7], port=[77], protocol=IMAP"},
		{slog.LevelInfo, "login", session, []any{"tls", true}, "INFO: LOGIN, user=joe, ip=[::ffff:192.0.2.7], port=[77], protocol=IMAP, starttls=1"},
		{slog.LevelInfo, "session ended", session, []any{"how", "logout", "headers", 1, "body", 2, "rcvd", 3, "sent", 4, "time", 5, "tls", true}, "INFO: LOGOUT, user=joe, ip=[::ffff:192.0.2.7], port=[77], headers=1, body=2, rcvd=3, sent=4, time=5, starttls=1"},
		{slog.LevelInfo, "session ended", session, []any{"how", "timeout", "headers", 0, "body", 0, "rcvd", 3, "sent", 4, "time", 5}, "INFO: TIMEOUT, user=joe, ip=[::ffff:192.0.2.7], port=[77], headers=0, body=0, rcvd=3, sent=4, time=5"},
		{slog.LevelInfo, "session ended", session, []any{"how", "disconnected", "time", 5}, "INFO: DISCONNECTED, user=joe, ip=[::ffff:192.0.2.7], port=[77], time=5"},
		{slog.LevelInfo, "session ended", session, []any{"how", "interrupted", "time", 5}, "NOTICE: Disconnected during shutdown by signal, user=joe, ip=[::ffff:192.0.2.7], port=[77], time=5"},
		{slog.LevelInfo, "account locked", session, nil, "INFO: LOCKED, user=joe, ip=[::ffff:192.0.2.7], port=[77]"},
		{slog.LevelInfo, "expunged", session, []any{"mailbox", "INBOX", "uid", 7, "old_name", "1.M:2,ST"}, "INFO: EXPUNGED, user=joe, ip=[::ffff:192.0.2.7], port=[77], old_name=1.M:2,ST"},
		{slog.LevelWarn, "something else", session, []any{"why", "a\nINFO: LOGIN, user=x", slog.Group("g", "a", 1)}, "WARN: something else, user=joe, ip=192.0.2.7, port=77, why=a.INFO: LOGIN, user=x, g.a=1"},
	} {
		var out bytes.Buffer
		l := logs.New(&config.Config{LogFormat: "courier", LogLevel: "debug"}, &out)
		l.With(c.with...).Log(t.Context(), c.level, c.message, c.attrs...)
		if got := out.String(); got != c.line+"\n" {
			t.Errorf("%s\n got %q\nnot %q", c.message, got, c.line)
		}
	}
}

// TestJournal: in the journal a line has its severity in the journal's form.
func TestJournal(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var st syscall.Stat_t
	if err := syscall.Fstat(int(w.Fd()), &st); err != nil {
		t.Fatal(err)
	}
	t.Setenv("JOURNAL_STREAM", fmt.Sprintf("%d:%d", st.Dev, st.Ino))
	l := logs.New(&config.Config{LogFormat: "courier", LogLevel: "debug"}, w)
	l.Debug("connection", "ip", "192.0.2.7", "port", 77)
	l.Info("session ended", "how", "interrupted", "user", "joe", "ip", "192.0.2.7", "port", 77)
	l.Error("it is broken")
	w.Close()
	got, err := io.ReadAll(r)
	wanted := "<7>Connection, ip=[::ffff:192.0.2.7], port=[77]\n<5>NOTICE: Disconnected during shutdown by signal, user=joe, ip=[::ffff:192.0.2.7], port=[77]\n<3>it is broken\n"
	if err != nil || string(got) != wanted {
		t.Errorf("got %q, %v", got, err)
	}
}

// TestQuiet: what is said once is left out, unless all is told.
func TestQuiet(t *testing.T) {
	for level, wanted := range map[string]string{"info": "WARN: b, a=1\n", "debug": "INFO: a, a=1\nWARN: b, a=1\n", "error": ""} {
		var out bytes.Buffer
		l := logs.Quiet(logs.New(&config.Config{LogFormat: "courier", LogLevel: level}, &out)).With("a", 1)
		l.Info("a")
		l.Warn("b")
		if out.String() != wanted {
			t.Errorf("%s: %q", level, out.String())
		}
	}
}

// TestFormats: the other forms hold what was logged, in their form.
func TestFormats(t *testing.T) {
	for format, wanted := range map[string]string{"text": `msg="a b" k=1`, "json": `"msg":"a b","k":1`} {
		var out bytes.Buffer
		logs.New(&config.Config{LogFormat: format, LogLevel: "info"}, &out).Info("a b", "k", 1)
		if !strings.Contains(out.String(), wanted) {
			t.Errorf("%s: %s", format, out.String())
		}
	}
}
