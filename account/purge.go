package account

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"postrider/mail"
)

// Purge removes the messages that have lain in a folder, unchanged, for longer than
// age: Courier's IMAP_EMPTYTRASH. It is looked at once an hour at most, however often
// the user logs in. A folder that is not there is empty. It returns how many messages
// went.
func (a *Account) Purge(ctx context.Context, n mail.Name, age time.Duration) (int, error) {
	now := a.s.h.c.Now()
	if !a.s.h.purges.due(purgeKey{a.s.key, n}, now) {
		return 0, nil
	}
	h, err := a.Mailbox(ctx, n)
	if errors.Is(err, ErrNoMailbox) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("purging %s: %w", n, err)
	}
	defer h.Release()
	aged, err := h.Aged(ctx, now.Add(-age))
	if err != nil || len(aged) == 0 {
		return 0, err
	}
	snap, gone, err := h.Expunge(ctx, aged, false)
	if err != nil {
		return gone.Len(), fmt.Errorf("purging %s: %w", n, err)
	}
	return gone.Len(), h.Durable(ctx, snap)
}

// purgeEvery is how often a folder is looked at for what is too old.
const purgeEvery = time.Hour

// maxPurges bounds how many folders are remembered.
const maxPurges = 1 << 16

// purges remembers when a folder was looked at last, also while its account is
// closed. Forgetting it costs one look.
type purges struct {
	mu   sync.Mutex
	last map[purgeKey]time.Time
}

type purgeKey struct {
	root   dirKey
	folder mail.Name
}

// due reports whether a folder is to be looked at now, and then remembers that it was.
func (p *purges) due(k purgeKey, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now.Sub(p.last[k]) < purgeEvery {
		return false
	}
	if p.last == nil || len(p.last) >= maxPurges {
		p.last = make(map[purgeKey]time.Time)
	}
	p.last[k] = now
	return true
}
