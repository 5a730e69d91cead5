package e2e_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// The server tells its figures, bound as root and served as the mail user: a delivery into
// a folder that a session watches reads no directory, and a login is counted.
func TestMetrics(t *testing.T) {
	port := freePort(t)
	s := startServer(t, "METRICS=127.0.0.1:"+port)
	a := s.account(t)
	k := enterIdle(t, s, a.user, false)
	defer k.conn.Close()
	before := askFigures(t, port)
	deliverTimed(t, a, 1)
	k.until(t, "* 1 EXISTS")
	after := askFigures(t, port)
	grown := func(name string) float64 { return after[name] - before[name] }
	for _, name := range []string{"postrider_readings_total", "postrider_logins_total", "postrider_recoveries_total", "postrider_lock_timeouts_total"} {
		if n := grown(name); n != 0 {
			t.Errorf("%s grew by %v for a delivery", name, n)
		}
	}
	for _, name := range []string{"postrider_hint_readings_total", "postrider_hints_total", "postrider_journal_batches_total", "postrider_journal_syncs_total", "postrider_journal_sync_waiters_total"} {
		if n := grown(name); n < 1 {
			t.Errorf("%s grew by %v for a delivery", name, n)
		}
	}
	for name, want := range map[string]float64{
		"postrider_sessions": 1, "postrider_logins_total": 1, "postrider_mailboxes": 1, "postrider_polled": 0, "postrider_watch_overflows_total": 0,
	} {
		if after[name] != want {
			t.Errorf("%s is %v, not %v", name, after[name], want)
		}
	}
}

// askFigures is what curl http://127.0.0.1:port/metrics shows, by name.
func askFigures(t *testing.T, port string) map[string]float64 {
	t.Helper()
	res, err := http.Get("http://127.0.0.1:" + port + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	defer http.DefaultClient.CloseIdleConnections()
	b, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%v, %s", err, res.Status)
	}
	figures := map[string]float64{}
	for line := range strings.Lines(string(b)) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), " "); ok && !strings.HasPrefix(line, "#") {
			if figures[name], err = strconv.ParseFloat(value, 64); err != nil {
				t.Errorf("%q: %v", line, err)
			}
		}
	}
	return figures
}

// A socket that a killed server left behind keeps the next from nothing.
func TestMetricsSocketLeftBehind(t *testing.T) {
	path := filepath.Join(publicDir(t), "figures")
	s := startServer(t, "METRICS=unix:"+path)
	if err := s.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-s.ended
	s.start(t)
	conn, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "GET /metrics HTTP/1.0\r\n\r\n")
	if b, err := io.ReadAll(conn); err != nil || !strings.Contains(string(b), "postrider_sessions 0\n") {
		t.Errorf("%v, %q", err, b)
	}
}
