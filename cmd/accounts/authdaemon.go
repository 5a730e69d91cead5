package accounts

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"postrider/auth"
	"postrider/auth/authdaemon"
	"postrider/config"
)

// AuthdaemonSocket is where authdaemond listens.
func AuthdaemonSocket(c *config.Config) string { return filepath.Join(c.AuthdaemonDir, "socket") }

// openAuthdaemon asks a daemon that runs, or will.
func openAuthdaemon(s source) (auth.Backend, error) {
	socket := AuthdaemonSocket(s.config)
	s.logger.Info("accounts are those of authdaemond", "socket", socket)
	return authdaemon.NewBackend(authdaemon.Options{
		Socket: socket, ConnectTime: s.config.TimeoutConnect, WriteTime: s.config.TimeoutWrite, ReadTime: s.config.TimeoutRead,
	}), nil
}

// missing is the first module of authmodulelist that is not there, "" if all are.
func missing(c *config.Config) string {
	names := Names()
	i := slices.IndexFunc(c.Modules, func(name string) bool { return !slices.Contains(names, name) })
	if i < 0 {
		return ""
	}
	return c.Modules[i]
}

// DaemonRuns tells whether a daemon has left a socket.
func DaemonRuns(c *config.Config) bool {
	info, err := os.Stat(AuthdaemonSocket(c))
	return err == nil && info.Mode()&fs.ModeSocket != 0
}
