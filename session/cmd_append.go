package session

import (
	"context"
	"fmt"
	"io"

	"postrider/account"
	"postrider/imap"
	"postrider/mail"
	"postrider/mailbox"
	"postrider/wire"
)

func parseAppend(d *imap.Decoder) imap.Append { return d.Append() }

// keptBytes is how much of an appended message is kept in hand to fill the cache
// with; what is larger is read back when it is first asked for.
const keptBytes = 1 << 20

// appendMessage runs APPEND (RFC 3501 6.3.11). Whatever can be refused is refused
// before the message is invited.
func (s *Session) appendMessage(ctx context.Context, c *wire.Command, a imap.Append) error {
	n, err := s.Account.Style().Parse(a.Mailbox)
	if err != nil {
		return err
	}
	if err := settable(a.Flags); err != nil {
		return err
	}
	if a.Literal.Size > s.AppendLimit {
		return imap.No(imap.CodeTooBig, fmt.Sprintf("A message may have at most %d octets", s.AppendLimit))
	}
	if a.Literal.Size == 0 {
		return imap.No(imap.CodeCannot, "A message has at least one octet")
	}
	h, err := s.Account.Mailbox(ctx, n)
	if err != nil {
		return tryCreate(err)
	}
	defer h.Release()
	letter, err := s.letterFor(n)
	if err != nil {
		return err
	}
	return s.receive(ctx, c, h, a, letter)
}

// receive takes the message, sends it if it is a letter, and puts it into the mailbox.
func (s *Session) receive(ctx context.Context, c *wire.Command, h *account.Handle, a imap.Append, letter Letter) error {
	if letter != nil {
		defer letter.Discard()
	}
	draft, err := h.NewAppend(ctx, a.Literal.Size)
	if err != nil {
		return err
	}
	defer draft.Abort()
	r, err := c.Literal()
	if err != nil {
		return err
	}
	kept := &keeper{limit: keptBytes}
	to := io.MultiWriter(draft, kept)
	if letter != nil {
		to = io.MultiWriter(draft, kept, letter)
	}
	n, err := io.Copy(to, r)
	if err != nil {
		return err
	}
	if n != a.Literal.Size {
		return io.ErrUnexpectedEOF
	}
	if err := c.EndLiteral(); err != nil {
		return err
	}
	if err := s.send(ctx, letter); err != nil {
		return err
	}
	uid, validity, snap, err := draft.Commit(ctx, a.Flags.System, a.Flags.Keywords, a.Date)
	if err != nil {
		return err
	}
	if err := h.Durable(ctx, snap); err != nil {
		return err
	}
	s.cacheAppended(h.Mailbox, uid, kept)
	c.Done(imap.Code(fmt.Sprintf("APPENDUID %d %d", validity, uid)), "APPEND Ok.")
	return nil
}

// cacheAppended fills the cache from the bytes in hand.
func (s *Session) cacheAppended(box *mailbox.Mailbox, uid mail.UID, k *keeper) {
	if k.b == nil || k.over {
		return
	}
	if d, err := derive(k, int64(len(k.b))); err == nil {
		d.put(box, uid)
	}
}

// keeper keeps what is written to it, up to a limit.
type keeper struct {
	b     []byte
	limit int
	over  bool
}

func (k *keeper) Write(p []byte) (int, error) {
	if k.over = k.over || len(k.b)+len(p) > k.limit; k.over {
		k.b = nil
		return len(p), nil
	}
	k.b = append(k.b, p...)
	return len(p), nil
}

// ReadAt implements io.ReaderAt over what was kept.
func (k *keeper) ReadAt(p []byte, off int64) (int, error) {
	if off >= int64(len(k.b)) {
		return 0, io.EOF
	}
	n := copy(p, k.b[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// settable refuses flags that nobody can set.
func settable(f imap.Flags) error {
	if f.Unknown != "" {
		return imap.Bad("There is no flag " + f.Unknown)
	}
	return nil
}
