package mailbox

import (
	"sync"

	"postrider/mail"
)

// memo is what sessions keep in memory of what they found out of a mailbox's messages.
type memo struct {
	mu       sync.Mutex
	value    any
	validity mail.UIDValidity
}

// Memo returns what the sessions of this mailbox keep together of its messages under a
// UIDVALIDITY, made by make if there is nothing. It is forgotten when the mailbox goes
// quiet or is closed, and by DropMemo.
func (m *Mailbox) Memo(validity mail.UIDValidity, make func() any) any {
	k := &m.memo
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.value == nil || k.validity != validity {
		k.value, k.validity = make(), validity
	}
	m.stir()
	return k.value
}

// DropMemo forgets what is kept.
func (m *Mailbox) DropMemo() {
	k := &m.memo
	k.mu.Lock()
	defer k.mu.Unlock()
	k.value = nil
}
