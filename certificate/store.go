package certificate

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
)

// Files says where certificates are and what is asked of clients. Nothing in it is changed.
type Files struct {
	// Cert is a PEM file with the certificate, its chain, and the key unless Key names
	// another file. Beside it there may be, for one host name or one address of ours,
	// Cert.NAME and Cert.ADDRESS (with Key.NAME and Key.ADDRESS).
	Cert, Key string

	MinVersion uint16   // of crypto/tls; TLS 1.2 at least
	Protocols  []string // that are agreed to by ALPN; nil: none are spoken of

	Verify Verify
	Trust  string // PEM file, or directory of them, of who signs clients' certificates

	Logger *slog.Logger
}

// Verify is what is asked of clients.
type Verify int

// The words of TLS_VERIFYPEER.
const (
	VerifyNone Verify = iota
	VerifyPeer        // a certificate is not needed; one that is shown must be right
	VerifyRequired
)

// Store is the certificates of one server.
type Store struct {
	files  Files
	main   *pair
	config *tls.Config
	given  bool // there are no files

	mu    sync.Mutex
	named map[string]*pair // by what stands behind the dot; only of files that are there
}

// Open reads the certificate and whom to trust.
func Open(f Files) (*Store, error) {
	s := newStore(f)
	var err error
	if s.main, err = s.open(""); err != nil {
		return nil, err
	}
	if f.Verify != VerifyNone {
		if err := s.trust(); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// newStore is a store without certificates.
func newStore(f Files) *Store {
	if f.Logger == nil {
		f.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Store{files: f, named: make(map[string]*pair)}
	// One value for all handshakes, since it holds the keys of session tickets.
	s.config = &tls.Config{MinVersion: max(f.MinVersion, tls.VersionTLS12), NextProtos: f.Protocols,
		GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
			chosen := s.choose(h, localOf(h.Conn))
			if told, ok := h.Conn.(interface{ Chosen(*tls.Certificate) }); ok {
				told.Chosen(chosen)
			}
			return chosen, nil
		}}
	return s
}

func (s *Store) trust() error {
	if s.files.Trust == "" {
		return errors.New("TLS_VERIFYPEER asks clients for certificates, but TLS_TRUSTCERTS names nobody who signs them")
	}
	pool, err := readTrust(s.files.Trust)
	if err != nil {
		return err
	}
	s.config.ClientCAs, s.config.ClientAuth = pool, tls.VerifyClientCertIfGiven
	if s.files.Verify == VerifyRequired {
		s.config.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return nil
}

// Config is how handshakes are done. It is not to be changed.
func (s *Store) Config() *tls.Config { return s.config }

// ConfigAt is Config for a connection that came to an address which its socket does not
// tell, such as one before a proxy.
func (s *Store) ConfigAt(local netip.Addr) *tls.Config {
	c := s.config.Clone()
	c.GetCertificate = func(h *tls.ClientHelloInfo) (*tls.Certificate, error) { return s.choose(h, local), nil }
	return c
}

// choose is the certificate for the name that a client asks for, else for the address
// that it came to, else the main one.
func (s *Store) choose(h *tls.ClientHelloInfo, local netip.Addr) *tls.Certificate {
	if name := strings.ToLower(h.ServerName); isHostName(name) {
		if c := s.byName(name); c != nil {
			return c
		}
	}
	if local.IsValid() {
		if c := s.byName(local.Unmap().WithZone("").String()); c != nil {
			return c
		}
	}
	return s.main.fresh()
}

// byName is the certificate behind a dot and a name, nil if there is none that can be
// used. What is not there is not remembered: clients choose the names.
func (s *Store) byName(name string) *tls.Certificate {
	s.mu.Lock()
	p := s.named[name]
	s.mu.Unlock()
	if p == nil && s.given {
		return nil
	}
	if p == nil {
		opened, err := s.open("." + name)
		if err != nil {
			if !errors.Is(err, fs.ErrNotExist) {
				s.files.Logger.Error("a certificate cannot be used; the main one is", "name", name, "err", err)
			}
			return nil
		}
		p = opened
		s.mu.Lock()
		s.named[name] = p
		s.mu.Unlock()
	}
	if p.gone() {
		s.mu.Lock()
		delete(s.named, name)
		s.mu.Unlock()
		return nil
	}
	return p.fresh()
}

func (s *Store) open(suffix string) (*pair, error) {
	key := s.files.Key
	if key == "" {
		key = s.files.Cert
	}
	return openPair(s.files.Cert+suffix, key+suffix, s.files.Logger)
}

// isHostName lets names through that can be a part of a file's name and are no path.
// One label alone is none, so that files such as imapd.pem.old are not asked for.
func isHostName(name string) bool {
	if len(name) > 253 || !strings.Contains(name, ".") || strings.HasPrefix(name, ".") || strings.Contains(name, "..") {
		return false
	}
	for _, c := range []byte(name) {
		if c != '-' && c != '.' && c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}

func localOf(c net.Conn) netip.Addr {
	if c == nil {
		return netip.Addr{}
	}
	if tcp, ok := c.LocalAddr().(*net.TCPAddr); ok {
		return tcp.AddrPort().Addr()
	}
	return netip.Addr{}
}

// readTrust reads a PEM file or all of a directory.
func readTrust(name string) (*x509.CertPool, error) {
	files, err := trustFiles(name)
	if err != nil {
		return nil, fmt.Errorf("reading TLS_TRUSTCERTS: %w", err)
	}
	pool := x509.NewCertPool()
	found := false
	for _, file := range files {
		text, err := readBounded(file)
		if err != nil {
			return nil, fmt.Errorf("reading TLS_TRUSTCERTS: %w", err)
		}
		found = pool.AppendCertsFromPEM(text) || found
	}
	if !found {
		return nil, fmt.Errorf("reading TLS_TRUSTCERTS: there is no certificate in %s", name)
	}
	return pool, nil
}
