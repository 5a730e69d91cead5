package mailbox

import (
	"sync"
	"time"

	"postrider/mail"
)

// memoAge is how long a memo stays that nobody asks for.
const memoAge = 5 * time.Minute

// memo is what sessions keep in memory of what they found out of a mailbox's messages.
type memo struct {
	mu       sync.Mutex
	value    any
	validity mail.UIDValidity
	timer    *time.Timer
}

// Memo returns what the sessions of this mailbox keep together of its messages under a
// UIDVALIDITY, made by make if there is nothing. It is forgotten when nobody asked for
// it for some minutes, when the mailbox is closed, and by DropMemo.
func (m *Mailbox) Memo(validity mail.UIDValidity, make func() any) any {
	k := &m.memo
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.value == nil || k.validity != validity {
		k.value, k.validity = make(), validity
	}
	if k.timer == nil {
		k.timer = time.AfterFunc(memoAge, m.DropMemo)
	} else {
		k.timer.Reset(memoAge)
	}
	return k.value
}

// DropMemo forgets what is kept: when nobody looks at the mailbox just now.
func (m *Mailbox) DropMemo() {
	k := &m.memo
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.value = nil; k.timer != nil {
		k.timer.Stop()
	}
}
