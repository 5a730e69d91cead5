package metrics

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"postrider/account"
	"postrider/mailbox"
	"postrider/serve"
	"postrider/watch"
)

func sources() Sources {
	return Sources{
		Server: func() serve.Stats { return serve.Stats{Open: 3, Strangers: 1, Served: 9, Failures: 4} },
		House: func() account.Stats {
			return account.Stats{Accounts: 5, Mailboxes: 6, Stats: mailbox.Stats{Readings: 7, SnapshotSize: 1 << 40}}
		},
		Watch:   func() watch.Stats { return watch.Stats{Watched: 8, Overflows: 1} },
		Version: `v1 "x"`,
	}
}

// The manual has the table of what is told: no row more, none less, in the same words.
func TestManualAndRegistryAgree(t *testing.T) {
	manual, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	r, err := registry(sources())
	if err != nil {
		t.Fatal(err)
	}
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	told := map[string]bool{}
	for _, f := range families {
		if !strings.HasPrefix(f.GetName(), "postrider_") {
			continue
		}
		row := "| `" + f.GetName() + "` | " + strings.ToLower(f.GetType().String()) + " | " + f.GetHelp() + " |"
		told[row] = true
		if !strings.Contains(string(manual), row+"\n") {
			t.Errorf("docs/operations.md lacks %s", row)
		}
	}
	for line := range strings.Lines(string(manual)) {
		if line = strings.TrimSuffix(line, "\n"); strings.HasPrefix(line, "| `postrider_") && !told[line] {
			t.Errorf("docs/operations.md has %s, which is not told", line)
		}
	}
	if len(told) < 20 {
		t.Errorf("%d figures", len(told))
	}
}

// A counter is called so, and nothing else is.
func TestNames(t *testing.T) {
	for _, f := range figures() {
		if counter := f.kind == prometheus.CounterValue; counter != strings.HasSuffix(f.name, "_total") {
			t.Errorf("%s is a counter: %v", f.name, counter)
		}
	}
}

func TestServe(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Serve(ctx, l, sources(), slog.New(slog.DiscardHandler)) }()
	ask := func(method, path string) (int, string) {
		t.Helper()
		req, err := http.NewRequest(method, "http://"+l.Addr().String()+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(b)
	}
	status, text := ask("GET", "/metrics")
	for _, want := range []string{"\npostrider_connections 3\n", "\npostrider_login_failures_total 4\n", "\npostrider_readings_total 7\n",
		"\npostrider_snapshot_bytes_total 1.099511627776e+12\n", "\npostrider_watch_overflows_total 1\n", `version="v1 \"x\""`, "\nprocess_resident_memory_bytes "} {
		if status != 200 || !strings.Contains(text, want) {
			t.Errorf("status %d, lacks %q", status, want)
		}
	}
	for _, other := range [][2]string{{"GET", "/"}, {"POST", "/metrics"}, {"GET", "/metrics/x"}, {"GET", "/debug/pprof/"}} {
		if status, _ := ask(other[0], other[1]); status != 404 && status != 405 {
			t.Errorf("%s %s: %d", other[0], other[1], status)
		}
	}
	http.DefaultClient.CloseIdleConnections()
	tooLong(t, l.Addr().String())
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if conn, err := net.Dial("tcp", l.Addr().String()); err == nil {
		conn.Close()
		t.Error("still listening")
	}
}

// tooLong sends a header without end, which must not be taken in.
func tooLong(t *testing.T, address string) {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	conn.Write([]byte("GET /metrics HTTP/1.1\r\nX: " + strings.Repeat("x", 64<<10)))
	answer := make([]byte, 12)
	if _, err := io.ReadFull(conn, answer); err == nil && string(answer) != "HTTP/1.1 431" {
		t.Errorf("answered %q", answer)
	}
}

// A socket of the file system serves as well as a port.
func TestServeOnSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Serve(ctx, l, sources(), slog.New(slog.DiscardHandler)) }()
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("GET /metrics HTTP/1.0\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(conn)
	if err != nil || !strings.Contains(string(b), "postrider_sessions 2") {
		t.Errorf("%v, %q", err, b)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
