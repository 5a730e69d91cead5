package parent

import (
	"cmp"
	"fmt"
	"os"
	"time"

	"postrider/cmd/messages"
)

// renewInterval is how often is looked whether a certificate was renewed.
const renewInterval = 5 * time.Second

// pem are the two files.
func (p *Plan) pem() [2]string { return [2]string{p.CertFile, cmp.Or(p.KeyFile, p.CertFile)} }

// sendCertificate gives the front the open files of certificate and key.
func (g *Generation) sendCertificate(front *child) error {
	var files [2]*os.File
	for i, name := range g.plan.pem() {
		f, err := os.Open(name)
		if err != nil {
			return fmt.Errorf("the certificate: %w", err)
		}
		defer f.Close()
		files[i] = f
	}
	return front.send([]byte{byte(messages.Certificate)}, files[:]...)
}

// stamps tell two states of the files apart.
func (g *Generation) stamps() (all [2]os.FileInfo) {
	for i, name := range g.plan.pem() {
		if info, err := os.Stat(name); err == nil {
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

// renew gives the front a renewed certificate until the generation is over.
func (g *Generation) renew() {
	if g.plan.CertFile == "" {
		return
	}
	tick := time.NewTicker(renewInterval)
	defer tick.Stop()
	for seen := g.stamps(); ; {
		select {
		case <-tick.C:
		case <-g.over:
			return
		}
		now := g.stamps()
		if same(seen, now) {
			continue
		}
		seen = now
		g.mu.Lock()
		front := g.front
		g.mu.Unlock()
		if front == nil {
			continue // the next one gets the new one
		}
		if err := g.sendCertificate(front); err != nil {
			g.plan.Logger.Error("the renewed certificate cannot be read; the old one stays", "err", err)
		}
	}
}
