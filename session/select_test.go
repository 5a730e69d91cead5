package session

import (
	"testing"
	"testing/synctest"

	"postrider/account"
)

func TestSelect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newHouse(t).login(account.CourierStyle(), nil)
		c.append("INBOX", `(\Seen $Work) `, sample)
		c.append("INBOX", "", plain)
		c.talk(`
> FETCH 1 FLAGS
t BAD No mailbox is selected
> EXAMINE inbox
* FLAGS (\Draft \Flagged \Answered \Seen \Deleted $Work)
* OK [PERMANENTFLAGS ()] No permanent flags permitted
* 2 EXISTS
* 2 RECENT
* OK [UNSEEN 2] First unseen
* OK [UIDVALIDITY 946684800] Ok
* OK [UIDNEXT 3] Predicted next UID
t OK [READ-ONLY] Ok
> STORE 1 FLAGS ()
t NO [CANNOT] Current box is selected READ-ONLY.
> EXPUNGE
t NO [CANNOT] Cannot expunge read-only mailbox.
> FETCH 2 BODY[]<0.7>
* 2 FETCH (BODY[]<0> {7}
Subject)
t OK FETCH completed.
> FETCH 2 FLAGS
* 2 FETCH (FLAGS (\Recent))
t OK FETCH completed.
> SELECT INBOX
* FLAGS (\Draft \Flagged \Answered \Seen \Deleted $Work)
* OK [PERMANENTFLAGS (\Draft \Flagged \Answered \Seen \Deleted $Work \*)] Limited
* 2 EXISTS
* 2 RECENT
* OK [UNSEEN 2] First unseen
* OK [UIDVALIDITY 946684800] Ok
* OK [UIDNEXT 3] Predicted next UID
t OK [READ-WRITE] Ok
> SELECT INBOX.None
t NO [NONEXISTENT] Mailbox does not exist, or must be subscribed to.
> FETCH 1 FLAGS
t BAD No mailbox is selected
> STATUS INBOX (MESSAGES RECENT UIDNEXT UIDVALIDITY UNSEEN)
* STATUS "INBOX" (MESSAGES 2 RECENT 0 UIDNEXT 3 UIDVALIDITY 946684800 UNSEEN 1)
t OK STATUS Completed.
`)
		c.logout()
	})
}

func TestSelectEmpty(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newHouse(t).login(account.CourierStyle(), nil)
		c.talk(`
> CREATE INBOX.Empty
t OK "INBOX.Empty" created.
> SELECT INBOX.Empty
* FLAGS (\Draft \Flagged \Answered \Seen \Deleted)
* OK [PERMANENTFLAGS (\Draft \Flagged \Answered \Seen \Deleted \*)] Limited
* 0 EXISTS
* 0 RECENT
* OK [UIDVALIDITY 946684800] Ok
* OK [UIDNEXT 1] Predicted next UID
t OK [READ-WRITE] Ok
> FETCH 1:* FLAGS
t BAD Invalid message sequence number: there is no such message
> UID FETCH 1:* FLAGS
t OK UID FETCH completed.
> SEARCH ALL
* SEARCH
t OK SEARCH done.
`)
		c.logout()
	})
}

// CLOSE expunges in silence, UNSELECT and EXAMINE with CLOSE do not.
func TestLeaving(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newHouse(t).login(account.PlainStyle(), nil)
		c.append("INBOX", `(\Deleted) `, plain)
		c.append("INBOX", "", plain)
		left := func(n string) {
			t.Helper()
			c.want("STATUS INBOX (MESSAGES)", `* STATUS "INBOX" (MESSAGES `+n+`)`, "t OK STATUS Completed.")
		}
		c.do("SELECT INBOX")
		c.want("UNSELECT", "t OK UNSELECT completed.")
		left("2")
		c.do("EXAMINE INBOX")
		c.want("CLOSE", "t OK mailbox closed.")
		left("2")
		c.do("SELECT INBOX")
		c.want("CLOSE", "t OK mailbox closed.")
		left("1")
		c.want("CLOSE", "t BAD No mailbox is selected")
		c.logout()
	})
}
