package authdaemond

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"postrider/config"
)

// place is where a socket lies and to whom.
type place struct {
	path     string
	mode     fs.FileMode
	uid, gid int // -1: as they are
}

// door is a socket that is listened on.
type door struct {
	*net.UnixListener
	path string
	file fs.FileInfo // what was put at path
	once sync.Once
}

// open makes the socket and puts it in its place, over one that was left there. The
// umask of the process is changed meanwhile: nothing else may make files then.
func (p place) open() (*door, error) {
	if info, err := os.Lstat(p.path); err == nil && info.Mode()&fs.ModeSocket == 0 {
		return nil, fmt.Errorf("%s is there and no socket", p.path)
	}
	part := p.path + ".tmp"
	if err := os.Remove(part); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	before := syscall.Umask(0o177)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: part, Net: "unix"})
	syscall.Umask(before)
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false) // it has another name by then
	d := &door{UnixListener: l, path: p.path}
	err = os.Chown(part, p.uid, p.gid)
	if err == nil {
		err = os.Chmod(part, p.mode)
	}
	if err == nil {
		d.file, err = os.Lstat(part)
	}
	if err == nil {
		err = os.Rename(part, p.path)
	}
	if err != nil {
		l.Close()
		_ = os.Remove(part)
		return nil, fmt.Errorf("socket %s: %w", p.path, err)
	}
	return d, nil
}

// Close stops listening and takes the socket away, if it is still ours: a process that
// replaces this one may have put its own there.
func (d *door) Close() error {
	var err error
	d.once.Do(func() {
		if info, e := os.Lstat(d.path); e == nil && os.SameFile(info, d.file) {
			_ = os.Remove(d.path) // who gave up root cannot; the next start replaces it
		}
		err = d.UnixListener.Close()
	})
	return err
}

// Sockets are those of the settings, open, before anybody answers.
type Sockets struct {
	authdaemon *door
	dovecot    []*door
}

// Listen opens the sockets, as whoever may do so: root, mostly, before it gives that up.
func Listen(c *config.Config, authdaemon, dovecot bool, logger *slog.Logger) (*Sockets, error) {
	s := new(Sockets)
	if authdaemon {
		if err := makeDir(c.AuthdaemonDir, logger); err != nil {
			return nil, err
		}
		d, err := place{filepath.Join(c.AuthdaemonDir, "socket"), 0o777, -1, -1}.open()
		if err != nil {
			return nil, err
		}
		s.authdaemon = d
	}
	if !dovecot {
		return s, nil
	}
	uid, gid, err := owner(c.DovecotOwner)
	for _, path := range c.DovecotSockets {
		var d *door
		if err == nil {
			d, err = place{path, c.DovecotMode, uid, gid}.open()
		}
		if err != nil {
			s.Close()
			return nil, err
		}
		s.dovecot = append(s.dovecot, d)
	}
	return s, nil
}

// makeDir makes the folder of authdaemond's socket, closed to others: whoever can reach
// the socket may look every account up.
func makeDir(dir string, logger *slog.Logger) error {
	info, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		logger.Info("making the folder of authdaemond's socket", "path", dir)
		if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
			return err
		}
		return os.Mkdir(dir, 0o750)
	}
	if err == nil && info.Mode().Perm()&0o007 != 0 {
		logger.Warn("everybody on this machine can look up accounts and their stored passwords: chmod o= is missing", "path", dir)
	}
	return err
}

// Close stops listening on all of them.
func (s *Sockets) Close() {
	if s.authdaemon != nil {
		s.authdaemon.Close()
	}
	for _, d := range s.dovecot {
		d.Close()
	}
}

// Paths are where the sockets lie.
func (s *Sockets) Paths() []string {
	var paths []string
	if s.authdaemon != nil {
		paths = append(paths, s.authdaemon.path)
	}
	for _, d := range s.dovecot {
		paths = append(paths, d.path)
	}
	return paths
}
