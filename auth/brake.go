package auth

import (
	"context"
	"errors"
	"hash/maphash"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// Brake slows guessing down, over all connections of a process: after some wrong
// passwords for an account, or from a network, each further attempt waits before it
// is looked at, longer with every failure. Attempts from one network wait in a
// queue, so that many connections guess no faster than one; too long a queue is
// ErrThrottled.
//
// It is made to help the honest:
//   - The same wrong password again counts once: a forgotten phone with an old
//     password is no attack.
//   - Where an account has logged in from a network before, what others do to
//     either does not slow it down there.
//   - An account is never locked: its owner waits from elsewhere, for maxWait at
//     most, whoever else tries.
//
// Its memory is bounded; nothing of a password can be told from it.
type Brake struct {
	handOn
	seed maphash.Seed

	mu       sync.Mutex
	accounts failureTable[uint64]
	networks failureTable[netip.Addr]
	pairs    failureTable[pair]
}

// pair is an account as seen from a network.
type pair struct {
	account uint64
	network netip.Addr
}

const (
	// Failures that cost nothing: people mistype, and an office shares an address.
	freeForPair    = 3
	freeForAccount = 5
	freeForNetwork = 10

	maxWait  = 15 * time.Second
	maxQueue = 2 * maxWait
)

// NewBrake returns a brake before a backend.
func NewBrake(b Backend) *Brake { return &Brake{handOn: handOn{b}, seed: maphash.MakeSeed()} }

// Authenticate implements Backend.
func (b *Brake) Authenticate(ctx context.Context, r Request, password string) (*Identity, error) {
	var id *Identity
	err := b.Attempt(ctx, r, password, func() (err error) {
		id, err = b.Backend.Authenticate(ctx, r, password)
		return err
	})
	if err != nil {
		return nil, err
	}
	return id, nil
}

// Lookup implements Backend. Nothing is guessed by it.
func (b *Brake) Lookup(ctx context.Context, r Request) (*Identity, error) {
	return b.Backend.Lookup(ctx, r)
}

// ChangePassword implements PasswordChanger: the old password could be guessed by it.
func (b *Brake) ChangePassword(ctx context.Context, r Request, old, new string) error {
	return b.Attempt(ctx, r, old, func() error { return b.handOn.ChangePassword(ctx, r, old, new) })
}

// VerifyChallenge implements ChallengeVerifier.
func (b *Brake) VerifyChallenge(ctx context.Context, r Request, mechanism, challenge, response string) (*Identity, error) {
	var id *Identity
	err := b.Attempt(ctx, r, response, func() (err error) {
		id, err = b.handOn.VerifyChallenge(ctx, r, mechanism, challenge, response)
		return err
	})
	if err != nil {
		return nil, err
	}
	return id, nil
}

// Attempt runs one attempt when it is its time, and counts how it ended. secret is
// what was tried, in whatever form: the same one for the same account counts once.
func (b *Brake) Attempt(ctx context.Context, r Request, secret string, try func() error) error {
	who := pair{account: maphash.String(b.seed, r.Login), network: subnet(r.Remote.Addr())}
	if err := pause(ctx, b.wait(who, time.Now())); err != nil {
		return err
	}
	err := try()
	switch {
	case err == nil, errors.Is(err, ErrExpired), errors.Is(err, ErrDisabled), errors.Is(err, ErrInsecure), errors.Is(err, ErrUnusable):
		b.passed(who)
	case errors.Is(err, ErrRejected):
		b.failed(who, maphash.String(b.seed, r.Login+"\x00"+secret), time.Now())
	}
	return err
}

// pause waits for d; a negative one is a queue that is too long.
func pause(ctx context.Context, d time.Duration) error {
	if d < 0 {
		return ErrThrottled
	}
	if d == 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// wait is how long an attempt of now is held back, negative if it is turned away.
func (b *Brake) wait(who pair, now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if p := b.pairs.at(who, now); p != nil && p.welcome {
		return p.queue(freeForPair, now)
	}
	var wait time.Duration
	if n := b.networks.at(who.network, now); n != nil {
		if wait = n.queue(freeForNetwork, now); wait < 0 {
			return wait
		}
	}
	if a := b.accounts.at(who.account, now); a != nil {
		wait = max(wait, a.delay(freeForAccount))
	}
	return wait
}

// passed remembers that an account is at home in a network. What was counted
// against the account elsewhere stays.
func (b *Brake) passed(who pair) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if who.network.IsValid() {
		p := b.pairs.make(who)
		*p = failures{welcome: true, last: time.Now()}
	}
}

// failed counts a wrong password, if it is a new one.
func (b *Brake) failed(who pair, secret uint64, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.pairs.make(who)
	if slices.Contains(p.tried[:], secret) {
		return
	}
	copy(p.tried[1:], p.tried[:])
	p.tried[0] = secret
	p.add(now)
	if p.welcome {
		return
	}
	b.accounts.make(who.account).add(now)
	if who.network.IsValid() {
		b.networks.make(who.network).add(now)
	}
}

// subnet is what counts as one place: 24 bits of IPv4, 56 of IPv6.
func subnet(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	bits := 24
	if a.Is6() {
		bits = 56
	}
	if p, err := a.Prefix(bits); err == nil {
		return p.Addr()
	}
	return netip.Addr{} // of a connection without one
}

// failures is what is counted of an account, a network, or both together.
type failures struct {
	count   int
	last    time.Time
	next    time.Time // when the queue is empty
	tried   [4]uint64 // of a pair: the last wrong secrets
	welcome bool      // of a pair: has logged in
}

const (
	// halfLife is the time in which a count is halved.
	halfLife = 10 * time.Minute
	// memory is how long it is known that an account was welcome.
	memory = 30 * 24 * time.Hour
)

func (f *failures) add(now time.Time) { f.count, f.last = min(f.count+1, 1<<10), now }

// fade halves the count for each half-life; false if nothing is left to remember.
func (f *failures) fade(now time.Time) bool {
	for f.count > 0 && now.Sub(f.last) >= halfLife {
		f.count, f.last = f.count/2, f.last.Add(halfLife)
	}
	if f.welcome {
		return now.Sub(f.last) < memory
	}
	return f.count > 0
}

// delay is how long an attempt waits after so many failures: a second, doubled
// with each.
func (f *failures) delay(free int) time.Duration {
	if f.count <= free {
		return 0
	}
	return min(time.Second<<min(f.count-free-1, 10), maxWait)
}

// queue is the wait of an attempt that stands behind those before it.
func (f *failures) queue(free int, now time.Time) time.Duration {
	d := f.delay(free)
	if d == 0 {
		return 0
	}
	at := now
	if f.next.After(at) {
		at = f.next
	}
	if at = at.Add(d); at.Sub(now) > maxQueue {
		return -1
	}
	f.next = at
	return at.Sub(now)
}

// failureTable is a bounded table of them. The zero value is empty.
type failureTable[K comparable] struct{ m map[K]*failures }

const (
	maxFailures = 1 << 16
	sample      = 16
)

// at is what is known of k now, nil if nothing.
func (t *failureTable[K]) at(k K, now time.Time) *failures {
	f := t.m[k]
	if f != nil && !f.fade(now) {
		delete(t.m, k)
		return nil
	}
	return f
}

// make is what is known of k, to be added to. In a full table the oldest of a few
// makes room, one that is not welcome if there is one.
func (t *failureTable[K]) make(k K) *failures {
	if f := t.m[k]; f != nil {
		return f
	}
	if t.m == nil {
		t.m = make(map[K]*failures)
	}
	if len(t.m) >= maxFailures {
		delete(t.m, t.oldest())
	}
	f := new(failures)
	t.m[k] = f
	return f
}

// oldest is the oldest of some entries as the map gives them: not the oldest of
// all, which would cost a second structure.
func (t *failureTable[K]) oldest() K {
	var oldest K
	var found *failures
	seen := 0
	for k, f := range t.m {
		if found == nil || found.welcome && !f.welcome || found.welcome == f.welcome && f.last.Before(found.last) {
			oldest, found = k, f
		}
		if seen++; seen == sample {
			break
		}
	}
	return oldest
}
