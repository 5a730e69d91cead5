package imapdrc

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"postrider/cmd/courierlogger"
)

// DefaultDir is where Debian keeps Courier's files.
const DefaultDir = "/etc/courier"

// IsAction reports whether a word is what these scripts are told to do.
func IsAction(word string) bool { return slices.Contains([]string{"start", "stop", "restart"}, word) }

// Plain is imapd.rc: the listener without TLS from the first octet.
func Plain(name string, args []string) int { return plain().main(name, args) }

// TLS is imapd-ssl.rc.
func TLS(name string, args []string) int { return secured().main(name, args) }

func (l listener) main(name string, args []string) int {
	dir, rest, err := Directory(args)
	if err == nil && (len(rest) != 1 || !IsAction(rest[0])) {
		fmt.Fprintf(os.Stderr, "Usage: %s [--courier DIR] start|stop|restart\n", filepath.Base(name))
		return 1
	}
	var s *settings
	var bin string
	if err == nil {
		bin, err = links(name)
	}
	if err == nil {
		s, err = l.read(dir, bin)
	}
	if err == nil && rest[0] != "start" {
		return courierlogger.Main("courierlogger", []string{"-pid=" + s.pid(), "-" + rest[0]})
	}
	if err == nil {
		err = s.start()
	}
	fmt.Fprintf(os.Stderr, "%s: %v\n", filepath.Base(name), err)
	return 1
}

// Directory takes --courier DIR off the arguments.
func Directory(args []string) (dir string, rest []string, err error) {
	dir = DefaultDir
	for i := 0; i < len(args); i++ {
		value, joined := strings.CutPrefix(args[i], "--courier=")
		switch {
		case joined:
			dir = value
		case args[i] == "--courier":
			if i++; i == len(args) {
				return "", nil, errors.New("--courier needs a directory")
			}
			dir = args[i]
		default:
			rest = append(rest, args[i])
		}
	}
	return dir, rest, nil
}

// links is the directory with the links by Courier's names: where we were called from, or
// where the program itself is.
func links(name string) (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	called, err := exec.LookPath(name)
	if err != nil {
		called = self
	}
	for _, path := range []string{called, self} {
		dir, err := filepath.Abs(filepath.Dir(path))
		if err != nil {
			return "", err
		}
		if _, err := os.Stat(filepath.Join(dir, "couriertcpd")); err == nil {
			return dir, nil
		}
	}
	return "", fmt.Errorf("beside %s there are no links couriertcpd, courierlogger, imaplogin, imapd to it", self)
}

// start becomes courierlogger, which does the rest. It returns if it cannot.
func (s *settings) start() error {
	mask, err := s.umask()
	if err != nil {
		return err
	}
	words, err := s.command()
	if err != nil {
		return err
	}
	syscall.Umask(mask)
	if err := os.MkdirAll(filepath.Dir(s.pid()), 0o755); err != nil {
		return err
	}
	return fmt.Errorf("%s: %w", words[0], syscall.Exec(words[0], words, s.environment()))
}
