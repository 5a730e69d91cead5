package serve

import (
	"errors"
	"net/netip"
	"sync"

	"postrider/imap"
	"postrider/wire"
)

// ErrAccountFull says that an account has as many sessions as it may have.
var ErrAccountFull = errors.New("too many sessions of the account")

// Roster knows which sessions of a process belong to which account, and bounds
// their number. Where an account is full, the longest silent session of the same
// address and the same program makes way: clients leave dead connections behind
// (a phone that changed its network, a laptop that slept) and come back at once.
type Roster struct {
	limit int // 0: none

	mu       sync.Mutex
	sessions map[string][]seat
}

// seat is one session's.
type seat struct {
	from netip.Addr
	conn *wire.Conn
}

// NewRoster returns an empty one; an account may have limit sessions, 0 being no
// limit.
func NewRoster(limit int) *Roster { return &Roster{limit: limit, sessions: make(map[string][]seat)} }

// Enter adds a session that begins, until leave is called; its error is
// ErrAccountFull.
func (r *Roster) Enter(account string, from netip.Addr, c *wire.Conn) (leave func(), err error) {
	own := seat{host(from), c}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.limit > 0 && len(r.sessions[account]) >= r.limit {
		old := r.silent(account, own)
		if old == nil {
			return nil, ErrAccountFull
		}
		old.Dismiss(imap.Bye(imap.CodeLimit, "Too many sessions of your account; this one makes way for a newer one of the same program"))
		r.remove(account, old)
	}
	r.sessions[account] = append(r.sessions[account], own)
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.remove(account, c)
	}, nil
}

// silent is the session that makes way for one, nil if there is none like it.
func (r *Roster) silent(account string, like seat) *wire.Conn {
	var longest *wire.Conn
	for _, s := range r.sessions[account] {
		if s.from != like.from || !s.conn.SameClient(like.conn) {
			continue
		}
		if longest == nil || s.conn.Heard().Before(longest.Heard()) {
			longest = s.conn
		}
	}
	return longest
}

func (r *Roster) remove(account string, c *wire.Conn) {
	left := r.sessions[account]
	for i := range left {
		if left[i].conn == c {
			left = append(left[:i], left[i+1:]...)
			break
		}
	}
	if len(left) == 0 {
		delete(r.sessions, account)
		return
	}
	r.sessions[account] = left
}
