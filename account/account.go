package account

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"
	"time"

	"postrider/mail"
	"postrider/maildir"
	"postrider/vfs"
)

// Account is one session's use of a user's mailboxes. Its methods may be called
// by several goroutines; Close comes last.
type Account struct {
	s     *shared
	style Style
	once  sync.Once
}

// shared is an account, however many sessions use it.
type shared struct {
	h      *House
	key    dirKey
	root   vfs.Dir
	naming maildir.Naming
	ledger Ledger
	users  int // guarded by House.mu

	mu     sync.Mutex // the tree, and changes to it
	tree   *Tree
	rootAt time.Time // mtime of root that tree stands for; zero: read again
	subsAt time.Time // mtime of the subscriptions that tree stands for
	open   map[dirKey]*opened
}

// shared opens the account or counts one more user.
func (h *House) shared(c Config) (*shared, error) {
	if err := h.c.FS.MkdirAll(c.Root, 0o700); err != nil {
		return nil, fmt.Errorf("open account: %w", err)
	}
	root, err := h.c.FS.OpenDir(c.Root)
	if err != nil {
		return nil, fmt.Errorf("open account: %w", err)
	}
	dev, ino := root.Key()
	key := dirKey{dev, ino}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		root.Close()
		return nil, ErrClosed
	}
	if a := h.accounts[key]; a != nil {
		root.Close()
		a.users++
		return a, nil
	}
	a := &shared{h: h, key: key, root: root, users: 1, open: make(map[dirKey]*opened)}
	if err := a.prepare(c); err != nil {
		root.Close()
		return nil, fmt.Errorf("open account %s: %w", c.Root, err)
	}
	h.accounts[key] = a
	return a, nil
}

// prepare makes the root a Maildir and finds out how its folders are spelled.
func (a *shared) prepare(c Config) error {
	if err := maildir.MakeFolder(a.root, "", 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := maildir.RemoveLeftovers(a.root); err != nil {
		a.h.c.Logger.Warn("remains of a deleted folder stay", "root", c.Root, "err", err)
	}
	a.naming.Escapes = c.Style.Delimiter != '.'
	if c.Encoding != nil {
		a.naming.Encoding = *c.Encoding
	} else if enc, err := maildir.DetectEncoding(a.root); err == nil {
		a.naming.Encoding = enc
	} else {
		return err
	}
	if a.h.c.OpenLedger == nil {
		a.ledger = &memoryLedger{now: a.h.c.Now, uses: make(map[mail.Name][]string)}
		return nil
	}
	var err error
	a.ledger, err = a.h.c.OpenLedger(a.root)
	return err
}

// Close ends this use of the account.
func (a *Account) Close() error {
	var err error
	a.once.Do(func() {
		h := a.s.h
		h.mu.Lock()
		a.s.users--
		last := a.s.users == 0 && h.accounts[a.s.key] == a.s
		if last {
			delete(h.accounts, a.s.key)
		}
		h.mu.Unlock()
		if last {
			err = a.s.close()
		}
	})
	return err
}

func (a *shared) close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	var errs []error
	for _, o := range a.open {
		errs = append(errs, o.close())
	}
	clear(a.open)
	return errors.Join(append(errs, a.ledger.Close(), a.root.Close())...)
}

// Style is how this session's client sees names.
func (a *Account) Style() Style { return a.style }

// List returns the tree as it is now.
func (a *Account) List(ctx context.Context) (*Tree, error) {
	a.s.mu.Lock()
	defer a.s.mu.Unlock()
	return a.s.treeLocked()
}

// settled is how old a modification time must be to prove that nothing changed
// after the directory was read.
const settled = 2 * time.Second

// treeLocked needs a.mu.
func (a *shared) treeLocked() (*Tree, error) {
	st, err := a.root.StatSelf()
	if err != nil {
		return nil, err
	}
	var subsAt time.Time
	if s, err := a.root.Stat("courierimapsubscribed"); err == nil {
		subsAt = s.Mtime
	}
	if a.tree != nil && a.rootAt.Equal(st.Mtime) && a.subsAt.Equal(subsAt) {
		return a.tree, nil
	}
	t, err := a.readTree()
	if err != nil {
		return nil, err
	}
	a.tree, a.rootAt, a.subsAt = t, st.Mtime, subsAt
	if now := a.h.c.Now(); now.Sub(st.Mtime) < settled || now.Sub(subsAt) < settled {
		a.rootAt = time.Time{}
	}
	return t, nil
}

func (a *shared) readTree() (*Tree, error) {
	entries, err := maildir.ListFolders(a.root, a.naming)
	if err != nil {
		return nil, err
	}
	dirs := make(map[mail.Name]string, len(entries))
	for _, e := range entries {
		dirs[e.Name] = e.Dir
	}
	lines, err := maildir.ReadSubscribed(a.root)
	if err != nil {
		return nil, err
	}
	var subscribed []mail.Name
	for _, line := range lines {
		if n, ok := a.subscribedName(line); ok && !slices.Contains(subscribed, n) {
			subscribed = append(subscribed, n)
		}
	}
	uses, err := a.ledger.SpecialUse()
	if err != nil {
		return nil, err
	}
	return newTree(dirs, subscribed, uses), nil
}

// subscribedName is the mailbox of a line; false for a line of another kind
// (shared folders), which stays in the file.
func (a *shared) subscribedName(line string) (mail.Name, bool) {
	if len(line) < len(mail.Inbox) || !mail.Name(line[:len(mail.Inbox)]).IsInbox() {
		return "", false
	}
	if len(line) == len(mail.Inbox) {
		return mail.Inbox, true
	}
	return a.naming.NameOfDir(line[len(mail.Inbox):])
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

func (l *memoryLedger) Floor(mail.Name) (mail.UID, mail.ModSeq, error) { return 0, 0, nil }
func (l *memoryLedger) Close() error                                   { return nil }

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
	if u, ok := l.uses[from]; ok && to != "" {
		l.uses[to] = u
	}
	delete(l.uses, from)
	return nil
}
