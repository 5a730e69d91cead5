package session

import (
	"testing"
	"testing/synctest"

	"postrider/account"
)

func TestFoldersInCouriersStyle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newHouse(t).login(account.CourierStyle(), nil)
		c.want("NAMESPACE", `* NAMESPACE (("INBOX." ".")) NIL NIL`, "t OK NAMESPACE completed.")
		c.want(`LIST "" ""`, `* LIST (\Noselect) "." ""`, "t OK LIST completed.")
		c.want(`CREATE INBOX.Sent`, `t OK "INBOX.Sent" created.`)
		c.want(`CREATE INBOX.Sent`, "t NO [ALREADYEXISTS] Mailbox already exists!")
		c.want(`CREATE inbox`, "t NO [ALREADYEXISTS] INBOX already exists!")
		c.want(`CREATE INBOX.A.B.`, `t OK "INBOX.A.B" created.`)
		c.want(`CREATE INBOX.X (USE (\All))`, `t NO [USEATTR] \All is not supported here`)
		c.want(`LIST "" *`, `* LIST (\HasChildren) "." "INBOX"`, `* LIST (\Noselect \HasChildren) "." "INBOX.A"`,
			`* LIST (\HasNoChildren) "." "INBOX.A.B"`, `* LIST (\HasNoChildren \Sent) "." "INBOX.Sent"`, "t OK LIST completed.")
		c.want(`LIST (SPECIAL-USE) "" *`, `* LIST (\HasNoChildren \Sent) "." "INBOX.Sent"`, "t OK LIST completed.")
		c.want("SUBSCRIBE INBOX.A.B", "t OK Folder subscribed.")
		c.want(`LSUB INBOX %`, `* LSUB (\Noselect \HasChildren) "." "INBOX.A"`, "t OK LSUB completed.")
		c.want(`LIST (SUBSCRIBED) "" *`, `* LIST (\HasNoChildren \Subscribed) "." "INBOX.A.B"`, "t OK LIST completed.")
		c.want("RENAME INBOX.A.B INBOX.C", "t OK Folder renamed.")
		c.want("DELETE INBOX.C", "t OK Folder deleted.")
		c.want("DELETE INBOX.C", "t NO [NONEXISTENT] Mailbox does not exist, or must be subscribed to.")
		c.want("DELETE INBOX", "t NO [CANNOT] This cannot be done with INBOX.")
		c.want("ENABLE CONDSTORE", "* ENABLED", "t OK Options enabled")
		c.want("ID NIL", "* ID NIL", "t OK ID completed.")
		c.logout()
	})
}
