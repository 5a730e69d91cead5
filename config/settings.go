package config

import (
	"slices"
	"strconv"
	"strings"
)

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
	return slices.Concat(doorSettings(), tlsSettings(), accountSettings(), daemonSettings(), tokenSettings(), processSettings(), sessionSettings(), folderSettings(), operationSettings())
}

// doorSettings are where is listened, and for how many.
func doorSettings() []Setting {
	return []Setting{
		{"ADDRESS", "0", "", "address", "where the plain listener listens; 0 is everywhere", nil},
		{"PORT", "143", "", "ports", "its ports, [ADDRESS.]PORT with commas; empty: no such listener", listen(func(c *Config) *[]string { return &c.Listen })},
		{"SSLADDRESS", "0", "", "address", "where the TLS listener listens; 0 is everywhere", nil},
		{"SSLPORT", "993", "", "ports", "its ports; empty: no such listener", listen(func(c *Config) *[]string { return &c.ListenTLS })},
		{"MAXDAEMONS", "10000", "40", "number", "connections in all; 0: no limit", number(0, 1<<24, func(c *Config) *int { return &c.MaxConnections })},
		{"MAXPERIP", "50", "4", "number", "connections from one address; 0: no limit", number(0, 1<<24, func(c *Config) *int { return &c.MaxPerAddress })},
		{"MAXPERC", "0", "", "number", "connections from one network, 24 bits of IPv4 or 56 of IPv6; 0: no limit", number(0, 1<<24, func(c *Config) *int { return &c.MaxPerNetwork })},
		{"MAXPERACCOUNT", "0", "", "number", "sessions of one account; beyond it the longest silent one of the same address and program makes way; 0: no limit", number(0, 1<<24, func(c *Config) *int { return &c.MaxPerAccount })},
		{"TCPDOPTS", "", "", "options", "of couriertcpd, which imapd.rc start hands on; serve obeys -maxprocs, -maxperip, -maxperc and -access, which come before the settings above and IMAPACCESSFILE", tcpdOptions},
		{"IMAPACCESSFILE", "", "", "path", "text of couriertcpd's access file, or a directory of such texts: who may connect; serve looks at allow and deny alone, couriertcpd at the variables as well", accessFile},
	}
}

// tlsSettings are certificates, and who must have them.
func tlsSettings() []Setting {
	return []Setting{
		{"TLS_CERTFILE", "", "", "path", "PEM file with the certificate and its chain; empty: no TLS", text(func(c *Config) *string { return &c.CertFile })},
		{"TLS_PRIVATE_KEYFILE", "", "", "path", "PEM file with the key; empty: it is in TLS_CERTFILE", text(func(c *Config) *string { return &c.KeyFile })},
		{"TLS_PROTOCOL", "TLSv1.2+", "", "TLSv1.2+ or TLSv1.3+", "oldest version that is spoken; Courier's older ones count as TLSv1.2+", tlsVersion},
		{"TLS_ALPN", "imap", "", "words", "protocols that are agreed to where a client names some; empty: whatever it names", names(func(c *Config) *[]string { return &c.ALPN })},
		{"TLS_VERIFYPEER", "NONE", "", "NONE, PEER or REQUIREPEER", "whether clients are asked for certificates, and must have one", verifyPeer},
		{"TLS_TRUSTCERTS", "", "", "path", "PEM file, or directory of them, of who signs clients' certificates", text(func(c *Config) *string { return &c.TrustCerts })},
		{"TLS_EXTERNAL", "", "", "field", "field of a client's certificate that says whose it is, such as emailaddress", text(func(c *Config) *string { return &c.External })},
		{"ACME_NAMES", "", "", "words", "names of this host to get certificates for by ACME, into TLS_CERTFILE; this accepts the authority's terms; empty: none", names(func(c *Config) *[]string { return &c.ACME.Names })},
		{"ACME_EMAIL", "", "", "address", "where the authority may warn", text(func(c *Config) *string { return &c.ACME.Email })},
		{"ACME_DIRECTORY", "", "", "address", "the ACME server; empty: Let's Encrypt", text(func(c *Config) *string { return &c.ACME.Directory })},
		{"ACME_CACERT", "", "", "path", "PEM file of the authorities that vouch for the ACME server; empty: the system's", text(func(c *Config) *string { return &c.ACME.CACert })},
		{"ACME_DIR", "/var/lib/postrider/acme", "", "path", "where the account and the certificates are kept; the server must be able to write there", text(func(c *Config) *string { return &c.ACME.Dir })},
		{"ACME_ADDRESS", ":80", "", "address", "where challenges are answered (http-01); the authority asks at port 80", text(func(c *Config) *string { return &c.ACME.Address })},
		{"IMAPDSTARTTLS", "YES", "", "YES or NO", "offer STARTTLS on the plain listener", yes(func(c *Config) *bool { return &c.StartTLS })},
		{"IMAP_TLS_REQUIRED", "0", "", "0 or 1", "refuse passwords on a connection without TLS", flag(func(c *Config) *bool { return &c.RequireTLS })},
	}
}

// accountSettings are where accounts come from, and how they are proved.
func accountSettings() []Setting {
	return []Setting{
		{"authmodulelist", "authuserdb", "", "words", "where accounts come from, asked in this order", names(func(c *Config) *[]string { return &c.Modules })},
		{"LDAPTLS_CACERT", "", "", "path", "PEM file of the authorities that vouch for the servers of authldap; empty: the system's", text(func(c *Config) *string { return &c.LDAPCACert })},
		{"LDAPTLS_REQCERT", "demand", "", "never, allow, try or demand", "whether the certificates of the servers of authldap are checked", choice(func(c *Config) *string { return &c.LDAPRequireCert }, "never", "allow", "try", "demand", "hard")},
		{"USERDB", "/etc/postrider/userdb", "/etc/courier/userdb", "path", "accounts in the form of userdb, file or directory", text(func(c *Config) *string { return &c.Userdb })},
		{"PASSWD_FILE", "/etc/passwd", "", "path", "of authpwd and authshadow: the system's accounts", text(func(c *Config) *string { return &c.PasswdFile })},
		{"SHADOW_FILE", "/etc/shadow", "", "path", "of authshadow: their passwords and dates", text(func(c *Config) *string { return &c.ShadowFile })},
		{"PAM_HELPER", "/usr/local/libexec/postrider-pam", "", "path", "of authpam: the program that asks PAM", text(func(c *Config) *string { return &c.PAMHelper })},
		{"AUTHPIPE_PROGRAM", "/etc/postrider/authProg", "/etc/courier/authProg", "path", "of authpipe: the program that answers as Courier's does", text(func(c *Config) *string { return &c.AuthpipeProgram })},
		{"AUTH_PROGRAM", "", "", "path", "of authcustom: a program that knows the accounts", text(func(c *Config) *string { return &c.AuthProgram })},
		{"AUTH_PROCESSES", "5", "", "number", "of authpipe and authcustom: how many of the program run", number(1, 1<<10, func(c *Config) *int { return &c.AuthProcesses })},
		{"DEFDOMAIN", "", "", "@domain", "appended to a login that lacks its first character", text(func(c *Config) *string { return &c.DefaultDomain })},
		{"DOMAINSEP", "", "", "characters", "with DEFDOMAIN: a login with one of these has a domain", text(func(c *Config) *string { return &c.DomainSeparators })},
		{"DEFAULTOPTIONS", "", "", "options", "account options, NAME=VALUE with commas, for accounts that do not have them", text(func(c *Config) *string { return &c.DefaultOptions })},
		{"AUTH_MECHANISMS", "", "", "words", "SASL mechanisms to offer, such as PLAIN SCRAM-SHA-256 CRAM-MD5; empty: those that every account can use", words(func(c *Config) *[]string { return &c.Mechanisms }, "")},
		{"AUTH_CHANNEL_BINDING", "0", "", "0 or 1", "offer the -PLUS forms of SCRAM over TLS", flag(func(c *Config) *bool { return &c.ChannelBinding })},
		{"AUTH_SECRETFILE", "", "", "path", "file of 16 bytes and more that makes the salts shown for logins without one; empty: new ones at each start", text(func(c *Config) *string { return &c.AuthSecretFile })},
		{"AUTH_CACHE_TTL", "0", "", "seconds", "how long a password that was right is taken without asking again; 0: never", seconds(0, 3600, func(c *Config) *int64 { return (*int64)(&c.AuthCacheTTL) })},
	}
}

// daemonSettings are authdaemond and Dovecot's socket: asking, and answering, other programs.
func daemonSettings() []Setting {
	return []Setting{
		{"authdaemonvar", "/run/courier/authdaemon", "", "path", "folder of authdaemond's socket, which the module authdaemon asks and authdaemond opens", text(func(c *Config) *string { return &c.AuthdaemonDir })},
		{"TIMEOUT_SOCK", "10", "", "seconds", "to connect to authdaemond", seconds(1, 600, func(c *Config) *int64 { return (*int64)(&c.TimeoutConnect) })},
		{"TIMEOUT_WRITE", "10", "", "seconds", "to send authdaemond a request", seconds(1, 600, func(c *Config) *int64 { return (*int64)(&c.TimeoutWrite) })},
		{"TIMEOUT_READ", "30", "", "seconds", "to have authdaemond's answer", seconds(1, 600, func(c *Config) *int64 { return (*int64)(&c.TimeoutRead) })},
		{"DEBUG_LOGIN", "0", "", "0, 1 or 2", "1: authdaemond tells its steps; 2 is as 1, since passwords are never written to a log", number(0, 2, func(c *Config) *int { return &c.DebugLogin })},
		{"LOGGEROPTS", "", "", "options", "of courierlogger, which authdaemond start logs with; serve logs to standard error", names(func(c *Config) *[]string { return &c.LoggerOptions })},
		{"SERVE_SOCKETS", "", "", "words", "sockets that serve opens for other programs: authdaemon, dovecot", wordsOf(func(c *Config) *[]string { return &c.ServeSockets }, "authdaemon", "dovecot")},
		{"DOVECOT_AUTH_SOCKET", "", "", "paths", "sockets for mail servers that speak Dovecot's protocol, such as /var/spool/postfix/private/auth; authdaemond opens them, or serve", paths(func(c *Config) *[]string { return &c.DovecotSockets })},
		{"DOVECOT_AUTH_MODE", "0660", "", "octal", "their permissions", octal(func(c *Config) *uint32 { return (*uint32)(&c.DovecotMode) })},
		{"DOVECOT_AUTH_OWNER", "", "", "user or user:group", "whom they belong to; empty: who starts the program", text(func(c *Config) *string { return &c.DovecotOwner })},
	}
}

// tokenSettings are access tokens.
func tokenSettings() []Setting {
	return []Setting{
		{"OAUTH_ISSUER", "", "", "address", "OpenID provider whose signed tokens log in, by OAUTHBEARER and XOAUTH2; empty: none do", text(func(c *Config) *string { return &c.OAuth.Issuer })},
		{"OAUTH_AUDIENCE", "", "", "words", "a token must be made for one of them: the ID of the mail programs' registration, mostly", names(func(c *Config) *[]string { return &c.OAuth.Audience })},
		{"OAUTH_SCOPE", "", "", "words", "what a token must be good for, all of them", text(func(c *Config) *string { return &c.OAuth.Scope })},
		{"OAUTH_CLAIM", "email", "", "name", "what of a token is the login", text(func(c *Config) *string { return &c.OAuth.Claim })},
		{"OAUTH_INTROSPECTION", "", "", "address", "where to ask about tokens that are not signed (RFC 7662); empty: they do not log in", text(func(c *Config) *string { return &c.OAuth.Introspection })},
		{"OAUTH_CLIENT_ID", "", "", "word", "who asks there", text(func(c *Config) *string { return &c.OAuth.ClientID })},
		{"OAUTH_CLIENT_SECRETFILE", "", "", "path", "file with the secret of who asks", text(func(c *Config) *string { return &c.OAuth.ClientSecretFile })},
		{"OAUTH_CACERT", "", "", "path", "PEM file of the authorities that vouch for the provider; empty: the system's", text(func(c *Config) *string { return &c.OAuth.CACert })},
	}
}

// processSettings are whose processes serve.
func processSettings() []Setting {
	return []Setting{
		{"MAILDIRPATH", "Maildir", "", "path", "the Maildir below an account's home, where the account names none", text(func(c *Config) *string { return &c.Maildir })},
		{"RUN_AS", "", "", "user or uid", "one process serves all accounts, as this user after binding the ports; empty, and started by root: PROCESS_MODEL", text(func(c *Config) *string { return &c.User })},
		{"PROCESS_MODEL", "auto", "", "auto, one or split", "one process for accounts of one uid, or one for each uid; auto splits where root starts the server without RUN_AS", choice(func(c *Config) *string { return &c.ProcessModel }, "auto", "one", "split")},
		{"FRONT_USER", "nobody", "", "user or uid", "split: whom the process belongs to that strangers reach; best a user for this alone", text(func(c *Config) *string { return &c.FrontUser })},
		{"FRONT_DIR", "/run/postrider/empty", "", "path", "split: the empty directory that this process is locked into; it is made", text(func(c *Config) *string { return &c.FrontDir })},
		{"AUTH_USER", "", "", "user or uid", "split: whom the process belongs to that checks passwords; empty: root, which the password file of the system needs", text(func(c *Config) *string { return &c.AuthUser })},
		{"WORKER_LINGER", "60", "", "seconds", "split: how long the process of a uid stays after its last session", seconds(0, 86400, func(c *Config) *int64 { return (*int64)(&c.WorkerLinger) })},
	}
}

// sessionSettings are what a session is.
func sessionSettings() []Setting {
	return []Setting{
		{"IMAP_NAMESPACE", "plain", "courier", "plain or courier", "how folders are named: Sent with /, or INBOX.Sent with .", namespace},
		{"FOLDER_ENCODING", "auto", "", "auto, utf8 or utf7", "how folder names are written on disk; auto looks at each account", choice(func(c *Config) *string { return &c.Encoding }, "auto", "utf8", "utf7")},
		{"IMAP_CAPABILITY", "*", "", "words", "which of the words that Courier knew to announce; words it never knew stay; * is all. If there is an AUTH= word, here or in IMAP_CAPABILITY_TLS, those say which mechanisms that Courier knew are offered, unless AUTH_MECHANISMS does", capability(true)},
		{"IMAP_CAPABILITY_TLS", "", "", "words", "more AUTH= words; its other words are passed over, since what can be announced is the same with TLS and without", capability(false)},
		{"IMAP_HIDE", "", "", "words", "capabilities not to announce", words(func(c *Config) *[]string { return &c.HideWords }, "")},
		{"IMAP_MAILBOX_SANITY_CHECK", "1", "", "0 or 1", "serve a Maildir only if it belongs to the uid of the process", flag(func(c *Config) *bool { return &c.CheckOwner })},
		{"IMAP_ULIMITD", "", "", "KiB", "memory that imapd on a pipe and in the chain keeps below as far as it can; where Courier's scripts start it leave it empty, since a Go program reserves more than it uses and does not start under their ulimit", kibibytes(func(c *Config) *int64 { return &c.MemoryLimit })},
		{"IMAP_LOGINEXEC", "0", "", "0 or 1", "run the program loginexec of a Maildir, if it is there, before the session, as imapd on a pipe and in the chain; whoever can write to the Maildir can have programs run", flag(func(c *Config) *bool { return &c.LoginExec })},
		{"IMAP_UMASK", "077", "022", "octal", "permissions that new files and folders do not get", octal(func(c *Config) *uint32 { return (*uint32)(&c.Umask) })},
		{"IMAP_FSYNC", "1", "", "0 or 1", "0 trades safety in a power cut for speed", flag(func(c *Config) *bool { return &c.Fsync })},
		{"COURIER_UIDDB", "follow", "", "follow, live or off", "keep Courier's courierimapuiddb and keywords, where they are, current: soon, or at once as it runs too", choice(func(c *Config) *string { return &c.CourierUIDDB }, "follow", "live", "off")},
		{"IMAP_USELOCKS", "1", "", "0 or 1", "take Courier's lock of a folder where Courier's files are kept current", flag(func(c *Config) *bool { return &c.UseLocks })},
		{"IMAP_APPENDLIMIT", "100M", "", "bytes, K, M or G", "largest message that APPEND takes", size(func(c *Config) *int64 { return &c.AppendLimit })},
		{"IMAP_ENHANCEDIDLE", "1", "", "0 or 1", "0: look for changes every IMAP_IDLE_TIMEOUT instead of being notified; 0 in Courier's files is passed over", flag(func(c *Config) *bool { return &c.EnhancedIdle })},
		{"IMAP_IDLE_TIMEOUT", "60", "", "seconds", "how often to look where there is no notification; with IMAP_ENHANCEDIDLE every 5 at most", seconds(1, 3600, func(c *Config) *int64 { return (*int64)(&c.PollInterval) })},
	}
}

// folderSettings are folders that do something by themselves, and what comes before a session.
func folderSettings() []Setting {
	return []Setting{
		{"IMAP_TRASHFOLDERNAME", "Trash", "", "folder", "the trash", text(func(c *Config) *string { return &c.TrashFolder })},
		{"IMAP_EMPTYTRASH", "", "", "FOLDER:DAYS,...", "remove what has lain in a folder, unchanged, for so many days; DAYS alone is of the trash", purges},
		{"IMAP_MOVE_EXPUNGE_TO_TRASH", "0", "", "0 or 1", "move what is expunged to the trash; what a session has copied, and the trash itself, is removed", flag(func(c *Config) *bool { return &c.ExpungeToTrash })},
		{"IMAP_LOG_DELETIONS", "0", "", "0 or 1", "log the file of each message that is expunged", flag(func(c *Config) *bool { return &c.LogDeletions })},
		{"IMAP_DISABLETHREADSORT", "0", "", "0 or 1", "refuse SORT and THREAD", flag(func(c *Config) *bool { return &c.NoSort })},
		{"OUTBOX", "", "", ".FOLDER", "directory of a folder that sends what APPEND and COPY put into it; empty: none", outbox},
		{"SENDMAIL", "/usr/sbin/sendmail", "", "path", "the program that OUTBOX sends with; it gets -oi -t -f SENDER", text(func(c *Config) *string { return &c.Sendmail })},
		{"HEADERFROM", "X-IMAP-Sender", "", "header", "the header that names the sender in what OUTBOX sends", header(func(c *Config) *string { return &c.SenderHeader })},
		{"OUTBOX_MULTIPLE_SEND", "0", "", "0 or 1", "let COPY put more than one message into OUTBOX", flag(func(c *Config) *bool { return &c.OutboxMultiple })},
		{"AUTH_MKHOMEDIR_SKEL", "", "", "path", "directory that is copied where the home of an account that logs in is not there; empty: none", text(func(c *Config) *string { return &c.Skeleton })},
		{"IMAPDEBUGFILE", "", "", "file name", "write the sessions of an account to this file in its Maildir, if it is there; empty: never", fileName(func(c *Config) *string { return &c.DebugFile })},
	}
}

// operationSettings are times, figures and the log.
func operationSettings() []Setting {
	return []Setting{
		{"LOGIN_TIMEOUT", "60", "", "seconds", "from the connection to the login", seconds(1, 3600, func(c *Config) *int64 { return (*int64)(&c.LoginTimeout) })},
		{"INACTIVITY_TIMEOUT", "1800", "", "seconds", "between two commands; RFC 3501 wants at least 1800", seconds(10, 1<<20, func(c *Config) *int64 { return (*int64)(&c.IdleTimeout) })},
		{"DRAIN_TIMEOUT", "10", "", "seconds", "for sessions to end after SIGTERM, and to go on after SIGUSR2", seconds(1, 604800, func(c *Config) *int64 { return (*int64)(&c.DrainTimeout) })},
		{"LOCK_TIMEOUT", "30", "", "seconds", "for other processes to let go of a mailbox, then NO [INUSE]", seconds(1, 600, func(c *Config) *int64 { return (*int64)(&c.LockTimeout) })},
		{"METRICS", "", "", "address:port or unix:path", "where serve answers GET /metrics, in the form of Prometheus, to whoever can reach it; empty: nowhere", metrics},
		{"LOG_FORMAT", "text", "", "text, json or courier", "form of the log on standard error; courier is for filters of Courier's lines, and what programs started by its chain write", choice(func(c *Config) *string { return &c.LogFormat }, "text", "json", "courier")},
		{"LOG_LEVEL", "info", "", "debug, info, warn or error", "the least that is logged", choice(func(c *Config) *string { return &c.LogLevel }, "debug", "info", "warn", "error")},
	}
}

// accepted are settings of Courier's files that mean nothing here (or not yet),
// each with what to tell who sets it. A name that is neither here nor in the
// table is told as unknown.
func accepted() map[string]string {
	const (
		boot     = "only the system's start scripts use it; imapd.rc start always starts"
		webadmin = "only Courier's web administration uses it"
		scripts  = "imapd.rc obeys it; serve logs to standard error and stays in the foreground"
		ssl      = "imapd-ssl.rc obeys it; serve logs to standard error and stays in the foreground"
		chain    = "imaplogin obeys it; serve asks for the service imap on every port"
		curves   = "key exchange is by elliptic curves"
		suites   = "the suites of TLS 1.2 and 1.3 that are safe are used"
		tickets  = "sessions resume by ticket"
		soon     = "not obeyed in this version"
	)
	return map[string]string{
		"IMAPDSTART": boot, "IMAPDSSLSTART": boot, "PIDFILE": scripts, "SSLPIDFILE": ssl, "SSLLOGGEROPTS": ssl,
		"MAILUSER":     "imapd-ssl.rc obeys it; serve has RUN_AS",
		"COURIERTLS":   "TLS is built in: STARTTLS is offered where there is a certificate",
		"TLS_DHPARAMS": curves, "TLS_DHCERTFILE": curves, "TLS_MIN_DH_BITS": curves, "TLS_PRIORITY": suites, "TLS_CIPHER_LIST": suites,
		"TLS_CACHEFILE": tickets, "TLS_CACHESIZE": tickets, "TLS_TIMEOUT": "Courier reserved the name and never used it",
		"TLS_STARTTLS_PROTOCOL": "imapd.rc obeys it; serve has TLS_PROTOCOL for both listeners",
		"IMAP_CAPABILITY_ORIG":  webadmin, "IMAP_CAPABILITY_TLS_ORIG": webadmin, "AUTHMODULES_ORIG": webadmin, "authmodulelistorig": webadmin,
		"IMAP_OBSOLETE_CLIENT": "no client in use mistakes \\HasChildren", "IMAP_CHECK_ALL_FOLDERS": "clients ask STATUS: LIST says \\Marked of no folder",
		"IMAP_KEYWORDS": "keywords are always kept", "IMAP_BROKENUIDV": "no command sleeps",
		"IMAP_ACL": soon, "IMAP_SHAREDINDEXFILE": soon, "IMAP_SHAREDMUNGENAMES": soon,
		"IMAP_PROXY": soon, "IMAP_PROXY_FOREIGN": soon, "PROXY_HOSTNAME": soon,
		"IMAP_ID_FIELDS":  "ID is answered with name and version",
		"SMAP_CAPABILITY": "SMAP is not spoken: no mail program but Courier's own webmail ever did",
		"ACCESSFILE":      "no setting: a mark in Courier's file for IMAPACCESSFILE",
		"AUTHMODULES":     "name the modules in authmodulelist, or on the command line of imaplogin",
		"AUTHSERVICE143":  chain, "AUTHSERVICE993": chain,
		"MIME_UNICODE_MESSAGE_TYPE": "only Courier's POP3 server uses it",
		"LDAP_MEMORY_LEAK":          "there is none to contain", "MAILDIR_SKIP_SYMLINK_CHECKS": "symbolic links are never followed",
		"daemons": "one process answers any number of requests at once",
	}
}

// acceptedName is accepted's reason for a name, of which AUTHSERVICE has one for every port.
func acceptedName(name string) (why string, ok bool) {
	all := accepted()
	if port, isService := strings.CutPrefix(name, "AUTHSERVICE"); isService {
		if _, err := strconv.ParseUint(port, 10, 16); err == nil {
			name = "AUTHSERVICE143"
		}
	}
	why, ok = all[name]
	return why, ok
}
