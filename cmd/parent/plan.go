package parent

import (
	"log/slog"
	"os"
	"syscall"
	"time"
)

// Plan is the settings as the parent needs them: what to start, and what to tell it.
type Plan struct {
	Program string // serves as keeper and as worker, with these first arguments
	Keeper  []string
	Worker  []string
	Env     []string // of all processes

	Front              string // program
	FrontRoot          string // empty directory
	FrontUID, FrontGID int

	// KeeperAs is whom the keeper of the accounts belongs to; nil: root.
	KeeperAs *syscall.Credential

	// What each is told, in a form that the parent does not know.
	FrontSettings, KeeperSettings, WorkerSettings []byte

	CertFile, KeyFile string        // PEM; no CertFile: no TLS
	Linger            time.Duration // of a worker without sessions
	DrainTimeout      time.Duration

	Log     *os.File // gets the lines of all processes
	Journal bool     // it is systemd's journal
	Logger  *slog.Logger
}

// Listener is a listening socket.
type Listener struct {
	File *os.File
	TLS  bool // from the first byte
}
