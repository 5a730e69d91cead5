package certificate

import (
	"crypto/tls"
	"fmt"
)

// Given returns a store for a process that can open no file: somebody else reads the
// certificates, looks whether they were renewed, and gives them. Of f, the files are not
// used; clients are asked for nothing. Handshakes fail until there is a main certificate.
func Given(f Files) *Store {
	s := newStore(f)
	s.given, s.main = true, &pair{}
	return s
}

// Give takes a certificate and its key as PEM text, for a host name or an address, or as
// the main one for the name "". With an error the one that there is stays in use.
func (s *Store) Give(name string, cert, key []byte) error {
	read, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return fmt.Errorf("reading a certificate and its key: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.main
	if name != "" {
		p = &pair{}
		s.named[name] = p
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.current = &read
	return nil
}

// Withdraw forgets the certificate for a name.
func (s *Store) Withdraw(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.named, name)
}
