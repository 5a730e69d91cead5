package metrics

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/net/netutil"
)

// Bounds of what a stranger on the address can take.
const (
	maxConnections = 16
	maxHeader      = 8 << 10
	readTime       = 5 * time.Second
	writeTime      = 10 * time.Second
	idleTime       = 2 * time.Minute
)

// registry has the figures of the sources, and those of the process and of Go's runtime.
func registry(from Sources) (*prometheus.Registry, error) {
	r := prometheus.NewRegistry()
	build := prometheus.NewGauge(prometheus.GaugeOpts{Name: "postrider_build_info", Help: "1, with the version as a label", ConstLabels: prometheus.Labels{"version": from.Version}})
	build.Set(1)
	for _, c := range []prometheus.Collector{build, newCollector(from), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), collectors.NewGoCollector()} {
		if err := r.Register(c); err != nil {
			return nil, fmt.Errorf("metrics: %w", err)
		}
	}
	return r, nil
}

// Handler answers GET /metrics.
func Handler(from Sources) (http.Handler, error) {
	r, err := registry(from)
	if err != nil {
		return nil, err
	}
	figures := promhttp.HandlerFor(r, promhttp.HandlerOpts{DisableCompression: true, MaxRequestsInFlight: maxConnections})
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", figures)
	return mux, nil
}

// Serve answers on l until ctx ends, and closes it. The error is nil then.
func Serve(ctx context.Context, l net.Listener, from Sources, logger *slog.Logger) error {
	h, err := Handler(from)
	if err != nil {
		l.Close()
		return err
	}
	s := &http.Server{
		Handler: h, ReadHeaderTimeout: readTime, ReadTimeout: readTime, WriteTimeout: writeTime, IdleTimeout: idleTime,
		MaxHeaderBytes: maxHeader, ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
	}
	stop := context.AfterFunc(ctx, func() { s.Close() })
	defer stop()
	if err := s.Serve(netutil.LimitListener(l, maxConnections)); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("metrics: %w", err)
	}
	return nil
}
