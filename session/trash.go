package session

import (
	"context"
	"errors"

	"postrider/account"
	"postrider/mail"
	"postrider/mailbox"
)

// Trash is where expunged messages go instead of being removed: Courier's
// IMAP_MOVE_EXPUNGE_TO_TRASH, announced as XMAGICTRASH.
type Trash struct {
	Name mail.Name
}

// takes reports whether what is expunged from the selected mailbox goes to the trash.
func (s *Session) trashTakes() bool { return s.Trash != nil && s.sel.name != s.Trash.Name }

// expungeDeleted expunges those of uids that are \Deleted, of all if uids is nil: to
// the trash, if there is one. What this session has copied is removed, as it exists
// elsewhere already: that is how clients without MOVE move.
func (s *Session) expungeDeleted(ctx context.Context, uids mail.UIDSet) error {
	if s.trashTakes() {
		var err error
		if uids, err = s.moveToTrash(ctx, uids); err != nil || len(uids) == 0 {
			return err
		}
	}
	before := s.sel.Snapshot()
	snap, gone, err := s.sel.Expunge(ctx, uids, true)
	s.logExpunged(before, gone)
	if err != nil {
		return err
	}
	return s.sel.Durable(ctx, snap)
}

// moveToTrash moves the \Deleted messages of uids to the trash, but for those that
// were copied, which it returns. \Deleted goes first: a crash between leaves a
// message that is not deleted, nothing worse.
func (s *Session) moveToTrash(ctx context.Context, uids mail.UIDSet) (copied mail.UIDSet, err error) {
	var moved mail.UIDSet
	for uid := range s.sel.Snapshot().DeletedAmong(uids).All() {
		if _, ok := s.sel.copied[uid]; ok {
			copied.Add(uid)
		} else {
			moved.Add(uid)
		}
	}
	if len(moved) == 0 {
		return copied, nil
	}
	trash, err := s.openTrash(ctx)
	if err != nil {
		return nil, err
	}
	defer trash.Release()
	stored, err := s.sel.SetFlags(ctx, moved, mail.FlagChange{Op: mail.RemoveFlags, Flags: mail.Deleted}, 0)
	if err != nil {
		return nil, err
	}
	if err := s.sel.Durable(ctx, stored.Snapshot); err != nil {
		return nil, err
	}
	before := s.sel.Snapshot()
	res, err := mailbox.Move(ctx, s.sel.Mailbox, moved, trash.Mailbox)
	s.logExpunged(before, res.Source)
	if len(res.Source) > 0 {
		if err := errors.Join(trash.Durable(ctx, res.DestSnapshot), s.sel.Durable(ctx, res.SourceSnapshot)); err != nil {
			return nil, err
		}
	}
	return copied, err
}

// openTrash opens the trash, and makes it if it is not there.
func (s *Session) openTrash(ctx context.Context) (*account.Handle, error) {
	h, err := s.Account.Mailbox(ctx, s.Trash.Name)
	if !errors.Is(err, account.ErrNoMailbox) {
		return h, err
	}
	if err := s.Account.Create(ctx, s.Trash.Name, nil); err != nil {
		return nil, err
	}
	return s.Account.Mailbox(ctx, s.Trash.Name)
}

// rememberCopied remembers that messages exist elsewhere, where that matters.
func (s *Session) rememberCopied(uids mail.UIDSet) {
	if !s.trashTakes() {
		return
	}
	if s.sel.copied == nil {
		s.sel.copied = make(map[mail.UID]struct{})
	}
	for uid := range uids.All() {
		s.sel.copied[uid] = struct{}{}
	}
}

// logExpunged logs what left the selected mailbox, if that is asked for.
func (s *Session) logExpunged(before *mailbox.Snapshot, gone mail.UIDSet) {
	if !s.LogDeletions {
		return
	}
	for uid := range gone.All() {
		if m, ok := before.Lookup(uid); ok {
			s.Logger.Info("expunged", "mailbox", s.sel.name, "uid", uid, "old_name", m.Base+m.Info)
		}
	}
}
