package account

import (
	"context"
	"errors"
	"io/fs"
	"sync"
	"sync/atomic"
	"time"

	"postrider/mail"
	"postrider/maildir"
	"postrider/vfs"
	"postrider/watch"
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
	h     *House
	key   dirKey
	root  vfs.Dir // rests after a while: rest.go
	users int     // guarded by House.mu
	apart bool    // another account has its place in House.accounts; guarded by House.mu
	rest  rootRest

	mu       sync.Mutex // the tree, and changes to it
	prepared bool       // the next three are set, and stay
	naming   maildir.Naming
	control  string // Config.DovecotControl
	ledger   Ledger
	closed   bool
	removed  bool // and logged
	tree     *Tree
	rootAt   time.Time // mtime of root that tree stands for; zero: read again
	subsAt   time.Time // mtime of the subscriptions that tree stands for
	open     map[dirKey]*opened

	folders   map[string]bool // directories that were folders at foldersAt; mu guards both
	foldersAt time.Time

	rootMu    sync.Mutex // the next two
	rootWatch watch.Watch
	rootLeft  bool           // the account is closed: not to be watched any more
	rootSeen  atomic.Bool    // a goroutine of rootLooks is about to begin
	rootLooks sync.WaitGroup // goroutines that root's events led to
}

// enter counts one more user of the account at c.Root.
func (h *House) enter(c Config) (*shared, error) {
	if err := h.c.FS.MkdirAll(c.Root, 0o700); err != nil {
		return nil, err
	}
	root, err := h.c.FS.OpenDir(c.Root)
	if err != nil {
		return nil, err
	}
	key := keyOf(root)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		root.Close()
		return nil, ErrClosed
	}
	a := h.accounts[key]
	if a != nil && !vfs.SameDir(a.root, root) { // its root was removed while it rested
		a.apart, a = true, nil
	}
	if a == nil {
		a = &shared{h: h, key: key, open: make(map[dirKey]*opened)}
		a.root = a.restingRoot(root)
		a.rootWoke()
		h.accounts[key] = a
	} else {
		root.Close()
	}
	a.users++
	return a, nil
}

// leave takes back what enter counted. The last closes the account.
func (a *shared) leave() error {
	a.h.mu.Lock()
	a.users--
	mine := a.h.accounts[a.key] == a
	last := a.users == 0 && (mine || a.apart)
	if mine && last {
		delete(a.h.accounts, a.key)
	}
	a.h.mu.Unlock()
	if last {
		return a.close()
	}
	return nil
}

// prepare makes the root a Maildir and finds out how its folders are spelled.
// It does so once; if it fails, the next user tries again.
func (a *shared) prepare(ctx context.Context, c Config) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return ErrClosed
	}
	if a.prepared {
		return nil
	}
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
	a.control = c.DovecotControl
	if err := a.takeSubscriptions(ctx); err != nil {
		a.h.c.Logger.Warn("the subscriptions of Dovecot are not taken over", "root", c.Root, "err", err)
	}
	var err error
	if a.h.c.OpenLedger == nil {
		a.ledger = &memoryLedger{now: a.h.c.Now, uses: make(map[mail.Name][]string)}
	} else {
		a.ledger, err = a.h.c.OpenLedger(a.root)
	}
	if a.prepared = err == nil; a.prepared {
		a.rest.also(a.ledger)
	}
	return err
}

// Close ends this use of the account.
func (a *Account) Close() error {
	var err error
	a.once.Do(func() { err = a.s.leave() })
	return err
}

// close closes every mailbox, used or not, and the account.
func (a *shared) close() error {
	a.leaveRoot()
	a.rest.end()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.closed = true // nothing is opened any more
	var errs []error
	for _, o := range a.open {
		a.mu.Unlock()
		<-o.ready
		a.mu.Lock()
		errs = append(errs, o.close())
	}
	clear(a.open)
	if a.prepared {
		errs = append(errs, a.ledger.Close())
	}
	return errors.Join(append(errs, a.root.Close())...)
}

// Style is how this session's client sees names.
func (a *Account) Style() Style { return a.style }

// Namespaces are the parts of the tree that a client sees (RFC 2342): its
// user's own, other users', and shared ones.
type Namespaces struct{ Personal, Others, Shared []Style }

// Namespaces returns the parts that this account has: its own alone.
func (a *Account) Namespaces() Namespaces { return Namespaces{Personal: []Style{a.style}} }

// List returns the tree as it is now.
func (a *Account) List(ctx context.Context) (*Tree, error) {
	a.s.mu.Lock()
	defer a.s.mu.Unlock()
	return a.s.treeLocked()
}

// settled is how old a modification time must be to prove that nothing changed
// after the directory was read.
const settled = 2 * time.Second

// rootLocked looks at the root. ErrRemoved: there is nothing to serve any more, and
// whoever logs in next begins anew. It needs a.mu.
func (a *shared) rootLocked() (vfs.Info, error) {
	st, err := a.root.StatSelf()
	if err == nil && st.Nlink == 0 {
		return st, a.removedLocked()
	}
	return st, err
}

// removedLocked returns ErrRemoved, and logs that once.
func (a *shared) removedLocked() error {
	if !a.removed {
		a.h.c.Logger.Error("an account's directory was removed or moved away while it was in use", "root", a.root.Path())
	}
	a.removed = true
	return ErrRemoved
}

// treeLocked needs a.mu.
func (a *shared) treeLocked() (*Tree, error) {
	if a.closed {
		return nil, ErrClosed
	}
	st, err := a.rootLocked()
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

// listFolders lists the folders. While the root changes, or has just done so, each
// command reads it anew; what was a folder a moment ago is then not looked into, so
// that a command costs the names of an account of many folders, not their insides.
func (a *shared) listFolders() ([]maildir.Entry, error) {
	now := a.h.c.Now()
	whole := a.folders == nil || now.Sub(a.foldersAt) >= settled || now.Before(a.foldersAt)
	if whole {
		a.folders, a.foldersAt = nil, now
	}
	entries, err := maildir.RelistFolders(a.root, a.naming, a.folders)
	if err != nil {
		return nil, err
	}
	if a.folders == nil {
		a.folders = make(map[string]bool, len(entries))
	}
	for _, e := range entries {
		if e.Dir != "" {
			a.folders[e.Dir] = true
		}
	}
	return entries, nil
}

func (a *shared) readTree() (*Tree, error) {
	entries, err := a.listFolders()
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
	known := make(map[mail.Name]bool)
	for _, line := range lines {
		if n, ok := a.subscribedName(line); ok && !known[n] {
			known[n] = true
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
