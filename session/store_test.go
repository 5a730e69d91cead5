package session

import (
	"testing"
	"testing/synctest"

	"postrider/account"
)

func TestStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newHouse(t).login(account.PlainStyle(), nil)
		for range 3 {
			c.append("INBOX", "", plain)
		}
		c.do("SELECT INBOX")
		c.talk(`
> STORE 1:2 +FLAGS (\Seen \Draft)
* 1 FETCH (FLAGS (\Draft \Seen \Recent))
* 2 FETCH (FLAGS (\Draft \Seen \Recent))
t OK STORE completed.
> STORE 1:2 +FLAGS (\Seen)
* 1 FETCH (FLAGS (\Draft \Seen \Recent))
* 2 FETCH (FLAGS (\Draft \Seen \Recent))
t OK STORE completed.
> STORE 1:2 -FLAGS.SILENT (\Draft)
t OK STORE completed.
> UID STORE 2,7 FLAGS $Forwarded
* FLAGS (\Draft \Flagged \Answered \Seen \Deleted $Forwarded)
* OK [PERMANENTFLAGS (\Draft \Flagged \Answered \Seen \Deleted $Forwarded \*)] Limited
* 2 FETCH (UID 2 FLAGS (\Recent $Forwarded))
t OK UID STORE completed.
> STORE 1 FLAGS.SILENT ($forwarded NonJunk)
* FLAGS (\Draft \Flagged \Answered \Seen \Deleted $Forwarded NonJunk)
* OK [PERMANENTFLAGS (\Draft \Flagged \Answered \Seen \Deleted $Forwarded NonJunk \*)] Limited
t OK STORE completed.
> STORE 1 -FLAGS (nonjunk)
* 1 FETCH (FLAGS (\Recent $Forwarded))
t OK STORE completed.
> FETCH 1:* FLAGS
* 1 FETCH (FLAGS (\Recent $Forwarded))
* 2 FETCH (FLAGS (\Recent $Forwarded))
* 3 FETCH (FLAGS (\Recent))
t OK FETCH completed.
> STORE 3 FLAGS ()
* 3 FETCH (FLAGS (\Recent))
t OK STORE completed.
> UID STORE 9 +FLAGS (\Deleted)
t OK UID STORE completed.
> STORE 1:9 +FLAGS (\Deleted)
t BAD Invalid message sequence number: there is no such message
> STORE 1 +FLAGS (\Nonsense)
t BAD There is no flag \Nonsense
> STORE 1 FLAGS (\Recent)
t BAD \Recent cannot be changed
> STORE 1 FLAGS ()
* 1 FETCH (FLAGS (\Recent))
t OK STORE completed.
`)
		c.logout()
	})
}

// EXPUNGE tells from the last to the first, and UID EXPUNGE takes only its own.
func TestExpunge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newHouse(t).login(account.PlainStyle(), nil)
		for range 6 {
			c.append("INBOX", "", plain)
		}
		c.do("SELECT INBOX")
		c.do(`STORE 2:3,5:6 +FLAGS.SILENT (\Deleted)`)
		c.talk(`
> UID EXPUNGE 1,4,6,99
* 6 EXPUNGE
* 5 RECENT
t OK UID EXPUNGE completed
> UID EXPUNGE 99
t OK UID EXPUNGE completed
> EXPUNGE
* 5 EXPUNGE
* 3 EXPUNGE
* 2 EXPUNGE
* 2 RECENT
t OK EXPUNGE completed
> UID FETCH 1:* UID
* 1 FETCH (UID 1)
* 2 FETCH (UID 4)
t OK UID FETCH completed.
> EXPUNGE
t OK EXPUNGE completed
`)
		c.append("INBOX", "", plain)
		c.want("UID SEARCH ALL", "* SEARCH 1 4 7", "t OK UID SEARCH done.")
		c.logout()
	})
}

func TestCopyAndMove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newHouse(t).login(account.PlainStyle(), nil)
		c.append("INBOX", `(\Flagged $Work) "05-Feb-2003 00:00:00 +0000" `, sample)
		c.append("INBOX", `(\Seen) `, plain)
		c.append("INBOX", ``, plain)
		c.do("SELECT INBOX")
		c.talk(`
> COPY 1 Box
t NO [TRYCREATE] Must create mailbox first
> CREATE Box
t OK "Box" created.
> COPY 3,1 Box
t OK [COPYUID 946684801 1,3 1:2] COPY completed.
> UID COPY 77 Box
t OK No matching messages, so nothing copied
> COPY 4 Box
t BAD Invalid message sequence number: there is no such message
> COPY 2 INBOX
* 4 EXISTS
* 4 RECENT
t OK [COPYUID 946684800 2 4] COPY completed.
> UID MOVE 2:3 Box
* OK [COPYUID 946684801 2:3 3:4] Moved
* 3 EXPUNGE
* 2 EXPUNGE
* 2 RECENT
t OK UID MOVE completed.
> MOVE 1 Nowhere
t NO [TRYCREATE] Must create mailbox first
> MOVE 1 INBOX
* OK [COPYUID 946684800 1 5] Moved
* 1 EXPUNGE
* 2 EXISTS
t OK MOVE completed.
> FETCH 1:* (UID FLAGS RFC822.SIZE INTERNALDATE)
* 1 FETCH (UID 4 FLAGS (\Seen \Recent) RFC822.SIZE 72 INTERNALDATE " 1-Jan-2000 00:00:00 +0000")
* 2 FETCH (UID 5 FLAGS (\Flagged \Recent $Work) RFC822.SIZE 371 INTERNALDATE " 5-Feb-2003 00:00:00 +0000")
t OK FETCH completed.
> SELECT Box
* FLAGS (\Draft \Flagged \Answered \Seen \Deleted $Work)
* OK [PERMANENTFLAGS (\Draft \Flagged \Answered \Seen \Deleted $Work \*)] Limited
* 4 EXISTS
* 4 RECENT
* OK [UNSEEN 1] First unseen
* OK [UIDVALIDITY 946684801] Ok
* OK [UIDNEXT 5] Predicted next UID
t OK [READ-WRITE] Ok
> FETCH 1:* (FLAGS RFC822.SIZE INTERNALDATE)
* 1 FETCH (FLAGS (\Flagged \Recent $Work) RFC822.SIZE 371 INTERNALDATE " 5-Feb-2003 00:00:00 +0000")
* 2 FETCH (FLAGS (\Recent) RFC822.SIZE 72 INTERNALDATE " 1-Jan-2000 00:00:00 +0000")
* 3 FETCH (FLAGS (\Seen \Recent) RFC822.SIZE 72 INTERNALDATE " 1-Jan-2000 00:00:00 +0000")
* 4 FETCH (FLAGS (\Recent) RFC822.SIZE 72 INTERNALDATE " 1-Jan-2000 00:00:00 +0000")
t OK FETCH completed.
`)
		c.do("EXAMINE Box")
		c.want("MOVE 1 INBOX", "t NO [CANNOT] Current box is selected READ-ONLY.")
		c.logout()
	})
}

func TestAppend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newHouse(t).login(account.PlainStyle(), func(c *Config) { c.AppendLimit = 1000 })
		c.do("SELECT INBOX")
		c.send("a APPEND INBOX (\\Seen Foo) \"01-Jan-1999 00:00:00 +0000\" {5}\r\n")
		c.until("+ ")
		c.send("x\r\ny\n\r\n")
		c.lines("a ", "* FLAGS (\\Draft \\Flagged \\Answered \\Seen \\Deleted Foo)",
			"* OK [PERMANENTFLAGS (\\Draft \\Flagged \\Answered \\Seen \\Deleted Foo \\*)] Limited",
			"* 1 EXISTS", "* 1 RECENT", "a OK [APPENDUID 946684800 1] APPEND Ok.")
		c.talk(`
> FETCH 1 (FLAGS RFC822.SIZE INTERNALDATE)
* 1 FETCH (FLAGS (\Seen \Recent Foo) RFC822.SIZE 5 INTERNALDATE " 1-Jan-1999 00:00:00 +0000")
t OK FETCH completed.
> APPEND Nowhere {5}
t NO [TRYCREATE] Must create mailbox first
> APPEND INBOX {1001}
t NO [TOOBIG] A message may have at most 1000 octets
> APPEND INBOX (\Nonsense) {5}
t BAD There is no flag \Nonsense
> APPEND INBOX {0}
t NO [CANNOT] A message has at least one octet
> APPEND INBOX {5
t BAD Wrong arguments of APPEND: "}" expected at octet 18
`)
		c.send("a APPEND Nowhere {7+}\r\nNOOP\r\nx\r\nb NOOP\r\n")
		c.lines("b ", "a NO [TRYCREATE] Must create mailbox first", "b OK NOOP completed.")
		c.send("a APPEND INBOX {3+}\r\nabc junk\r\nb UID SEARCH ALL\r\n")
		c.lines("b ", "a BAD Wrong arguments of APPEND: the end of the command expected at octet 2", "* SEARCH 1", "b OK UID SEARCH done.")
		c.logout()
	})
}
