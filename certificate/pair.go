package certificate

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// maxFile bounds a PEM file; a bundle of all the world's authorities has 300 KiB.
const maxFile = 8 << 20

// pair is a certificate and its key, in files that may be renewed at any time: each
// handshake looks whether they changed. A renewal that cannot be read (half written, or a
// key that does not match yet) leaves the old one in use.
type pair struct {
	certFile, keyFile string
	logger            *slog.Logger

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

func openPair(certFile, keyFile string, logger *slog.Logger) (*pair, error) {
	p := &pair{certFile: certFile, keyFile: keyFile, logger: logger}
	p.seen = p.stamps()
	var err error
	p.current, err = p.read()
	return p, err
}

// Read is the certificate in a file with its key, which is in the same file where keyFile
// is empty, as handshakes would have it.
func Read(certFile, keyFile string) (*tls.Certificate, error) {
	return (&pair{certFile: certFile, keyFile: cmp.Or(keyFile, certFile)}).read()
}

// read takes the blocks in any order, with text and parameters of other kinds between.
func (p *pair) read() (*tls.Certificate, error) {
	cert, err := readBounded(p.certFile)
	key := cert
	if err == nil && p.keyFile != p.certFile {
		key, err = readBounded(p.keyFile)
	}
	var read tls.Certificate
	if err == nil {
		read, err = tls.X509KeyPair(cert, key)
	}
	if err != nil {
		return nil, fmt.Errorf("reading certificate %s with key %s: %w", p.certFile, p.keyFile, err)
	}
	return &read, nil
}

func (p *pair) stamps() (out [2]stamp) {
	for i, name := range []string{p.certFile, p.keyFile} {
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

// gone reports that the certificate's file was removed.
func (p *pair) gone() bool {
	if p.certFile == "" { // Given
		return false
	}
	_, err := os.Stat(p.certFile)
	return errors.Is(err, fs.ErrNotExist)
}

// fresh is the certificate as the files have it now.
func (p *pair) fresh() *tls.Certificate {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.certFile == "" { // Given
		return p.current
	}
	now := p.stamps()
	if now[0].same(p.seen[0]) && now[1].same(p.seen[1]) {
		return p.current
	}
	p.seen = now
	renewed, err := p.read()
	if err != nil {
		p.logger.Error("the renewed certificate cannot be used; the old one stays", "err", err)
		return p.current
	}
	p.logger.Info("certificate read again", "file", p.certFile)
	p.current = renewed
	return renewed
}

func readBounded(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = fmt.Errorf("%s: more than %d bytes", name, maxFile)
	}
	return text, err
}

// trustFiles is a file, or all files of a directory.
func trustFiles(name string) ([]string, error) {
	info, err := os.Stat(name)
	if err != nil || !info.IsDir() {
		return []string{name}, err
	}
	entries, err := os.ReadDir(name)
	if err != nil {
		return nil, err
	}
	var files []string
	for _, e := range entries {
		file := filepath.Join(name, e.Name())
		if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() {
			files = append(files, file)
		}
	}
	return files, nil
}
