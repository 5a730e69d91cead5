package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"strings"
	"syscall"

	"postrider/metrics"
)

// listenMetrics binds what METRICS names; nil if that is nothing. Everybody may connect to
// a socket of the file system: whoever may not is to be kept out of its directory.
func listenMetrics(address string) (net.Listener, error) {
	path, local := strings.CutPrefix(address, "unix:")
	switch {
	case address == "":
		return nil, nil
	case !local:
		l, err := net.Listen("tcp", address)
		if err != nil {
			return nil, fmt.Errorf("METRICS: %w", err)
		}
		return l, nil
	}
	if err := removeLeft(path); err != nil {
		return nil, fmt.Errorf("METRICS: %w", err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("METRICS: %w", err)
	}
	if err := os.Chmod(path, 0o666); err != nil {
		return nil, fmt.Errorf("METRICS: %w", errors.Join(err, l.Close()))
	}
	return l, nil
}

// removeLeft removes the socket of a server that is no more: who has given up root
// cannot remove its own everywhere.
func removeLeft(path string) error {
	info, err := os.Lstat(path)
	if err != nil || info.Mode().Type() != fs.ModeSocket {
		return nil
	}
	conn, err := net.Dial("unix", path)
	if err == nil {
		conn.Close()
		return nil
	}
	if !errors.Is(err, syscall.ECONNREFUSED) {
		return err
	}
	return os.Remove(path)
}

// tellMetrics tells the figures in a goroutine until ctx ends or end is called.
func tellMetrics(ctx context.Context, l net.Listener, from metrics.Sources, logger *slog.Logger) (end func()) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	logger.Info("telling figures", "address", l.Addr().String())
	go func() {
		defer close(ended)
		if err := metrics.Serve(ctx, l, from, logger); err != nil {
			logger.Error("telling figures", "err", err)
		}
	}()
	return func() { cancel(); <-ended }
}
