package index

import (
	"crypto/rand"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"postrider/mail"
	"postrider/vfs"
)

// Ledger is the file "account" of an account's root: what must be remembered apart
// from any mailbox. Each change is appended to it, durably, under a lock that the
// ledger takes: other processes may change it too. ledgerfile.go has the bytes.
type Ledger struct {
	dir  vfs.Dir // the root's "postrider"
	now  func() time.Time
	lock func() (unlock func(), err error)

	follow  func() (vfs.Dir, error) // nil: dir stays
	mu      sync.Mutex              // taken before lock
	file    ledgerFile
	suspect bool // a write failed: the next change writes the file anew
}

// Marks are numbers that a mailbox has not gone beyond: UIDNEXT and mod-sequence
// under a UIDVALIDITY. They are written down ahead of need, so that one write does
// for thousands of messages.
type Marks struct {
	UIDValidity mail.UIDValidity
	UIDNext     mail.UID
	ModSeq      mail.ModSeq
}

// ledgerState is the file's content.
type ledgerState struct {
	validity  mail.UIDValidity // the highest ever given
	mailboxes map[mail.Name]ledgerMailbox
}

// ledgerMailbox is what is known of one mailbox.
type ledgerMailbox struct {
	marks Marks
	uses  []string
	id    MailboxID
	rest  string // what a later version put behind
}

// OpenLedger returns the ledger in dir. lock takes the lock that
// guards it, which must not be one that a mailbox takes.
func OpenLedger(dir vfs.Dir, now func() time.Time, lock func() (unlock func(), err error)) *Ledger {
	return &Ledger{dir: dir, now: now, lock: lock}
}

// Follow has the ledger ask for its directory before each use, one goroutine at a time.
func (l *Ledger) Follow(dir func() (vfs.Dir, error)) { l.follow = dir }

// Close gives nothing back: no file stays open between calls.
func (l *Ledger) Close() error { return nil }

// NextValidity returns a UIDVALIDITY above every one that it returned before, and
// not below the time in seconds.
func (l *Ledger) NextValidity() (mail.UIDValidity, error) {
	var v mail.UIDValidity
	err := l.change(func(s *ledgerState) []mail.Name {
		s.validity = max(s.validity+1, mail.UIDValidity(l.now().Unix()))
		v = s.validity
		return nil
	})
	return v, err
}

// Floor returns the marks of the mailbox of this name; zeros if nothing is known.
func (l *Ledger) Floor(n mail.Name) (Marks, error) {
	m, err := l.look(n)
	return m.marks, err
}

// Note raises the marks that Floor returns. Those of another UIDVALIDITY are of
// another mailbox and are replaced.
func (l *Ledger) Note(n mail.Name, marks Marks) error {
	return l.changeOne(n, func(m *ledgerMailbox) { m.marks = m.marks.raised(marks) })
}

// raised is the higher of both where they are of one mailbox, else n.
func (m Marks) raised(n Marks) Marks {
	if m.UIDValidity == n.UIDValidity {
		n.UIDNext, n.ModSeq = max(n.UIDNext, m.UIDNext), max(n.ModSeq, m.ModSeq)
	}
	return n
}

// SpecialUse returns the attributes that were set, by mailbox.
func (l *Ledger) SpecialUse() (map[mail.Name][]string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s, err := l.read()
	uses := map[mail.Name][]string{}
	for n, m := range s.mailboxes {
		if len(m.uses) > 0 {
			uses[n] = m.uses
		}
	}
	return uses, err
}

// SetSpecialUse sets the attributes of a mailbox; none removes them.
func (l *Ledger) SetSpecialUse(n mail.Name, uses []string) error {
	return l.changeOne(n, func(m *ledgerMailbox) { m.uses = slices.Clone(uses) })
}

// ID returns the id of a mailbox (RFC 8474 MAILBOXID). It is given once, at random,
// and stays with the mailbox when it is renamed.
func (l *Ledger) ID(n mail.Name) (MailboxID, error) {
	if m, err := l.look(n); err != nil || m.id != (MailboxID{}) {
		return m.id, err
	}
	var id MailboxID
	err := l.changeOne(n, func(m *ledgerMailbox) {
		if m.id == (MailboxID{}) {
			rand.Read(m.id[:])
		}
		id = m.id
	})
	return id, err
}

// Renamed moves what is known of a mailbox, and of those below it, to another name.
// What the new name had is gone, but for marks of the same mailbox that are higher:
// it may be in use under its new name already.
func (l *Ledger) Renamed(from, to mail.Name) error {
	return l.change(func(s *ledgerState) (touched []mail.Name) {
		for n, m := range maps.Clone(s.mailboxes) {
			if n == from || n.Below(from) {
				now := to + n[len(from):]
				m.marks = s.mailboxes[now].marks.raised(m.marks)
				delete(s.mailboxes, n)
				s.mailboxes[now] = m
				touched = append(touched, n, now)
			}
		}
		return touched
	})
}

// Forget drops what is known of a mailbox, not of those below it.
func (l *Ledger) Forget(n mail.Name) error {
	return l.change(func(s *ledgerState) []mail.Name {
		if _, known := s.mailboxes[n]; !known {
			return nil
		}
		delete(s.mailboxes, n)
		return []mail.Name{n}
	})
}

func (l *Ledger) look(n mail.Name) (ledgerMailbox, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s, err := l.read()
	return s.mailboxes[n], err
}

func (l *Ledger) changeOne(n mail.Name, f func(*ledgerMailbox)) error {
	return l.change(func(s *ledgerState) []mail.Name {
		m := s.mailboxes[n]
		f(&m)
		s.mailboxes[n] = m
		return []mail.Name{n}
	})
}

// change applies f, which returns the mailboxes that it changed, and writes it down.
func (l *Ledger) change(f func(*ledgerState) []mail.Name) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.followDir(); err != nil { // the lock is the directory's
		return err
	}
	unlock, err := l.lock()
	if err != nil {
		return fmt.Errorf("locking the account: %w", err)
	}
	defer unlock()
	s, err := l.read()
	if err != nil {
		return err
	}
	before := s.validity
	touched := f(s)
	if len(touched) == 0 && s.validity == before {
		return nil
	}
	if err := l.store(s, touched); err != nil {
		l.file, l.suspect = ledgerFile{}, true // what of it is on disk is not known
		return fmt.Errorf("writing the account's file: %w", err)
	}
	return nil
}
