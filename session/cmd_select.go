package session

import (
	"context"
	"strconv"

	"postrider/imap"
	"postrider/mail"
	"postrider/mailbox"
	"postrider/wire"
)

func parseID(d *imap.Decoder) [][2]string { return d.ID() }

func parseMailbox(d *imap.Decoder) string { return d.Mailbox() }

// selectBox runs SELECT and EXAMINE (RFC 3501 6.3.1, 6.3.2): what was selected is
// left first, so that a failure leaves nothing selected.
func (s *Session) selectBox(ctx context.Context, c *wire.Command, name string) error {
	s.deselect()
	n, err := s.Account.Style().Parse(name)
	if err != nil {
		return err
	}
	sel, err := s.open(ctx, n, c.Name == "EXAMINE")
	if err != nil {
		return err
	}
	s.sel = sel
	s.describe()
	if sel.readOnly {
		c.Done(imap.CodeReadOnly, "Ok")
	} else {
		c.Done(imap.CodeReadWrite, "Ok")
	}
	return nil
}

// open opens a mailbox, claims \Recent unless it is only examined, and begins the
// view of it.
func (s *Session) open(ctx context.Context, n mail.Name, readOnly bool) (sel *selected, err error) {
	h, err := s.Account.Mailbox(ctx, n)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			h.Release()
		}
	}()
	snap, err := h.Refresh(ctx)
	if err != nil {
		return nil, err
	}
	readOnly = readOnly || h.ReadOnly()
	lowest := snap.RecentFrom()
	if !readOnly && snap.Unclaimed() > 0 {
		if lowest, snap, err = h.ClaimRecent(ctx); err != nil {
			return nil, err
		}
	}
	if err := h.Durable(ctx, snap); err != nil {
		return nil, err
	}
	sel = &selected{Handle: h, name: n, view: mailbox.NewView(snap), readOnly: readOnly}
	sel.view.SetRecent(lowest, snap.UIDNext())
	return sel, nil
}

// describe writes the untagged responses of SELECT, in Courier's order with what
// RFC 3501 adds.
func (s *Session) describe() {
	view := s.sel.view
	snap := view.Snapshot()
	s.tellFlagNames()
	s.tellNumber(uint64(snap.Len()), " EXISTS\r\n")
	s.tellNumber(uint64(view.Recent()), " RECENT\r\n")
	view.RecentTold()
	b := s.Conn.AvailableBuffer()
	if i := snap.FirstUnseen(); i >= 0 {
		b = append(b, "* OK [UNSEEN "...)
		b = strconv.AppendInt(b, int64(i+1), 10)
		b = append(b, "] First unseen\r\n"...)
	}
	b = append(b, "* OK [UIDVALIDITY "...)
	b = strconv.AppendUint(b, uint64(snap.UIDValidity()), 10)
	b = append(b, "] Ok\r\n* OK [UIDNEXT "...)
	b = strconv.AppendUint(b, uint64(snap.UIDNext()), 10)
	s.Conn.Write(append(b, "] Predicted next UID\r\n"...))
}

// deselect leaves the selected mailbox, if there is one.
func (s *Session) deselect() {
	if s.sel != nil {
		s.sel.Release()
		s.sel = nil
	}
}

// closeBox runs CLOSE (RFC 3501 6.4.2): it expunges and tells nothing of it.
func (s *Session) closeBox(ctx context.Context, c *wire.Command, _ wire.None) error {
	if !s.sel.readOnly && !s.sel.Gone() {
		if err := s.expungeDeleted(ctx, nil); err != nil {
			return err
		}
	}
	s.deselect()
	c.Done("", "mailbox closed.")
	return nil
}

// unselect runs UNSELECT (RFC 3691).
func (s *Session) unselect(context.Context, *wire.Command, wire.None) error {
	s.deselect()
	return nil
}
