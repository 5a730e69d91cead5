package session

import (
	"context"
	"slices"

	"postrider/imap"
	"postrider/mail"
	"postrider/wire"
)

// messages names messages: by sequence numbers, or by UIDs in a UID command.
type messages struct {
	seqs mail.SeqSet
	uids mail.UIDSet
}

func parseSeqs(d *imap.Decoder) messages { return messages{seqs: d.SeqSet()} }
func parseUIDs(d *imap.Decoder) messages { return messages{uids: d.UIDSet()} }

// resolve turns them into UIDs that the view shows, ghosts included. A sequence
// number that is not in use is an error of the client (RFC 3501 9, seq-number); a
// UID that is not is passed over (6.4.8).
func (s *Session) resolve(m messages) (mail.UIDSet, error) {
	if m.seqs == nil {
		return s.sel.view.Existing(m.uids), nil
	}
	uids, ok := s.sel.view.UIDs(m.seqs)
	if !ok {
		return nil, imap.Bad("Invalid message sequence number: there is no such message")
	}
	return uids, nil
}

// writable refuses a change where the mailbox is only examined.
func (s *Session) writable() error {
	if s.sel.readOnly {
		return imap.No(imap.CodeCannot, "Current box is selected READ-ONLY.")
	}
	return nil
}

type storing struct {
	messages
	imap.Store
}

// parseStore reads the arguments of STORE and UID STORE.
//
//	store = "STORE" SP sequence-set SP store-att-flags
func parseStore(set func(*imap.Decoder) messages) func(*imap.Decoder) storing {
	return func(d *imap.Decoder) (a storing) {
		a.messages = set(d)
		d.SP()
		a.Store = d.StoreAction()
		return a
	}
}

// store runs STORE and UID STORE (RFC 3501 6.4.6). Without .SILENT every message of
// the set is answered, changed or not.
func (s *Session) store(ctx context.Context, c *wire.Command, a storing) error {
	if err := s.writable(); err != nil {
		return err
	}
	if a.Flags.Recent {
		return imap.Bad(`\Recent cannot be changed`) // RFC 3501 2.3.2
	}
	if err := settable(a.Flags); err != nil {
		return err
	}
	uids, err := s.resolve(a.messages)
	if err != nil || len(uids) == 0 {
		return err
	}
	change := mail.FlagChange{Op: a.Op, Flags: a.Flags.System, Keywords: slices.Clone(a.Flags.Keywords)}
	res, err := s.sel.SetFlags(ctx, uids, change, 0)
	if err != nil {
		return err
	}
	if err := s.sel.Durable(ctx, res.Snapshot); err != nil {
		return err
	}
	if a.Silent {
		s.sel.view.Silence(res.Snapshot, uids, change)
	} else if err := s.tellStored(ctx, c, uids); err != nil {
		return err
	}
	if len(res.Missing) > 0 && !c.UID() {
		return imap.No(imap.CodeExpungeIssued, "Some of the messages no longer exist.")
	}
	return nil
}

// tellStored tells what changed, and the flags of every message of the set.
func (s *Session) tellStored(ctx context.Context, c *wire.Command, uids mail.UIDSet) error {
	if _, err := s.sync(ctx, syncing{uid: c.UID(), quiet: uids}); err != nil {
		return err
	}
	for uid := range uids.All() {
		seq, ok := s.sel.view.Seq(uid)
		if !ok {
			continue
		}
		if _, live := s.sel.view.Message(seq); live {
			s.tellFlags(seq, c.UID())
		}
	}
	return nil
}

// expunge runs EXPUNGE (RFC 3501 6.4.3); the loop tells what is gone.
func (s *Session) expunge(ctx context.Context, c *wire.Command, _ wire.None) error {
	c.Done("", "EXPUNGE completed")
	return s.remove(ctx, nil)
}

// uidExpunge runs UID EXPUNGE (RFC 4315 2.1).
func (s *Session) uidExpunge(ctx context.Context, c *wire.Command, m messages) error {
	c.Done("", "UID EXPUNGE completed")
	uids, err := s.resolve(m)
	if err != nil {
		return err
	}
	if len(uids) == 0 {
		return s.writable()
	}
	return s.remove(ctx, uids)
}

// remove expunges those of uids that are \Deleted, of all if uids is nil.
func (s *Session) remove(ctx context.Context, uids mail.UIDSet) error {
	if s.sel.readOnly {
		return imap.No(imap.CodeCannot, "Cannot expunge read-only mailbox.")
	}
	return s.expungeDeleted(ctx, uids)
}
