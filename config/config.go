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
	MaxPerNetwork  int // from one network; 0 is no limit
	MaxPerAccount  int // sessions of one account; 0 is no limit

	AccessFile string   // who may connect, in couriertcpd's form; empty: everybody
	Proxied    bool     // TCPDOPTS has a PROXY protocol spoken, which only couriertcpd can
	TCPDOthers []string // options in TCPDOPTS that couriertcpd alone obeys

	CertFile, KeyFile string   // PEM; no certificate, no TLS. KeyFile empty: the key is in CertFile
	MinTLS            uint16   // crypto/tls version
	ALPN              []string // application protocols; nil: none are spoken of
	VerifyPeer        string   // of clients: NONE, PEER, REQUIREPEER
	TrustCerts        string   // PEM file or directory of who signs clients' certificates
	External          string   // field of a client's certificate that says whose it is
	StartTLS          bool     // offered on the plain listeners
	RequireTLS        bool     // no password without TLS

	Modules         []string // where accounts come from, in the order in which they are asked
	LDAPCACert      string   // PEM file of the authorities that vouch for directories; empty: the system's
	LDAPRequireCert string   // whether a directory's certificate is checked: never, allow, try, demand
	AuthDir         string   // directory of the settings files of modules: authmysqlrc and so on
	Userdb          string   // path of the userdb, file or directory

	AuthdaemonDir  string        // of authdaemond's socket and pid file
	TimeoutConnect time.Duration // to connect to authdaemond
	TimeoutWrite   time.Duration // to send it a request
	TimeoutRead    time.Duration // to have its answer
	DebugLogin     int           // 1 and more: authdaemond tells its steps
	LoggerOptions  []string      // of courierlogger, for authdaemond in the background
	ServeSockets   []string      // which sockets serve opens for other programs
	DovecotSockets []string      // paths
	DovecotMode    fs.FileMode
	DovecotOwner   string // user, or user:group; empty: as who starts it

	PasswdFile, ShadowFile string // of the system's accounts
	PAMHelper              string // program that asks PAM
	AuthpipeProgram        string // program that knows the accounts, in authpipe's way
	AuthProgram            string // the same in our own
	AuthProcesses          int    // of either

	DefaultDomain    string   // with its separator, such as "@example.com"
	DomainSeparators string   // what else a domain may begin with
	DefaultOptions   string   // of accounts, in Courier's form
	Mechanisms       []string // of SASL; empty: those that every account can use
	ChannelBinding   bool     // SCRAM's -PLUS forms
	AuthSecretFile   string   // empty: a new secret
	OAuth            OAuth
	ACME             ACME
	AuthCacheTTL     time.Duration // of passwords that were right; 0: none are kept

	Maildir string // where an account does not say, below its home
	User    string // system user to become after binding; empty: stay

	CourierNames bool   // folders are INBOX.Sent with ".", else Sent with "/"
	Encoding     string // of folder names on disk: auto, utf8, utf7
	HideWords    []string
	OnlyWords    []string // nil: all that is built in
	AuthWords    []string // mechanisms that Courier knew and may be offered; nil: all
	CheckOwner   bool
	MemoryLimit  int64 // bytes that a session's own process keeps below; 0: none
	LoginExec    bool  // a Maildir's own program is run before the session
	Umask        fs.FileMode
	Fsync        bool
	CourierUIDDB string // how Courier's files are kept: follow, live, off
	UseLocks     bool   // Courier's lock is taken
	AppendLimit  int64  // bytes of one message
	EnhancedIdle bool   // changes are told by notification
	PollInterval time.Duration

	TrashFolder    string  // as clients name it, without a prefix
	EmptyTrash     []Purge // what is removed by age
	ExpungeToTrash bool    // expunged messages go to the trash
	LogDeletions   bool
	NoSort         bool   // SORT and THREAD are refused
	Outbox         string // directory of the folder that sends, ".Outbox"; empty: none
	OutboxMultiple bool
	Sendmail       string // program
	SenderHeader   string // what names the sender in what it sends
	Skeleton       string // directory that a new home is copied from; empty: none
	DebugFile      string // name in the Maildir; a session is written to it if it is there

	ProcessModel string        // auto, one or split
	FrontUser    string        // system user of the process that strangers reach
	FrontDir     string        // empty directory that it is locked into
	AuthUser     string        // system user of the process that keeps the accounts; empty: root
	WorkerLinger time.Duration // of a process without sessions

	LoginTimeout time.Duration // from connect to login
	IdleTimeout  time.Duration // between two commands
	DrainTimeout time.Duration // for sessions to end on SIGTERM
	LockTimeout  time.Duration // for other processes to let go of a mailbox

	Metrics string // where figures are told: host:port, or unix: and a path; empty: nowhere

	LogFormat string // text, json or courier
	LogLevel  string // debug, info, warn, error
}

// OAuth says which access tokens count as passwords.
type OAuth struct {
	Issuer           string   // provider of signed tokens; empty: none count
	Audience         []string // a token is for one of them
	Scope            string   // words that a token must have
	Claim            string   // of a token, that is the login
	Introspection    string   // address to ask about other tokens; empty: none count
	ClientID         string   // who asks
	ClientSecretFile string
	CACert           string // PEM file of the authorities that vouch for the provider
}

// ACME says how certificates are got by themselves.
type ACME struct {
	Names     []string // of hosts; empty: they are not
	Email     string
	Directory string // address of the authority; empty: Let's Encrypt
	CACert    string // PEM file of the authorities that vouch for it
	Dir       string // where the account and the certificates are kept
	Address   string // where challenges are answered
}

// Purge says that what has lain in a folder for so many days is removed.
type Purge struct {
	Folder string // as clients name it, without a prefix; empty: the trash
	Days   int
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
