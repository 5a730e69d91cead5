package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"

	"postrider/cmd/front"
	"postrider/cmd/logs"
	"postrider/cmd/parent"
	"postrider/config"
)

// startSplit serves system accounts: this process stays root and starts the others.
func startSplit(c *config.Config, logger *slog.Logger, doors []door) (generation, error) {
	plan, err := planOf(c, logger)
	if err != nil {
		return nil, err
	}
	var open []parent.Listener
	for _, d := range doors {
		open = append(open, parent.Listener{File: d.file, TLS: d.tls})
	}
	return parent.Start(plan, open)
}

// planOf says what processes the settings ask for.
func planOf(c *config.Config, logger *slog.Logger) (parent.Plan, error) {
	if err := forOneProcess(c); err != nil {
		return parent.Plan{}, err
	}
	p := parent.Plan{
		// The file that this process runs, also after another was put in its place.
		Program: "/proc/self/exe",
		Keeper:  []string{"postrider", "process", "keeper"},
		Worker:  []string{"postrider", "process", "worker"},
		Env:     childEnvironment(),

		FrontRoot: c.FrontDir,
		CertFile:  c.CertFile, KeyFile: c.KeyFile,
		Linger: c.WorkerLinger, DrainTimeout: c.DrainTimeout,
		Log: os.Stderr, Journal: logs.IsJournal(os.Stderr), Logger: logger,
	}
	var err error
	if p.Front, err = frontProgram(); err != nil {
		return p, err
	}
	if p.FrontUID, p.FrontGID, err = identify("FRONT_USER", c.FrontUser); err != nil {
		return p, err
	}
	if p.FrontUID == 0 || p.FrontGID == 0 {
		return p, errors.New("FRONT_USER must not be root")
	}
	if c.AuthUser != "" {
		uid, gid, err := identify("AUTH_USER", c.AuthUser)
		if err != nil {
			return p, err
		}
		p.KeeperAs = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	}
	if err := makeFrontDir(c.FrontDir); err != nil {
		return p, err
	}
	session := sessionConfig(c, "", logger)
	p.FrontSettings, err = json.Marshal(front.Settings{
		TLS: c.CertFile != "", MinTLS: c.MinTLS, Protocols: c.ALPN, Bindings: c.ChannelBinding, StartTLS: c.StartTLS, RequireTLS: c.RequireTLS,
		MaxConnections: c.MaxConnections, MaxPerAddress: c.MaxPerAddress, MaxPerNetwork: c.MaxPerNetwork,
		LoginTimeout: c.LoginTimeout, DrainTimeout: c.DrainTimeout,
		Capabilities: session.Capabilities(),
		LogFormat:    c.LogFormat, LogLevel: c.LogLevel,
	})
	if err != nil {
		return p, err
	}
	if p.KeeperSettings, err = json.Marshal(c); err != nil {
		return p, err
	}
	p.WorkerSettings, err = json.Marshal(c.OfSessions())
	return p, err
}

// forOneProcess refuses what only one process can do: what is asked for and would not be
// done must not be passed over.
func forOneProcess(c *config.Config) error {
	switch {
	case c.VerifyPeer == "PEER", c.VerifyPeer == "REQUIREPEER":
		return errors.New("TLS_VERIFYPEER asks for certificates of clients, which the front of PROCESS_MODEL=split cannot judge")
	case len(c.ACME.Names) > 0:
		return errors.New("ACME_NAMES: with PROCESS_MODEL=split certificates are got by another program: root would have to listen to strangers")
	}
	return nil
}

// childEnvironment is what of the environment the other processes get: nothing that
// says who started the server or with which settings.
func childEnvironment() []string {
	var env []string
	for _, name := range []string{"PATH", "TZ"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// frontProgram is the program postrider-front, which lies beside this one.
func frontProgram() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	name := filepath.Join(filepath.Dir(self), "postrider-front")
	if _, err := os.Stat(name); err != nil {
		return "", fmt.Errorf("PROCESS_MODEL=split needs the program postrider-front beside this one: %w", err)
	}
	return name, nil
}

// makeFrontDir makes the directory that the front is locked into, and looks whether it
// is one that only root can put something into.
func makeFrontDir(dir string) error {
	if !filepath.IsAbs(dir) || filepath.Clean(dir) == "/" {
		return fmt.Errorf("FRONT_DIR: %q is no directory for this", dir)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("FRONT_DIR: %w", err)
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return fmt.Errorf("FRONT_DIR: %w", err)
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.IsDir() || st.Uid != 0 || info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("FRONT_DIR: %s must be a directory of root that nobody else can write to", dir)
	}
	names, err := os.ReadDir(dir)
	if err == nil && len(names) > 0 {
		err = fmt.Errorf("FRONT_DIR: %s must be empty", dir)
	}
	return err
}
