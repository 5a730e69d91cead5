package auth

import (
	"context"
	"errors"
	"net/netip"

	"postrider/sasl"
)

// The outcomes of an attempt, tested with errors.Is. Any error that is none of
// these counts as ErrTemporary.
var (
	// ErrRejected: no such account, or not its password. Which of the two is
	// never said.
	ErrRejected = errors.New("authentication failed")
	// ErrTemporary: nobody can tell now; the same attempt may succeed later.
	ErrTemporary = errors.New("temporary authentication failure")
	// ErrExpired: the password is right but no longer valid.
	ErrExpired = errors.New("password has expired")
	// ErrDisabled: the password is right, the account may not use the service.
	ErrDisabled = errors.New("account is disabled for this service")
	// ErrInsecure: the password is right, the account may use the service only
	// over TLS.
	ErrInsecure = errors.New("account may be used over TLS only")
	// ErrUnusable: the password is right, what is recorded of the account does
	// not do for a session (no home, uid 0, ...).
	ErrUnusable = errors.New("account record is unusable")
	// ErrThrottled: too many wrong passwords came from there lately; the attempt
	// was not looked at.
	ErrThrottled = errors.New("too many failed logins lately")
)

// Request says who asks for whom, for what, from where. It holds no secret, so
// it may be logged.
type Request struct {
	Login   string         // as the client gave it
	Service string         // "imap", "pop3", ...: chooses per-service passwords and options
	Remote  netip.AddrPort // the client; zero if it has no address
	TLS     bool           // the connection is protected

	// External is who the client is by the TLS certificate that it showed and that
	// was verified: the value of the subject's field that is chosen for it. Empty:
	// it showed none.
	External string
	// Bindings are those of the TLS connection, for the -PLUS forms of SCRAM. They
	// are no secret to the two ends, and to nobody else of use.
	Bindings sasl.Bindings
}

// Backend is a set of accounts. Its methods may be called by any number of
// goroutines at once, and return early with the context's error when it ends.
type Backend interface {
	// Authenticate checks a password. It returns an identity that the caller
	// owns, or an error as above. An unknown login costs as much time as a wrong
	// password. An empty password is rejected.
	Authenticate(ctx context.Context, r Request, password string) (*Identity, error)

	// Lookup returns what is known of a login without a password: for delivery,
	// proxies, client certificates. An unknown one is ErrRejected.
	Lookup(ctx context.Context, r Request) (*Identity, error)
}

// Identity is what is known of an account.
type Identity struct {
	Login    string  // canonical address: logs, ACL identity
	User     string  // system user name, if the account is one; its groups apply
	UID, GID int     // Unknown if not given
	Home     string  // absolute directory
	Maildir  string  // absolute or relative to Home; empty: the server's default
	Name     string  // full name
	Quota    string  // Courier's quota text, such as "1000000S,1000C"
	Options  Options // per-account settings
	Hash     Secret  // password as stored, where the backend gives it away
	Clear    Secret  // password in clear, stored or just verified

	// Ticket is set where another process keeps the identity and tells only the
	// login: whoever shows it there gets the rest, once.
	Ticket Secret
}

// Unknown is the UID or GID of an identity that has none.
const Unknown = -1
