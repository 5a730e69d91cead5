package session

import (
	"context"
	"strconv"

	"postrider/account"
	"postrider/imap"
	"postrider/mail"
	"postrider/mailbox"
	"postrider/wire"
)

type copying struct {
	messages
	mailbox string
}

// parseCopy reads the arguments of COPY and MOVE and their UID forms.
//
//	copy = "COPY" SP sequence-set SP mailbox
func parseCopy(set func(*imap.Decoder) messages) func(*imap.Decoder) copying {
	return func(d *imap.Decoder) (a copying) {
		a.messages = set(d)
		d.SP()
		a.mailbox = d.Mailbox()
		return a
	}
}

// target is an open mailbox and its name.
type target struct {
	*account.Handle
	name mail.Name
}

// destination resolves the messages and opens the mailbox that they go to.
func (s *Session) destination(ctx context.Context, a copying) (mail.UIDSet, target, error) {
	uids, err := s.resolve(a.messages)
	if err != nil {
		return nil, target{}, err
	}
	n, err := s.Account.Style().Parse(a.mailbox)
	if err != nil {
		return nil, target{}, err
	}
	h, err := s.Account.Mailbox(ctx, n)
	if err != nil {
		return nil, target{}, tryCreate(err)
	}
	return uids, target{h, n}, nil
}

// copy runs COPY and UID COPY (RFC 3501 6.4.7): all or nothing, so a set with a
// message that is gone goes nowhere.
func (s *Session) copy(ctx context.Context, c *wire.Command, a copying) error {
	uids, dst, err := s.destination(ctx, a)
	if err != nil {
		return err
	}
	defer dst.Release()
	if len(uids) == 0 {
		c.Done("", "No matching messages, so nothing copied")
		return nil
	}
	if err := s.sendCopied(ctx, dst.name, uids); err != nil {
		return err
	}
	res, err := mailbox.Copy(ctx, s.sel.Mailbox, uids, dst.Mailbox)
	if err != nil {
		return err
	}
	if err := dst.Durable(ctx, res.DestSnapshot); err != nil {
		return err
	}
	s.rememberCopied(res.Source)
	c.Done(copyUID(res), "COPY completed.")
	return nil
}

// move runs MOVE and UID MOVE (RFC 6851), each message in one step: what is gone is
// left out, and said, unless UIDs were named. COPYUID comes before the EXPUNGEs,
// which the loop tells (4.3).
func (s *Session) move(ctx context.Context, c *wire.Command, a copying) error {
	if err := s.writable(); err != nil {
		return err
	}
	uids, dst, err := s.destination(ctx, a)
	if err != nil {
		return err
	}
	defer dst.Release()
	if len(uids) == 0 {
		c.Done("", "No matching messages, so nothing moved")
		return nil
	}
	if err := s.sendCopied(ctx, dst.name, uids); err != nil {
		return err
	}
	res, err := mailbox.Move(ctx, s.sel.Mailbox, uids, dst.Mailbox)
	if len(res.Source) > 0 {
		if derr := s.moved(ctx, c, res, dst); derr != nil {
			return derr
		}
	}
	if err == nil && !c.UID() && res.Source.Len() < uids.Len() {
		return mailbox.ErrVanished
	}
	return err
}

// moved makes the move durable, where the messages are now first, and tells the
// new UIDs.
func (s *Session) moved(ctx context.Context, c *wire.Command, res mailbox.CopyResult, dst target) error {
	if err := dst.Durable(ctx, res.DestSnapshot); err != nil {
		return err
	}
	if err := s.sel.Durable(ctx, res.SourceSnapshot); err != nil {
		return err
	}
	c.Untagged(imap.OK(copyUID(res), "Moved"))
	return nil
}

// copyUID is the response code of RFC 4315 3, "" if nothing was copied.
func copyUID(res mailbox.CopyResult) imap.Code {
	if len(res.Source) == 0 {
		return ""
	}
	b := append([]byte(nil), "COPYUID "...)
	b = append(strconv.AppendUint(b, uint64(res.Validity), 10), ' ')
	b = append(res.Source.AppendText(b), ' ')
	return imap.Code(res.Dest.AppendText(b))
}
