package acme

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"
)

// Options say for what, from whom, and where to.
type Options struct {
	Names     []string // of hosts, a certificate for each
	Email     string   // for the authority, to warn; may be empty
	Directory string   // the authority's address; "" is Let's Encrypt
	CACert    string   // PEM file of the authorities that vouch for it; "": the system's
	Dir       string   // where the account and all certificates are kept
	File      string   // the first name's certificate with its key; the others' are File.NAME
	Listener  net.Listener
	Logger    *slog.Logger
}

// Keeper keeps the files current.
type Keeper struct {
	o      Options
	config *certmagic.Config
	issuer *certmagic.ACMEIssuer
	cache  *certmagic.Cache
	server *http.Server

	mu      sync.Mutex
	written map[string]bool
	changed chan struct{} // closed and made anew with each file
}

// Start answers challenges on the listener and begins to get what is missing. It takes
// the terms of the authority's service for accepted.
func Start(ctx context.Context, o Options) (*Keeper, error) {
	if len(o.Names) == 0 || o.Dir == "" || o.File == "" {
		return nil, errors.New("names, a directory and a file are needed")
	}
	k := &Keeper{o: o, written: make(map[string]bool), changed: make(chan struct{})}
	port, err := listenPort(o.Listener)
	if err != nil {
		return nil, err
	}
	quiet := zap.NewNop() // what matters comes as an event
	k.cache = certmagic.NewCache(certmagic.CacheOptions{Logger: quiet, GetConfigForCert: func(certmagic.Certificate) (*certmagic.Config, error) { return k.config, nil }})
	k.config = certmagic.New(k.cache, certmagic.Config{Storage: &certmagic.FileStorage{Path: o.Dir}, Logger: quiet, OnEvent: k.event})
	template := certmagic.ACMEIssuer{CA: o.Directory, Email: o.Email, Agreed: true, DisableTLSALPNChallenge: true, AltHTTPPort: port, Logger: quiet}
	if template.CA == "" {
		template.CA = certmagic.LetsEncryptProductionCA
	}
	if template.TrustedRoots, err = roots(o.CACert); err != nil {
		return nil, err
	}
	k.issuer = certmagic.NewACMEIssuer(k.config, template)
	k.config.Issuers = []certmagic.Issuer{k.issuer}
	k.server = &http.Server{Handler: k.issuer.HTTPChallengeHandler(http.NotFoundHandler()), ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second, MaxHeaderBytes: 16 << 10}
	go k.server.Serve(o.Listener)
	if err := k.config.ManageAsync(ctx, o.Names); err != nil {
		k.Close()
		return nil, fmt.Errorf("certificates by ACME: %w", err)
	}
	return k, nil
}

func listenPort(l net.Listener) (int, error) {
	address, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		return 0, fmt.Errorf("challenges are answered on a TCP port, not on %v", l.Addr())
	}
	return address.Port, nil
}

func roots(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("authorities of the ACME server: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("authorities of the ACME server: %s has no certificate", file)
	}
	return pool, nil
}

// Close ends the renewals and the listener. The files stay.
func (k *Keeper) Close() {
	k.cache.Stop()
	k.server.Close()
}

// Wait waits until every name has its file.
func (k *Keeper) Wait(ctx context.Context) error {
	for {
		k.mu.Lock()
		done := !slices.ContainsFunc(k.o.Names, func(name string) bool { return !k.written[name] })
		changed := k.changed
		k.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// event is what the library tells.
func (k *Keeper) event(ctx context.Context, event string, data map[string]any) error {
	switch event {
	case "cert_obtained":
		name, _ := data["identifier"].(string)
		k.o.Logger.Info("certificate obtained", "name", name, "renewal", data["renewal"])
		return k.write(ctx, name)
	case "cached_managed_cert": // there from an earlier run
		names, _ := data["sans"].([]string)
		for _, name := range names {
			if slices.Contains(k.o.Names, name) {
				if err := k.write(ctx, name); err != nil {
					return err
				}
			}
		}
	case "cert_failed":
		k.o.Logger.Error("no certificate: it is tried again", "name", data["identifier"], "renewal", data["renewal"], "err", data["error"])
	}
	return nil
}

// write puts a name's certificate where it is read.
func (k *Keeper) write(ctx context.Context, name string) error {
	issuer := k.issuer.IssuerKey()
	cert, err := k.config.Storage.Load(ctx, certmagic.StorageKeys.SiteCert(issuer, name))
	if err != nil {
		return k.failed(name, err)
	}
	key, err := k.config.Storage.Load(ctx, certmagic.StorageKeys.SitePrivateKey(issuer, name))
	if err != nil {
		return k.failed(name, err)
	}
	files := []string{k.o.File + "." + name}
	if name == k.o.Names[0] {
		files = append(files, k.o.File)
	}
	for _, file := range files {
		if err := replace(file, append(slices.Clone(key), cert...)); err != nil {
			return k.failed(name, err)
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.written[name] = true
	close(k.changed)
	k.changed = make(chan struct{})
	return nil
}

func (k *Keeper) failed(name string, err error) error {
	k.o.Logger.Error("a certificate was not written where it is read", "name", name, "err", err)
	return err
}

// replace writes a file whole, or leaves it as it is.
func replace(file string, text []byte) error {
	if old, err := os.ReadFile(file); err == nil && slices.Equal(old, text) {
		return nil
	}
	// Another process may keep the same files.
	out, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".new-")
	if err != nil {
		return err
	}
	_, err = out.Write(text)
	if err = errors.Join(err, out.Sync(), out.Close()); err == nil {
		err = os.Rename(out.Name(), file)
	}
	if err != nil {
		os.Remove(out.Name())
	}
	return err
}
