package config

// Setting is one row of the table.
type Setting struct {
	Name    string
	Default string
	Courier string // the default where Courier's files are read, if it differs
	Type    string // for people: what can stand there
	Help    string // one line
	apply   func(c *Config, text string) error
}

// DefaultFor is the default that counts: Courier's or our own.
func (s *Setting) DefaultFor(courier bool) string {
	if courier && s.Courier != "" {
		return s.Courier
	}
	return s.Default
}

// Settings returns every setting that is obeyed, in the order in which they are
// printed. The caller owns the slice.
func Settings() []Setting {
	return []Setting{
		{"ADDRESS", "0", "", "address", "where the plain listener listens; 0 is everywhere", nil},
		{"PORT", "143", "", "ports", "its ports, [ADDRESS.]PORT with commas; empty: no such listener", listen(func(c *Config) *[]string { return &c.Listen })},
		{"SSLADDRESS", "0", "", "address", "where the TLS listener listens; 0 is everywhere", nil},
		{"SSLPORT", "993", "", "ports", "its ports; empty: no such listener", listen(func(c *Config) *[]string { return &c.ListenTLS })},
		{"MAXDAEMONS", "10000", "40", "number", "connections in all; 0: no limit", number(0, 1<<24, func(c *Config) *int { return &c.MaxConnections })},
		{"MAXPERIP", "50", "4", "number", "connections from one address; 0: no limit", number(0, 1<<24, func(c *Config) *int { return &c.MaxPerAddress })},

		{"TLS_CERTFILE", "", "", "path", "PEM file with the certificate and its chain; empty: no TLS", text(func(c *Config) *string { return &c.CertFile })},
		{"TLS_PRIVATE_KEYFILE", "", "", "path", "PEM file with the key; empty: it is in TLS_CERTFILE", text(func(c *Config) *string { return &c.KeyFile })},
		{"TLS_PROTOCOL", "TLSv1.2+", "", "TLSv1.2+ or TLSv1.3+", "oldest version that is spoken; Courier's older ones count as TLSv1.2+", tlsVersion},
		{"IMAPDSTARTTLS", "YES", "", "YES or NO", "offer STARTTLS on the plain listener", yes(func(c *Config) *bool { return &c.StartTLS })},
		{"IMAP_TLS_REQUIRED", "0", "", "0 or 1", "refuse passwords on a connection without TLS", flag(func(c *Config) *bool { return &c.RequireTLS })},

		{"authmodulelist", "authuserdb", "", "words", "where accounts come from, asked in this order", names(func(c *Config) *[]string { return &c.Modules })},
		{"USERDB", "/etc/postrider/userdb", "/etc/courier/userdb", "path", "accounts in the form of userdb, file or directory", text(func(c *Config) *string { return &c.Userdb })},
		{"MAILDIRPATH", "Maildir", "", "path", "the Maildir below an account's home, where the account names none", text(func(c *Config) *string { return &c.Maildir })},
		{"RUN_AS", "", "", "user or uid", "become this user after binding the ports; must be set where root starts the server", text(func(c *Config) *string { return &c.User })},

		{"IMAP_NAMESPACE", "plain", "courier", "plain or courier", "how folders are named: Sent with /, or INBOX.Sent with .", namespace},
		{"FOLDER_ENCODING", "auto", "", "auto, utf8 or utf7", "how folder names are written on disk; auto looks at each account", choice(func(c *Config) *string { return &c.Encoding }, "auto", "utf8", "utf7")},
		{"IMAP_CAPABILITY", "*", "", "words", "which of the words that Courier knew to announce; words it never knew stay; * is all", words(func(c *Config) *[]string { return &c.OnlyWords }, "*")},
		{"IMAP_HIDE", "", "", "words", "capabilities not to announce", words(func(c *Config) *[]string { return &c.HideWords }, "")},
		{"IMAP_MAILBOX_SANITY_CHECK", "1", "", "0 or 1", "serve a Maildir only if it belongs to the uid of the process", flag(func(c *Config) *bool { return &c.CheckOwner })},
		{"IMAP_UMASK", "077", "022", "octal", "permissions that new files and folders do not get", octal(func(c *Config) *uint32 { return (*uint32)(&c.Umask) })},
		{"IMAP_FSYNC", "1", "", "0 or 1", "0 trades safety in a power cut for speed", flag(func(c *Config) *bool { return &c.Fsync })},
		{"COURIER_UIDDB", "follow", "", "follow, live or off", "keep Courier's courierimapuiddb and keywords, where they are, current: soon, or at once as it runs too", choice(func(c *Config) *string { return &c.CourierUIDDB }, "follow", "live", "off")},
		{"IMAP_USELOCKS", "1", "", "0 or 1", "take Courier's lock of a folder where Courier's files are kept current", flag(func(c *Config) *bool { return &c.UseLocks })},
		{"IMAP_APPENDLIMIT", "100M", "", "bytes, K, M or G", "largest message that APPEND takes", size(func(c *Config) *int64 { return &c.AppendLimit })},
		{"IMAP_ENHANCEDIDLE", "1", "", "0 or 1", "0: look for changes every IMAP_IDLE_TIMEOUT instead of being notified; 0 in Courier's files is passed over", flag(func(c *Config) *bool { return &c.EnhancedIdle })},
		{"IMAP_IDLE_TIMEOUT", "60", "", "seconds", "how often to look where there is no notification; with IMAP_ENHANCEDIDLE every 5 at most", seconds(1, 3600, func(c *Config) *int64 { return (*int64)(&c.PollInterval) })},

		{"LOGIN_TIMEOUT", "60", "", "seconds", "from the connection to the login", seconds(1, 3600, func(c *Config) *int64 { return (*int64)(&c.LoginTimeout) })},
		{"INACTIVITY_TIMEOUT", "1800", "", "seconds", "between two commands; RFC 3501 wants at least 1800", seconds(10, 1<<20, func(c *Config) *int64 { return (*int64)(&c.IdleTimeout) })},
		{"DRAIN_TIMEOUT", "10", "", "seconds", "for sessions to end after SIGTERM", seconds(1, 600, func(c *Config) *int64 { return (*int64)(&c.DrainTimeout) })},
		{"LOCK_TIMEOUT", "30", "", "seconds", "for other processes to let go of a mailbox, then NO [INUSE]", seconds(1, 600, func(c *Config) *int64 { return (*int64)(&c.LockTimeout) })},
		{"METRICS", "", "", "address:port or unix:path", "where serve answers GET /metrics, in the form of Prometheus, to whoever can reach it; empty: nowhere", metrics},
		{"LOG_FORMAT", "text", "", "text or json", "form of the log on standard error", choice(func(c *Config) *string { return &c.LogFormat }, "text", "json")},
		{"LOG_LEVEL", "info", "", "debug, info, warn or error", "the least that is logged", choice(func(c *Config) *string { return &c.LogLevel }, "debug", "info", "warn", "error")},
	}
}

// accepted are settings of Courier's files that mean nothing here (or not yet),
// each with what to tell who sets it. A name that is neither here nor in the
// table is told as unknown.
func accepted() map[string]string {
	const scripts = "only Courier's start scripts use it"
	const logger = "the log goes to standard error"
	const soon = "not obeyed in this version"
	return map[string]string{
		"IMAPDSTART": scripts, "IMAPDSSLSTART": scripts, "PIDFILE": scripts, "SSLPIDFILE": scripts, "TCPDOPTS": scripts,
		"COURIERTLS": "TLS is built in", "TLS_DHPARAMS": "key exchange is by elliptic curves", "TLS_MIN_DH_BITS": "key exchange is by elliptic curves",
		"TLS_PRIORITY": "the suites of TLS 1.2 and 1.3 that are safe are used", "TLS_CIPHER_LIST": "the suites of TLS 1.2 and 1.3 that are safe are used",
		"TLS_CACHEFILE": "sessions resume by ticket", "TLS_CACHESIZE": "sessions resume by ticket",
		"LOGGEROPTS": logger, "SSLLOGGEROPTS": logger, "IMAP_ULIMITD": "the process's own limits apply",
		"IMAP_CAPABILITY_TLS": "what can be announced is computed", "IMAP_CAPABILITY_ORIG": scripts, "IMAP_CAPABILITY_TLS_ORIG": scripts,
		"IMAP_OBSOLETE_CLIENT": soon, "IMAP_CHECK_ALL_FOLDERS": soon, "IMAP_KEYWORDS": "keywords are always kept", "IMAP_BROKENUIDV": "no command sleeps",
		"IMAP_ACL": soon, "IMAP_SHAREDINDEXFILE": soon, "IMAP_SHAREDMUNGENAMES": soon, "IMAP_TRASHFOLDERNAME": soon, "IMAP_EMPTYTRASH": soon,
		"IMAP_MOVE_EXPUNGE_TO_TRASH": soon, "IMAP_LOG_DELETIONS": soon, "IMAP_DISABLETHREADSORT": soon, "IMAP_PROXY": soon, "IMAP_PROXY_FOREIGN": soon,
		"PROXY_HOSTNAME": soon, "IMAP_ID_FIELDS": soon, "OUTBOX": soon, "SENDMAIL": soon, "HEADERFROM": soon, "OUTBOX_MULTIPLE_SEND": soon,
		"SMAP_CAPABILITY": soon, "AUTH_MKHOMEDIR_SKEL": soon, "IMAPDEBUGFILE": soon, "DEFDOMAIN": soon, "DOMAINSEP": soon, "IMAPACCESSFILE": soon,
		"ACCESSFILE": soon, "AUTHMODULES": soon, "AUTHMODULES_ORIG": scripts, "AUTHSERVICE143": soon, "AUTHSERVICE993": soon,
		"TLS_STARTTLS_PROTOCOL": soon, "TLS_TIMEOUT": soon, "TLS_TRUSTCERTS": soon, "TLS_VERIFYPEER": soon, "TLS_EXTERNAL": soon, "TLS_ALPN": soon,
		"DEBUG_LOGIN": soon, "DEFAULTOPTIONS": soon, "LDAP_MEMORY_LEAK": soon, "MAILDIR_SKIP_SYMLINK_CHECKS": "symbolic links are never followed",
		"authmodulelistorig": scripts, "daemons": "there is no authdaemond", "authdaemonvar": "there is no authdaemond",
	}
}
