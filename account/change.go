package account

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"postrider/mail"
	"postrider/mailbox"
	"postrider/maildir"
)

// Create makes a mailbox (RFC 3501 6.3.3) and sets its special use, if any is
// given (RFC 6154 3). ErrExists if it is there.
func (a *Account) Create(ctx context.Context, n mail.Name, specialUse []string) error {
	s := a.s
	s.mu.Lock()
	defer s.mu.Unlock()
	dir, err := s.naming.DirName(n)
	if err != nil {
		return err
	}
	t, err := s.treeLocked()
	if err != nil {
		return err
	}
	if node, ok := t.Find(n); n == mail.Inbox || ok && node.Exists {
		return ErrExists
	}
	defer s.changedLocked()
	// What is known of a mailbox that had the name once, and that somebody else
	// removed, must not become this one's: it gets a UIDVALIDITY above.
	if err := s.ledger.Forget(n); err != nil {
		return err
	}
	if err := maildir.MakeFolder(s.root, dir, 0o700); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return ErrExists
		}
		return err
	}
	if len(specialUse) > 0 {
		return s.ledger.SetSpecialUse(n, specialUse)
	}
	return nil
}

// changedLocked has the tree read again at the next look. It needs a.mu.
func (a *shared) changedLocked() { a.tree, a.rootAt = nil, time.Time{} }

// Delete removes a mailbox with its messages; mailboxes below it stay (RFC 3501
// 6.3.4). A name that is only a parent: ErrHasChildren.
func (a *Account) Delete(ctx context.Context, n mail.Name) error {
	remove, err := a.s.detach(n)
	if err != nil {
		return err
	}
	if err := remove(); err != nil {
		// It is no mailbox any more; the next who opens the account goes on.
		a.s.h.c.Logger.Warn("remains of a deleted folder stay", "mailbox", string(n), "err", err)
	}
	return nil
}

// detach takes the mailbox out of the tree and tells who uses it. remove removes
// the files; it takes its time and is called without the lock.
func (a *shared) detach(n mail.Name) (remove func() error, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if n == mail.Inbox {
		return nil, ErrIsInbox
	}
	t, err := a.treeLocked()
	if err != nil {
		return nil, err
	}
	node, ok := t.Find(n)
	switch {
	case !ok:
		return nil, ErrNoMailbox
	case !node.Exists:
		return nil, ErrHasChildren
	}
	dir, err := a.root.OpenDir(node.dir)
	if err != nil {
		return nil, fmt.Errorf("delete mailbox: %w", err)
	}
	defer dir.Close()
	defer a.changedLocked()
	if remove, err = maildir.DetachFolder(a.root, node.dir, a.h.c.Unique); err != nil {
		return nil, err
	}
	if o := a.open[keyOf(dir)]; o != nil {
		a.goneLocked(o)
	}
	if err := a.ledger.Forget(n); err != nil {
		// What it keeps does no harm.
		a.h.c.Logger.Warn("a deleted mailbox stays in the account's file", "mailbox", string(n), "err", err)
	}
	return remove, nil
}

// goneLocked tells the sessions of a mailbox that it was deleted; who uses it
// keeps it until Release. It needs a.mu.
func (a *shared) goneLocked(o *opened) {
	delete(a.open, o.key)
	o.gone = true
	select {
	case <-o.ready:
	default:
		return // fill sees that it is gone
	}
	if o.box != nil {
		o.box.SetGone()
	}
	if o.users == 0 {
		a.closeLogged(o)
	}
}

// Rename gives a mailbox and all below it another name; UIDs and UIDVALIDITY
// stay. Renaming the inbox moves its messages to a new mailbox and leaves it
// empty; what is below it stays (RFC 3501 6.3.5).
func (a *Account) Rename(ctx context.Context, from, to mail.Name) error {
	if from == mail.Inbox {
		return a.renameInbox(ctx, to)
	}
	s := a.s
	s.mu.Lock()
	defer s.mu.Unlock()
	t, err := s.treeLocked()
	if err != nil {
		return err
	}
	pairs, err := s.planRename(t, from, to)
	if err != nil {
		return err
	}
	defer s.changedLocked()
	if err := maildir.RenameFolders(s.root, pairs); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return ErrExists
		}
		return err
	}
	s.renamedLocked(from, to)
	return s.ledger.Renamed(from, to)
}

// renamedLocked has the mailboxes in use go on under their new names, before the
// ledger knows of them: what they note meanwhile is kept. It needs a.mu.
func (a *shared) renamedLocked(from, to mail.Name) {
	for _, o := range a.open {
		if n := *o.name.Load(); n == from || n.Below(from) {
			now := to + n[len(from):]
			o.name.Store(&now)
		}
	}
}

// planRename returns the directories to rename: those of the mailboxes below
// first, so that a crash leaves something to repeat the command on.
func (a *shared) planRename(t *Tree, from, to mail.Name) (pairs []maildir.RenamePair, err error) {
	if _, ok := t.Find(from); !ok {
		return nil, ErrNoMailbox
	}
	if node, ok := t.Find(to); to == mail.Inbox || ok && node.Exists {
		return nil, ErrExists
	}
	if to.Below(from) {
		return nil, fmt.Errorf("%w: it lies below the old one", mail.ErrBadName)
	}
	for _, n := range slices.Backward(t.nodes) {
		if !n.Exists || n.Name != from && !n.Name.Below(from) {
			continue
		}
		dir, err := a.naming.DirName(to + n.Name[len(from):])
		if err != nil {
			return nil, err
		}
		pairs = append(pairs, maildir.RenamePair{Old: n.dir, New: dir})
	}
	return pairs, nil
}

func (a *Account) renameInbox(ctx context.Context, to mail.Name) error {
	if err := a.Create(ctx, to, nil); err != nil {
		return err
	}
	inbox, err := a.Mailbox(ctx, mail.Inbox)
	if err != nil {
		return err
	}
	defer inbox.Release()
	dst, err := a.Mailbox(ctx, to)
	if err != nil {
		return err
	}
	defer dst.Release()
	s, err := inbox.Refresh(ctx)
	if err != nil || s.Len() == 0 {
		return err
	}
	all := mail.UIDSet{{First: 1, Last: s.Message(s.Len() - 1).UID}}
	moved, err := mailbox.Move(ctx, inbox.Mailbox, all, dst.Mailbox)
	if err != nil {
		return err
	}
	if err := dst.Durable(ctx, moved.DestSnapshot); err != nil {
		return err
	}
	return inbox.Durable(ctx, moved.SourceSnapshot)
}

// Subscribe adds a name to the subscriptions. It need not exist.
func (a *Account) Subscribe(ctx context.Context, n mail.Name) error {
	return a.subscribe(ctx, n, true)
}

// Unsubscribe removes a name from the subscriptions. It need not be there.
func (a *Account) Unsubscribe(ctx context.Context, n mail.Name) error {
	return a.subscribe(ctx, n, false)
}

func (a *Account) subscribe(ctx context.Context, n mail.Name, on bool) error {
	s := a.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	dir, err := s.naming.DirName(n)
	if err != nil {
		return err
	}
	if _, err := s.rootLocked(); err != nil {
		return err
	}
	defer s.changedLocked()
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(s.h.c.LockWait, 30*time.Second)) // the lock is INBOX's
	defer cancel()
	return maildir.ChangeSubscribed(ctx, s.root, s.h.c.Unique, func(lines []string) ([]string, bool) {
		is := func(line string) bool { m, ok := s.subscribedName(line); return ok && m == n }
		switch found := slices.ContainsFunc(lines, is); {
		case on && !found:
			return append(lines, maildir.SubscribedLine(dir)), true
		case !on && found:
			return slices.DeleteFunc(lines, is), true
		}
		return lines, false
	})
}
