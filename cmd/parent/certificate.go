package parent

import (
	"cmp"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"postrider/cmd/messages"
)

const (
	// renewInterval is how often is looked whether a certificate was renewed.
	renewInterval = 5 * time.Second
	// maxCertificates bounds those for a name or an address.
	maxCertificates = 10_000
)

// pem are the files of a certificate and its key.
type pem [2]string

// certificates are the files that there are: for the name "" the main ones, and beside
// them those for names and addresses (package certificate, Files).
func (p *Plan) certificates() (map[string]pem, error) {
	key := cmp.Or(p.KeyFile, p.CertFile)
	all := map[string]pem{"": {p.CertFile, key}}
	entries, err := os.ReadDir(filepath.Dir(p.CertFile))
	if err != nil {
		return nil, fmt.Errorf("the certificates: %w", err)
	}
	for _, e := range entries {
		name, ok := strings.CutPrefix(e.Name(), filepath.Base(p.CertFile)+".")
		if _, err := netip.ParseAddr(name); !ok || err != nil && !strings.Contains(name, ".") || len(all) > maxCertificates {
			continue
		}
		all[strings.ToLower(name)] = pem{p.CertFile + "." + name, key + "." + name}
	}
	return all, nil
}

// send gives the front the open files of a certificate.
func (p pem) send(front *child, name string) error {
	var files [2]*os.File
	for i, path := range p {
		f, err := os.Open(path)
		if err != nil {
			return fmt.Errorf("a certificate: %w", err)
		}
		defer f.Close()
		files[i] = f
	}
	return front.send(messages.CertificateFor(name), files[:]...)
}

// stamps tell two states of the files apart.
func (p pem) stamps() (all [2]os.FileInfo) {
	for i, path := range p {
		if info, err := os.Stat(path); err == nil {
			all[i] = info
		}
	}
	return all
}

func same(a, b [2]os.FileInfo) bool {
	for i := range a {
		if a[i] == nil || b[i] == nil {
			if a[i] != b[i] {
				return false
			}
			continue
		}
		if !os.SameFile(a[i], b[i]) || a[i].Size() != b[i].Size() || !a[i].ModTime().Equal(b[i].ModTime()) {
			return false
		}
	}
	return true
}

// sendCertificates gives a front that begins all of them. One for a name that cannot be
// opened is left out; the main one is needed.
func (g *Generation) sendCertificates(front *child) error {
	all, err := g.plan.certificates()
	if err != nil {
		return err
	}
	for name, p := range all {
		if err := p.send(front, name); err != nil {
			if name == "" {
				return err
			}
			g.plan.Logger.Error("a certificate cannot be used; the main one is", "name", name, "err", err)
		}
	}
	return nil
}

// renew gives the front what was renewed until the generation is over.
func (g *Generation) renew() {
	if g.plan.CertFile == "" {
		return
	}
	tick := time.NewTicker(renewInterval)
	defer tick.Stop()
	for seen := g.look(nil); ; {
		select {
		case <-tick.C:
		case <-g.over:
			return
		}
		seen = g.look(seen)
	}
}

// look sends what is not as it was seen, and returns what there is. Without anything
// seen it sends nothing.
func (g *Generation) look(seen map[string][2]os.FileInfo) map[string][2]os.FileInfo {
	all, err := g.plan.certificates()
	if err != nil {
		g.plan.Logger.Error("the certificates cannot be looked at", "err", err)
		return seen
	}
	g.mu.Lock()
	front := g.front // if there is none, the next one gets what there is then
	g.mu.Unlock()
	now := make(map[string][2]os.FileInfo, len(all))
	for name, p := range all {
		now[name] = p.stamps()
		if seen == nil || front == nil || same(seen[name], now[name]) {
			continue
		}
		if err := p.send(front, name); err != nil {
			g.plan.Logger.Error("the renewed certificate cannot be read; the old one stays", "name", name, "err", err)
		}
	}
	for name := range seen {
		if _, there := now[name]; !there && front != nil {
			front.tell(messages.CertificateFor(name))
		}
	}
	return now
}
