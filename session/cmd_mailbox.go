package session

import (
	"context"
	"slices"
	"strings"

	"postrider/account"
	"postrider/imap"
	"postrider/mail"
	"postrider/wire"
)

// specialUses are the attributes that a mailbox can be given (RFC 6154 2). \All
// and \Flagged would have to be filled by the server.
var specialUses = []string{`\Archive`, `\Drafts`, `\Junk`, `\Sent`, `\Trash`}

func parseCreate(d *imap.Decoder) imap.Create { return d.Create() }

// create runs CREATE (RFC 3501 6.3.3), with USE (RFC 6154 3).
func (s *Session) create(ctx context.Context, c *wire.Command, a imap.Create) error {
	style := s.Account.Style()
	n, err := style.Parse(strings.TrimSuffix(a.Mailbox, string(rune(style.Delimiter))))
	if err != nil {
		return err
	}
	if n == mail.Inbox {
		return imap.No(imap.CodeAlreadyExists, "INBOX already exists!")
	}
	var uses []string
	for _, word := range a.Use {
		i := slices.IndexFunc(specialUses, func(u string) bool { return strings.EqualFold(u, word) })
		if i < 0 {
			return imap.No(imap.CodeUseAttr, word+" is not supported here")
		}
		uses = append(uses, specialUses[i])
	}
	if err := s.Account.Create(ctx, n, uses); err != nil {
		return err
	}
	c.Done("", `"`+string(imap.AppendUTF7(nil, style.Wire(n)))+`" created.`)
	return nil
}

// delete runs DELETE (RFC 3501 6.3.4). Like Courier it does not saw off the branch
// it sits on.
func (s *Session) delete(ctx context.Context, c *wire.Command, name string) error {
	n, err := s.Account.Style().Parse(name)
	if err != nil {
		return err
	}
	if s.sel != nil && n != mail.Inbox {
		if h, err := s.Account.Mailbox(ctx, n); err == nil {
			same := h.Mailbox == s.sel.Mailbox
			h.Release()
			if same {
				return imap.No(imap.CodeInUse, "Cannot delete currently-open folder.")
			}
		}
	}
	if err := s.Account.Delete(ctx, n); err != nil {
		return err
	}
	c.Done("", "Folder deleted.")
	return nil
}

type renaming struct{ from, to string }

// parseRename reads the names of RENAME.
//
//	rename = "RENAME" SP mailbox SP mailbox
func parseRename(d *imap.Decoder) (r renaming) {
	r.from = d.Mailbox()
	d.SP()
	r.to = d.Mailbox()
	return r
}

// rename runs RENAME (RFC 3501 6.3.5). The selected mailbox may be renamed: what is
// open stays open.
func (s *Session) rename(ctx context.Context, c *wire.Command, r renaming) error {
	style := s.Account.Style()
	from, err := style.Parse(r.from)
	if err != nil {
		return err
	}
	to, err := style.Parse(strings.TrimSuffix(r.to, string(rune(style.Delimiter))))
	if err != nil {
		return err
	}
	if err := s.Account.Rename(ctx, from, to); err != nil {
		return err
	}
	c.Done("", "Folder renamed.")
	return nil
}

// subscribe runs SUBSCRIBE and UNSUBSCRIBE (RFC 3501 6.3.6, 6.3.7). A name need not
// exist for either.
func (s *Session) subscribe(ctx context.Context, c *wire.Command, name string) error {
	style := s.Account.Style()
	n, err := style.Parse(strings.TrimSuffix(name, string(rune(style.Delimiter))))
	if err != nil {
		return err
	}
	if c.Name == "UNSUBSCRIBE" {
		c.Done("", "Folder unsubscribed.")
		return s.Account.Unsubscribe(ctx, n)
	}
	c.Done("", "Folder subscribed.")
	return s.Account.Subscribe(ctx, n)
}

// namespace runs NAMESPACE (RFC 2342): the user's own folders and no others.
func (s *Session) namespace(_ context.Context, c *wire.Command, _ wire.None) error {
	style := s.Account.Style()
	c.WriteString(`* NAMESPACE (("` + style.Prefix + `" "` + string(rune(style.Delimiter)) + "\")) NIL NIL\r\n")
	return nil
}

// status runs STATUS (RFC 3501 6.3.10). It claims no \Recent.
func (s *Session) status(ctx context.Context, c *wire.Command, a statusArgs) error {
	n, err := s.Account.Style().Parse(a.mailbox)
	if err != nil {
		return err
	}
	h, err := s.Account.Mailbox(ctx, n)
	if err != nil {
		return err
	}
	defer h.Release()
	return s.tellStatus(ctx, c, h, a)
}

type statusArgs struct {
	mailbox string
	items   []imap.StatusItem
}

// parseStatus reads the arguments of STATUS.
//
//	status = "STATUS" SP mailbox SP "(" status-att *(SP status-att) ")"
func parseStatus(d *imap.Decoder) (a statusArgs) {
	a.mailbox = d.Mailbox()
	d.SP()
	a.items = d.StatusItems()
	return a
}

func (s *Session) tellStatus(ctx context.Context, c *wire.Command, h *account.Handle, a statusArgs) error {
	snap, err := h.Refresh(ctx)
	if err != nil {
		return err
	}
	if err := h.Durable(ctx, snap); err != nil {
		return err
	}
	recent := snap.Unclaimed()
	if s.sel != nil && s.sel.Mailbox == h.Mailbox && !s.sel.readOnly {
		recent += s.sel.view.Recent()
	}
	values := map[imap.StatusItem]uint64{
		imap.StatusMessages: uint64(snap.Len()), imap.StatusRecent: uint64(recent),
		imap.StatusUIDNext: uint64(snap.UIDNext()), imap.StatusUIDValidity: uint64(snap.UIDValidity()),
		imap.StatusUnseen: uint64(snap.Unseen()),
	}
	b := append(c.AvailableBuffer(), "* STATUS "...)
	b = imap.AppendMailbox(b, a.mailbox)
	sep := " ("
	for _, item := range a.items {
		b = append(b, sep...)
		b = append(b, item.String()...)
		b = appendNumber(append(b, ' '), values[item])
		sep = " "
	}
	c.Write(append(b, ")\r\n"...))
	c.Done("", "STATUS Completed.")
	return nil
}
