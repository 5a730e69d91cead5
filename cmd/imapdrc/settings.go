package imapdrc

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"

	"postrider/config"
)

// listener is one of the two scripts: which variables say what, and their defaults.
type listener struct {
	address, port, defaultPort         string
	pidFile, defaultPidFile            string
	loggerOptions, defaultLoggerOption string
	tls                                bool
}

func plain() listener {
	return listener{"ADDRESS", "PORT", "143", "PIDFILE", "/run/courier/imapd.pid", "LOGGEROPTS", "-name=imapd", false}
}

func secured() listener {
	return listener{"SSLADDRESS", "SSLPORT", "993", "SSLPIDFILE", "/run/courier/imapd-ssl.pid", "SSLLOGGEROPTS", "-name=imapd-ssl", true}
}

// settings is what the files say, and where our programs are.
type settings struct {
	listener
	variables map[string]string
	bin       string
}

// read reads Courier's two files, in the order of Debian's scripts.
func (l listener) read(dir, bin string) (*settings, error) {
	v, err := config.ScriptVariables(filepath.Join(dir, "imapd"), filepath.Join(dir, "imapd-ssl"))
	if err != nil {
		return nil, err
	}
	return &settings{listener: l, variables: v, bin: bin}, nil
}

func (s *settings) get(name, otherwise string) string { return cmp.Or(s.variables[name], otherwise) }

func (s *settings) pid() string { return s.get(s.pidFile, s.defaultPidFile) }

// program is one of ours by its name.
func (s *settings) program(name string) (string, error) {
	path := filepath.Join(s.bin, name)
	info, err := os.Stat(path)
	if err == nil && (info.IsDir() || info.Mode()&0o111 == 0) {
		err = errors.New("not executable")
	}
	if err != nil {
		return "", fmt.Errorf("%s, a link to postrider, is needed: %w", path, err)
	}
	return path, nil
}

// environment is what the programs find: the files' variables, and nothing of the
// caller's.
func (s *settings) environment() []string {
	set := map[string]string{"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
	for name, value := range s.variables {
		set[name] = value
	}
	set["COURIERTLS"] = filepath.Join(s.bin, "couriertls") // Courier's may not be there any more
	if s.tls {
		set["IMAP_TLS"] = "1"
	} else {
		set["IMAP_STARTTLS"] = s.variables["IMAPDSTARTTLS"]
		if p := s.variables["TLS_STARTTLS_PROTOCOL"]; p != "" {
			set["TLS_PROTOCOL"] = p
		}
	}
	var env []string
	for name, value := range set {
		env = append(env, name+"="+value)
	}
	return env
}

// command is the whole chain: courierlogger, couriertcpd, perhaps couriertls, imaplogin,
// imapd.
func (s *settings) command() (words []string, err error) {
	program := func(name string) (path string) {
		if err == nil {
			path, err = s.program(name)
		}
		return path
	}
	words = append(words, program("courierlogger"), "-pid="+s.pid(), "-start")
	words = append(words, strings.Fields(s.get(s.loggerOptions, s.defaultLoggerOption))...)
	words = append(words, program("couriertcpd"), "-address="+s.get(s.address, "0"),
		"-maxprocs="+s.get("MAXDAEMONS", "40"), "-maxperip="+s.get("MAXPERIP", "4"))
	access, accessErr := s.access()
	if accessErr != nil {
		return nil, accessErr
	}
	words = append(words, access...)
	words = append(words, strings.Fields(s.get("TCPDOPTS", "-nodnslookup -noidentlookup"))...)
	words = append(words, s.get(s.port, s.defaultPort))
	if s.tls {
		words = append(words, program("couriertls"), "-server", "-tcpd")
		if u := MailUser(s.variables); u != "" && os.Geteuid() == 0 {
			words = append(words, "-user="+u)
		}
	}
	return append(words, program("imaplogin"), program("imapd"), s.get("MAILDIRPATH", "Maildir")), err
}

// access is the option for the access file, which is read as its administrator wrote it.
func (s *settings) access() ([]string, error) {
	file := s.variables["IMAPACCESSFILE"]
	if file == "" {
		return nil, nil
	}
	if _, err := os.Stat(file); err == nil {
		return []string{"-access=" + file}, nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if _, err := os.Stat(file + ".dat"); err == nil {
		return nil, fmt.Errorf("IMAPACCESSFILE: %s.dat is there, a compiled database, but not %s, the text it was made from, which is read here", file, file)
	}
	return nil, fmt.Errorf("IMAPACCESSFILE: %s is not there; make it (\"*\", a tab, \"allow\" lets everybody in), or take the setting out", file)
}

func (s *settings) umask() (int, error) {
	n, err := strconv.ParseUint(s.get("IMAP_UMASK", "022"), 8, 12)
	if err != nil || n > 0o777 {
		return 0, fmt.Errorf("IMAP_UMASK: %q is no octal number", s.variables["IMAP_UMASK"])
	}
	return int(n), nil
}

// MailUser is whose Courier's certificates are, and who speaks TLS: MAILUSER where it is
// set, else the first of Courier's own users that there is.
func MailUser(variables map[string]string) string {
	if u := variables["MAILUSER"]; u != "" {
		return u
	}
	for _, name := range []string{"courier", "daemon"} {
		if _, err := user.Lookup(name); err == nil {
			return name
		}
	}
	return ""
}
