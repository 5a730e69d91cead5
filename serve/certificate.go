package serve

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"
)

// Certificate is a certificate in files that may be renewed at any time: each
// handshake looks whether they changed. A renewal that cannot be read (half
// written, or a key that does not match yet) leaves the old one in use.
type Certificate struct {
	certFile, keyFile string
	minVersion        uint16
	logger            *slog.Logger
	config            *tls.Config

	mu      sync.Mutex
	current *tls.Certificate
	seen    [2]stamp // of the files that current, or the last failure, came from
}

// stamp tells two states of a file apart.
type stamp struct {
	size    int64
	changed time.Time
	file    os.FileInfo
}

// LoadCertificate reads a certificate with its chain, and its key; keyFile ""
// means that the key is in certFile too. minVersion is one of crypto/tls.
func LoadCertificate(certFile, keyFile string, minVersion uint16, logger *slog.Logger) (*Certificate, error) {
	if keyFile == "" {
		keyFile = certFile
	}
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	c := &Certificate{certFile: certFile, keyFile: keyFile, minVersion: max(minVersion, tls.VersionTLS12), logger: logger}
	c.seen = c.stamps()
	var err error
	if c.current, err = c.read(); err != nil {
		return nil, err
	}
	c.config = c.serverConfig()
	return c, nil
}

// serverConfig is one value for all handshakes, since it holds the keys of session
// tickets.
func (c *Certificate) serverConfig() *tls.Config {
	return &tls.Config{
		MinVersion:     c.minVersion,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.fresh(), nil },
	}
}

func (c *Certificate) read() (*tls.Certificate, error) {
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return nil, fmt.Errorf("reading certificate %s with key %s: %w", c.certFile, c.keyFile, err)
	}
	return &pair, nil
}

func (c *Certificate) stamps() (out [2]stamp) {
	for i, name := range []string{c.certFile, c.keyFile} {
		if info, err := os.Stat(name); err == nil {
			out[i] = stamp{info.Size(), info.ModTime(), info}
		}
	}
	return out
}

func (a stamp) same(b stamp) bool {
	if a.file == nil || b.file == nil {
		return a.file == b.file
	}
	return a.size == b.size && a.changed.Equal(b.changed) && os.SameFile(a.file, b.file)
}

// fresh is the certificate as the files have it now.
func (c *Certificate) fresh() *tls.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.certFile == "" { // GivenCertificate
		return c.current
	}
	now := c.stamps()
	if now[0].same(c.seen[0]) && now[1].same(c.seen[1]) {
		return c.current
	}
	c.seen = now
	renewed, err := c.read()
	if err != nil {
		c.logger.Error("the renewed certificate cannot be used; the old one stays", "err", err)
		return c.current
	}
	c.logger.Info("certificate read again", "file", c.certFile)
	c.current = renewed
	return renewed
}

// handshake makes a connection a TLS one. It runs in a goroutine of its own, so
// that the stack it needed goes with it.
func (c *Certificate) handshake(ctx context.Context, conn net.Conn, limit time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	secured := tls.Server(conn, c.config)
	result := make(chan error)
	go func() { result <- secured.HandshakeContext(ctx) }()
	if err := <-result; err != nil {
		return nil, fmt.Errorf("TLS handshake: %w", err)
	}
	return secured, nil
}
