package mailbox_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"postrider/mail"
	"postrider/mailbox"
)

// client is a mail client that knows only what its session told it.
type client struct {
	box  *box
	view *mailbox.View
	list []known
}

type known struct {
	uid   mail.UID
	flags string
}

func flagsOf(s *mailbox.Snapshot, m mailbox.Message) string {
	return m.Flags.String() + " " + strings.Join(slices.Sorted(slices.Values(s.KeywordsOf(m))), " ")
}

func newClient(b *box) *client {
	c := &client{box: b, view: mailbox.NewView(b.Snapshot())}
	c.fetch()
	return c
}

// fetch learns what the client does not know of the messages at the end.
func (c *client) fetch() {
	for n := len(c.list) + 1; n <= c.view.Len(); n++ {
		c.list = append(c.list, c.at(n))
	}
}

func (c *client) at(n int) known {
	m, _ := c.view.Message(mail.SeqNum(n))
	words := slices.Sorted(slices.Values(c.view.KeywordsAt(mail.SeqNum(n))))
	return known{m.UID, m.Flags.String() + " " + strings.Join(words, " ")}
}

// sync is the end of a command.
func (c *client) sync(expunge bool) error {
	for u := range c.view.Sync(c.box.Snapshot(), expunge) {
		switch u.Kind {
		case mailbox.Expunge:
			if int(u.Seq) > len(c.list) || c.list[u.Seq-1].uid != u.UID {
				return fmt.Errorf("expunge of %d, UID %d: the client has %v", u.Seq, u.UID, c.list)
			}
			c.list = slices.Delete(c.list, int(u.Seq)-1, int(u.Seq))
		case mailbox.Exists:
			if u.N < len(c.list) {
				return fmt.Errorf("EXISTS %d after %d", u.N, len(c.list))
			}
			c.fetch()
		case mailbox.Flags:
			if k := c.at(int(u.Seq)); k.uid != u.UID {
				return fmt.Errorf("flags of %d: UID %d, not %d", u.Seq, k.uid, u.UID)
			} else {
				c.list[u.Seq-1] = k
			}
		case mailbox.Invalid:
			return errors.New("another UIDVALIDITY")
		}
	}
	return c.numbers()
}

// numbers checks the view's arithmetic.
func (c *client) numbers() error {
	if len(c.list) != c.view.Len() {
		return fmt.Errorf("the client has %d messages, the view %d", len(c.list), c.view.Len())
	}
	for i, k := range c.list {
		uid, ok := c.view.UID(mail.SeqNum(i + 1))
		seq, found := c.view.Seq(k.uid)
		if !ok || !found || uid != k.uid || int(seq) != i+1 {
			return fmt.Errorf("number %d is UID %d, UID %d is number %d", i+1, uid, k.uid, seq)
		}
	}
	if n := len(c.list); n > 0 {
		all, ok := c.view.UIDs(mail.SeqSet{{First: 1, Last: mail.Star}})
		if !ok || all.Len() != n || c.view.Existing(mail.UIDSet{{First: 1, Last: mail.Star}}).String() != all.String() {
			return fmt.Errorf("1:* is %v of %d", all, n)
		}
	}
	return nil
}
