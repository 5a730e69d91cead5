package config

import (
	"io/fs"
	"time"
)

// Config is every setting as the packages want it.
type Config struct {
	Listen    []string // host:port of the plain listeners
	ListenTLS []string // host:port of the listeners with TLS from the first byte

	MaxConnections int // in all; 0 is no limit
	MaxPerAddress  int // from one address; 0 is no limit

	CertFile, KeyFile string // PEM; no certificate, no TLS. KeyFile empty: the key is in CertFile
	MinTLS            uint16 // crypto/tls version
	StartTLS          bool   // offered on the plain listeners
	RequireTLS        bool   // no password without TLS

	Modules []string // where accounts come from, in the order in which they are asked
	Userdb  string   // path of the userdb, file or directory
	Maildir string   // where an account does not say, below its home
	User    string   // system user to become after binding; empty: stay

	CourierNames bool   // folders are INBOX.Sent with ".", else Sent with "/"
	Encoding     string // of folder names on disk: auto, utf8, utf7
	HideWords    []string
	OnlyWords    []string // nil: all that is built in
	CheckOwner   bool
	Umask        fs.FileMode
	Fsync        bool
	CourierUIDDB string // how Courier's files are kept: follow, live, off
	UseLocks     bool   // Courier's lock is taken
	AppendLimit  int64  // bytes of one message
	EnhancedIdle bool   // changes are told by notification
	PollInterval time.Duration

	LoginTimeout time.Duration // from connect to login
	IdleTimeout  time.Duration // between two commands
	DrainTimeout time.Duration // for sessions to end on SIGTERM
	LockTimeout  time.Duration // for other processes to let go of a mailbox

	Metrics string // where figures are told: host:port, or unix: and a path; empty: nowhere

	LogFormat string // text or json
	LogLevel  string // debug, info, warn, error
}

// Value is one setting as it came out.
type Value struct {
	*Setting
	Text   string
	Source string // "default", "environment", or file:line
	Note   string // why a value in Courier's files does not count; mostly ""
}

// Loaded is what Load found.
type Loaded struct {
	Config Config
	Values []Value   // one for each row of Settings, in that order
	Notes  []Mistake // settings that are accepted and do nothing
}
