package session

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"postrider/account"
)

// What is expunged goes to the trash, without \Deleted; what this session has copied,
// and what is in the trash, is removed.
func TestExpungeToTrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		c := h.login(account.PlainStyle(), func(c *Config) { c.Trash = &Trash{Name: "Trash"} })
		c.do("CREATE Kept")
		for range 3 {
			c.append("INBOX", `(\Seen) `, plain)
		}
		c.do("SELECT INBOX")
		c.do("COPY 2 Kept")
		c.talk(`
> STORE 1:2 +FLAGS.SILENT (\Deleted)
t OK STORE completed.
> EXPUNGE
* 2 EXPUNGE
* 1 EXPUNGE
* 1 RECENT
t OK EXPUNGE completed
> STATUS Trash (MESSAGES UNSEEN)
* STATUS "Trash" (MESSAGES 1 UNSEEN 0)
t OK STATUS Completed.
> STORE 1 +FLAGS.SILENT (\Deleted)
t OK STORE completed.
> CLOSE
t OK mailbox closed.
> STATUS Trash (MESSAGES)
* STATUS "Trash" (MESSAGES 2)
t OK STATUS Completed.
> STATUS Kept (MESSAGES)
* STATUS "Kept" (MESSAGES 1)
t OK STATUS Completed.
`)
		c.do("SELECT Trash")
		if got := c.do("FETCH 1:2 FLAGS"); len(got) != 3 || bytes.Contains([]byte(got[0]+got[1]), []byte(`\Deleted`)) {
			t.Errorf("%q", got)
		}
		c.do(`STORE 1:2 +FLAGS.SILENT (\Deleted)`)
		c.do("EXPUNGE")
		c.talk(`
> STATUS INBOX (MESSAGES)
* STATUS "INBOX" (MESSAGES 0)
t OK STATUS Completed.
> STATUS Trash (MESSAGES)
* STATUS "Trash" (MESSAGES 0)
t OK STATUS Completed.
`)
		c.logout()
	})
}

// mailer keeps what is sent.
type mailer struct {
	sent      []string
	discarded int
	fails     bool
}

type note struct {
	bytes.Buffer
	m *mailer
}

func (m *mailer) New() (Letter, error) { return &note{m: m}, nil }

func (n *note) Send(context.Context) error {
	if n.m.fails {
		return errors.New("the mailer is out")
	}
	n.m.sent = append(n.m.sent, n.String())
	return nil
}

func (n *note) Discard() { n.m.discarded++ }

// What is put into the outbox is sent first; what could not be sent is not there.
func TestOutbox(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := new(mailer)
		h := newHouse(t)
		c := h.login(account.PlainStyle(), func(c *Config) { c.Outbox = &Outbox{Name: "Outbox", Wire: "Outbox", New: m.New} })
		c.do("CREATE Outbox")
		c.append("INBOX", "", plain)
		c.append("Outbox", "", plain)
		c.append("INBOX", "", plain)
		c.do("SELECT INBOX")
		c.want("COPY 1:2 Outbox", "t NO [ALERT] Only one message may be sent at a time.")
		c.do("COPY 2 Outbox")
		if len(m.sent) != 2 || m.sent[0] != m.sent[1] || m.sent[0] != plain {
			t.Errorf("sent %q", m.sent)
		}
		m.fails = true
		c.want("COPY 1 Outbox", "t NO [ALERT] Unable to send E-mail message.")
		c.want("MOVE 1 Outbox", "t NO [ALERT] Unable to send E-mail message.")
		c.want("STATUS Outbox (MESSAGES)", `* STATUS "Outbox" (MESSAGES 2)`, "t OK STATUS Completed.")
		if m.discarded != 4 {
			t.Errorf("%d letters were given back", m.discarded)
		}
		c.logout()
	})
}

func TestNoSort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newHouse(t).login(account.PlainStyle(), func(c *Config) { c.NoSort = true })
		c.do("SELECT INBOX")
		for _, command := range []string{"SORT (DATE) UTF-8 ALL", "UID SORT (DATE) UTF-8 ALL", "THREAD REFERENCES UTF-8 ALL"} {
			c.want(command, "t NO [CANNOT] This command is disabled by the system administrator.")
		}
		if bytes.Contains([]byte(c.greeting[0]), []byte("SORT")) || bytes.Contains([]byte(c.greeting[0]), []byte("THREAD")) {
			t.Errorf("%q", c.greeting[0])
		}
		c.logout()
	})
}
