package index

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"postrider/mail"
	"postrider/vfs"
)

const ledgerName = "account"

var ledgerMagic = [8]byte{'P', 'R', 'A', 'C', 'C', 'T', '\r', '\n'}

// Ledger is the file "account" of an account's root: what must be remembered apart
// from any mailbox. It is read whole and written anew at each change, durably,
// under a lock that it takes: other processes may change it too.
type Ledger struct {
	dir  vfs.Dir // the root's "postrider"
	now  func() time.Time
	lock func() (unlock func(), err error)
}

// ledgerState is the file's content.
type ledgerState struct {
	validity  mail.UIDValidity // the highest ever given
	mailboxes map[mail.Name]ledgerMailbox
	damaged   bool // there was a file that could not be read, or not to its end
}

// ledgerMailbox is what is known of one mailbox.
type ledgerMailbox struct {
	uidNext mail.UID
	modseq  mail.ModSeq
	uses    []string
	id      MailboxID
	rest    []byte // what a later version put behind
}

// OpenLedger returns the ledger in dir. lock takes the lock that
// guards it, which must not be one that a mailbox takes.
func OpenLedger(dir vfs.Dir, now func() time.Time, lock func() (unlock func(), err error)) *Ledger {
	return &Ledger{dir: dir, now: now, lock: lock}
}

// Close gives nothing back: no file stays open between calls.
func (l *Ledger) Close() error { return nil }

// NextValidity returns a UIDVALIDITY above every one that it returned before, and
// not below the time in seconds.
func (l *Ledger) NextValidity() (mail.UIDValidity, error) {
	var v mail.UIDValidity
	err := l.change(func(s *ledgerState) {
		s.validity = max(s.validity+1, mail.UIDValidity(l.now().Unix()))
		v = s.validity
	})
	return v, err
}

// Floor returns the UIDNEXT and the mod-sequence below which a mailbox of this name
// may not go on; zeros if nothing is known.
func (l *Ledger) Floor(n mail.Name) (mail.UID, mail.ModSeq, error) {
	s, err := l.read()
	m := s.mailboxes[n]
	return m.uidNext, m.modseq, err
}

// Note raises the marks that Floor returns.
func (l *Ledger) Note(n mail.Name, uidNext mail.UID, modseq mail.ModSeq) error {
	return l.change(func(s *ledgerState) {
		m := s.mailboxes[n]
		m.uidNext, m.modseq = max(m.uidNext, uidNext), max(m.modseq, modseq)
		s.mailboxes[n] = m
	})
}

// SpecialUse returns the attributes that were set, by mailbox.
func (l *Ledger) SpecialUse() (map[mail.Name][]string, error) {
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
	return l.change(func(s *ledgerState) {
		m := s.mailboxes[n]
		m.uses = slices.Clone(uses)
		s.mailboxes[n] = m
	})
}

// ID returns the id of a mailbox (RFC 8474 MAILBOXID). It is given once, at random,
// and stays with the mailbox when it is renamed.
func (l *Ledger) ID(n mail.Name) (MailboxID, error) {
	s, err := l.read()
	if m := s.mailboxes[n]; err != nil || m.id != (MailboxID{}) {
		return m.id, err
	}
	var id MailboxID
	err = l.change(func(s *ledgerState) {
		m := s.mailboxes[n]
		if m.id == (MailboxID{}) {
			rand.Read(m.id[:])
		}
		s.mailboxes[n], id = m, m.id
	})
	return id, err
}

// Renamed moves what is known of a mailbox, and of those below it, to another name.
func (l *Ledger) Renamed(from, to mail.Name) error {
	return l.change(func(s *ledgerState) {
		for n, m := range maps.Clone(s.mailboxes) {
			if n == from || n.Below(from) {
				delete(s.mailboxes, n)
				s.mailboxes[to+n[len(from):]] = m
			}
		}
	})
}

// Forget drops what is known of a mailbox, not of those below it.
func (l *Ledger) Forget(n mail.Name) error {
	return l.change(func(s *ledgerState) { delete(s.mailboxes, n) })
}

func (l *Ledger) change(f func(*ledgerState)) error {
	unlock, err := l.lock()
	if err != nil {
		return fmt.Errorf("locking the account: %w", err)
	}
	defer unlock()
	s, err := l.read()
	if err != nil {
		return err
	}
	if s.damaged { // kept, for whoever wants to look
		aside := fmt.Sprintf("%s.damaged.%d", ledgerName, l.now().UnixNano())
		if err := l.dir.RenameNoReplace(ledgerName, l.dir, aside); err != nil {
			return fmt.Errorf("putting the account's damaged file aside: %w", err)
		}
	}
	f(&s)
	if err := l.write(&s); err != nil {
		return fmt.Errorf("writing the account's file: %w", err)
	}
	return nil
}

// read reads the file. What is damaged counts as not there: time keeps the highest
// UIDVALIDITY growing.
func (l *Ledger) read() (ledgerState, error) {
	s := ledgerState{mailboxes: map[mail.Name]ledgerMailbox{}}
	f, err := l.dir.Open(ledgerName)
	if errors.Is(err, os.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return s, fmt.Errorf("opening the account's file: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return s, fmt.Errorf("reading the account's file: %w", err)
	}
	head := make([]byte, 12)
	if _, err := f.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return s, fmt.Errorf("reading the account's file: %w", err)
	}
	if [8]byte(head) != ledgerMagic {
		s.damaged = true
		return s, nil
	}
	if v := binary.LittleEndian.Uint32(head[8:]); v != formatVersion {
		return s, &FormatError{ledgerName, 8, fmt.Sprintf("format version %d", v), ErrNewer}
	}
	payload, _, err := (&frameReader{r: f, pos: 12, end: info.Size}).next()
	if errors.Is(err, io.EOF) {
		s.damaged = true
		return s, nil
	}
	if err != nil {
		return s, fmt.Errorf("reading the account's file: %w", err)
	}
	s.decode(payload)
	return s, nil
}

func (s *ledgerState) decode(payload []byte) {
	r := &reader{b: payload}
	s.validity = mail.UIDValidity(r.uint32())
	for len(r.b) > 0 && !r.bad {
		name := mail.Name(r.bytes(r.uvarint()))
		body := &reader{b: r.bytes(r.uvarint())}
		m := ledgerMailbox{uidNext: mail.UID(body.uint32()), modseq: mail.ModSeq(body.uvarint())}
		if uses := string(body.bytes(body.uvarint())); uses != "" {
			m.uses = strings.Split(uses, " ")
		}
		copy(m.id[:], body.bytes(uint64(len(m.id))))
		m.rest = []byte(body.rest())
		if r.bad = r.bad || body.bad; !r.bad {
			s.mailboxes[name] = m
		}
	}
	s.damaged = r.bad
}

func (s *ledgerState) encode(dst []byte) []byte {
	text := func(dst []byte, t string) []byte {
		return append(binary.AppendUvarint(dst, uint64(len(t))), t...)
	}
	dst = binary.AppendUvarint(dst, uint64(s.validity))
	for _, n := range slices.Sorted(maps.Keys(s.mailboxes)) {
		m := s.mailboxes[n]
		body := binary.AppendUvarint(nil, uint64(m.uidNext))
		body = binary.AppendUvarint(body, uint64(m.modseq))
		body = text(body, strings.Join(m.uses, " "))
		body = append(append(body, m.id[:]...), m.rest...)
		dst = text(text(dst, string(n)), string(body))
	}
	return dst
}

func (l *Ledger) write(s *ledgerState) error {
	tmp := ledgerName + ".new"
	b := binary.LittleEndian.AppendUint32(slices.Clone(ledgerMagic[:]), formatVersion)
	b = appendFrame(b, s.encode)
	f, err := l.dir.OpenFile(tmp, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(b, 0)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = l.dir.Rename(tmp, l.dir, ledgerName)
	}
	if err == nil {
		err = l.dir.Sync()
	}
	return err
}
