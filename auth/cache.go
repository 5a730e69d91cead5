package auth

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"slices"
	"sync"
	"time"
)

// Cache is a backend that remembers for a short time which passwords were right, so
// that a client which opens ten connections costs the accounts one check. Only
// right ones are remembered, as a digest under a key that exists in this process
// alone; a wrong password is always asked for. A password that is changed through
// the cache counts at once; one that is changed elsewhere, an account that is
// removed or locked, when the time is over.
type Cache struct {
	handOn
	ttl time.Duration
	key [32]byte

	mu   sync.Mutex
	seen map[[32]byte]proof // by a digest of login and service
}

// proof is one password that was right. It is never written again.
type proof struct {
	digest [32]byte // of the password
	until  time.Time
	id     Identity // without the password
	clear  bool     // the backend gave the password away
}

// maxProofs bounds the accounts that are remembered.
const maxProofs = 1 << 14

// NewCache returns a cache before a backend.
func NewCache(b Backend, ttl time.Duration) *Cache {
	c := &Cache{handOn: handOn{b}, ttl: ttl, seen: make(map[[32]byte]proof)}
	_, _ = rand.Read(c.key[:]) // never fails
	return c
}

// Authenticate implements Backend.
func (c *Cache) Authenticate(ctx context.Context, r Request, password string) (*Identity, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if len(r.Login) > MaxLogin || len(password) > MaxPassword {
		return c.Backend.Authenticate(ctx, r, password)
	}
	who, what := c.digest(r.Login, r.Service), c.digest(r.Login, r.Service, password)
	if id := c.find(who, what, password); id != nil {
		return id, nil
	}
	id, err := c.Backend.Authenticate(ctx, r, password)
	if err == nil {
		c.keep(who, what, id)
	}
	return id, err
}

// ChangePassword implements PasswordChanger.
func (c *Cache) ChangePassword(ctx context.Context, r Request, old, new string) error {
	err := c.handOn.ChangePassword(ctx, r, old, new)
	if err == nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		clear(c.seen) // the login may have been known to other services, too
	}
	return err
}

func (c *Cache) digest(words ...string) (sum [32]byte) {
	m := hmac.New(sha256.New, c.key[:])
	for _, w := range words {
		m.Write([]byte(w))
		m.Write([]byte{0, byte(len(w)), byte(len(w) >> 8)})
	}
	m.Sum(sum[:0])
	return sum
}

func (c *Cache) find(who, what [32]byte, password string) *Identity {
	c.mu.Lock()
	defer c.mu.Unlock()
	p, found := c.seen[who]
	if !found {
		return nil
	}
	if !time.Now().Before(p.until) {
		delete(c.seen, who)
		return nil
	}
	if subtle.ConstantTimeCompare(p.digest[:], what[:]) != 1 {
		return nil
	}
	id := p.id
	id.Options = slices.Clone(id.Options)
	if p.clear {
		id.Clear = NewSecret(password)
	}
	return &id
}

// keep remembers a password; a full cache forgets another for it.
func (c *Cache) keep(who, what [32]byte, id *Identity) {
	p := proof{digest: what, until: time.Now().Add(c.ttl), id: *id, clear: !id.Clear.IsZero()}
	p.id.Options = slices.Clone(id.Options)
	p.id.Clear = Secret{}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.seen) >= maxProofs {
		for key := range c.seen {
			delete(c.seen, key)
			break
		}
	}
	c.seen[who] = p
}

// Len is how many accounts are remembered.
func (c *Cache) Len() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.seen)
}
