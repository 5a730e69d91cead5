package account

import (
	"maps"
	"sync"
	"time"

	"postrider/mail"
	"postrider/mailbox"
)

// Ledger is the account's memory of what its directories cannot say; the
// account file of package index. Its methods may be called at any time, also with
// the lock of a mailbox held.
type Ledger interface {
	// NextValidity returns a UIDVALIDITY above every one it returned before,
	// durably.
	NextValidity() (mail.UIDValidity, error)
	// RaiseValidity has NextValidity return UIDVALIDITYs above this one, durably.
	RaiseValidity(mail.UIDValidity) error
	// Floor returns the numbers that a mailbox has not gone beyond, zeros if
	// nothing is known of it.
	Floor(mail.Name) (mailbox.Marks, error)
	// Note raises what Floor returns, durably. Of another UIDVALIDITY it is of
	// another mailbox, and replaces it.
	Note(mail.Name, mailbox.Marks) error
	// SpecialUse returns the attributes that were set, by mailbox.
	SpecialUse() (map[mail.Name][]string, error)
	// SetSpecialUse sets the attributes of a mailbox; none removes them.
	SetSpecialUse(n mail.Name, uses []string) error
	// Renamed moves what is known of a mailbox, and of those below it, to
	// another name.
	Renamed(from, to mail.Name) error
	// Forget drops what is known of a mailbox, not of those below it. No
	// UIDVALIDITY comes back.
	Forget(mail.Name) error
	Close() error
}

// memoryLedger is a Ledger for an account that keeps none.
type memoryLedger struct {
	now  func() time.Time
	mu   sync.Mutex
	last mail.UIDValidity
	uses map[mail.Name][]string
}

func (l *memoryLedger) NextValidity() (mail.UIDValidity, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = max(l.last+1, mail.UIDValidity(l.now().Unix()))
	return l.last, nil
}

func (l *memoryLedger) RaiseValidity(v mail.UIDValidity) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = max(l.last, v)
	return nil
}

func (l *memoryLedger) Floor(mail.Name) (mailbox.Marks, error) { return mailbox.Marks{}, nil }
func (l *memoryLedger) Note(mail.Name, mailbox.Marks) error    { return nil }
func (l *memoryLedger) Close() error                           { return nil }

func (l *memoryLedger) SpecialUse() (map[mail.Name][]string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := make(map[mail.Name][]string, len(l.uses))
	for n, u := range l.uses {
		out[n] = u
	}
	return out, nil
}

func (l *memoryLedger) SetSpecialUse(n mail.Name, uses []string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.uses[n] = uses
	if len(uses) == 0 {
		delete(l.uses, n)
	}
	return nil
}

func (l *memoryLedger) Renamed(from, to mail.Name) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for n, u := range maps.Clone(l.uses) {
		if n == from || n.Below(from) {
			delete(l.uses, n)
			l.uses[to+n[len(from):]] = u
		}
	}
	return nil
}

func (l *memoryLedger) Forget(n mail.Name) error { return l.SetSpecialUse(n, nil) }
