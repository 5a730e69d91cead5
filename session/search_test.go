package session

import (
	"strings"
	"testing"
	"testing/synctest"

	"postrider/account"
)

// inboxOfFive has messages that differ in what SEARCH and SORT look at.
func inboxOfFive(c *client) {
	c.append("INBOX", `(\Seen) "01-Feb-2003 00:00:00 +0000" `, "From: Zoe <z@x>\r\nTo: me@here\r\nSubject: Lunch\r\nDate: Mon, 3 Feb 2003 12:00:00 +0000\r\nMessage-ID: <1@x>\r\n\r\nfish\r\n")
	c.append("INBOX", `(\Flagged) "05-Feb-2003 00:00:00 +0000" `, "From: Ann <a@x>\r\nTo: you@here\r\nCc: me@here\r\nSubject: Re: lunch\r\nDate: Tue, 4 Feb 2003 12:00:00 +0000\r\nMessage-ID: <2@x>\r\nIn-Reply-To: <1@x>\r\n\r\nmeat, and more text\r\n")
	c.append("INBOX", `(\Answered $Work) "03-Feb-2003 00:00:00 +0000" `, "From: Bob <b@x>\r\nSubject: =?utf-8?q?=C3=9Cbung?=\r\nDate: Sun, 2 Feb 2003 12:00:00 +0000\r\nX-Spam: yes\r\n\r\nGr\xc3\xbc\xc3\x9fe\r\n")
	c.append("INBOX", `(\Deleted \Draft) "04-Feb-2003 00:00:00 +0000" `, "From: Ann <a@x>\r\nSubject: [list] Lunch (fwd)\r\nDate: Wed, 5 Feb 2003 12:00:00 +0000\r\nReferences: <1@x> <2@x>\r\n\r\n"+"long text\r\nlong text\r\nlong text\r\nlong text\r\nlong text\r\n")
	c.append("INBOX", `"06-Feb-2003 00:00:00 +0000" `, "Subject: alone\r\n\r\nfish\r\n")
}

func TestSearch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newHouse(t).login(account.PlainStyle(), nil)
		inboxOfFive(c)
		c.do("SELECT INBOX")
		for keys, hits := range map[string]string{
			"ALL": "1 2 3 4 5", "2:3": "2 3", "*": "5", "NOT 2:3 UNSEEN": "4 5", "UID 1,4,9": "1 4", "UID 9:*": "5", "UID 9": "",
			"SEEN": "1", "UNSEEN": "2 3 4 5", "FLAGGED": "2", "UNFLAGGED ANSWERED": "3", "DELETED": "4", "UNDELETED UNDRAFT": "1 2 3 5", "DRAFT": "4",
			"NEW": "2 3 4 5", "RECENT": "1 2 3 4 5", "OLD": "", "KEYWORD $work": "3", "UNKEYWORD $WORK": "1 2 4 5", "KEYWORD Nix": "",
			"BEFORE 3-Feb-2003": "1", "ON 3-Feb-2003": "3", "SINCE 4-Feb-2003": "2 4 5", "SENTBEFORE 3-Feb-2003": "3", "SENTON 4-Feb-2003": "2", "SENTSINCE 4-Feb-2003": "2 4",
			"LARGER 165": "4", "SMALLER 30": "5", "FROM ann": "2 4", "TO here": "1 2", "CC me@": "2", "BCC x": "", "SUBJECT lunch": "1 2 4", `SUBJECT ""`: "1 2 3 4 5",
			"HEADER X-Spam yes": "3", `HEADER X-Spam ""`: "3", "BODY fish": "1 5", "BODY lunch": "", "TEXT lunch": "1 2 4", "BODY \"MORE LONG\"": "",
			"OR SEEN (FLAGGED UNSEEN)": "1 2", "NOT (OR SEEN FLAGGED)": "3 4 5", "CHARSET UTF-8 SUBJECT {5+}\r\n\xc3\xbcbun": "3", "CHARSET ISO-8859-1 BODY {3+}\r\nGr\xfc": "3",
		} {
			if hits != "" {
				hits = " " + hits
			}
			c.want("SEARCH "+keys, "* SEARCH"+hits, "t OK SEARCH done.")
		}
		c.talk(`
> STORE 1 FLAGS ()
* 1 FETCH (FLAGS (\Recent))
t OK STORE completed.
> UID SEARCH UNSEEN SMALLER 120
* SEARCH 1 3 5
t OK UID SEARCH done.
> SEARCH 6
* SEARCH
t OK SEARCH done.
`)
		c.want("SEARCH "+strings.Repeat("OR SUBJECT none ", 900)+"2", "* SEARCH 2", "t OK SEARCH done.")
		c.want("SEARCH "+strings.Repeat("NOT ", 900)+"2", "* SEARCH 2", "t OK SEARCH done.")
		if got := c.do("SEARCH CHARSET KLINGON ALL")[0]; !strings.HasPrefix(got, "t NO [BADCHARSET (UTF-8 US-ASCII ") {
			t.Errorf("%q", got)
		}
		c.logout()
	})
}

func TestSortAndThread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newHouse(t).login(account.PlainStyle(), nil)
		inboxOfFive(c)
		c.do(`SELECT INBOX`)
		for criteria, order := range map[string]string{
			"ARRIVAL": "1 3 4 2 5", "REVERSE ARRIVAL": "5 2 4 3 1", "DATE": "3 1 2 4 5", "SUBJECT": "5 1 2 4 3", "SUBJECT REVERSE DATE": "5 4 2 1 3",
			"FROM": "5 2 4 3 1", "TO": "3 4 5 1 2", "CC": "1 3 4 5 2", "SIZE": "5 1 3 2 4",
		} {
			c.want("SORT ("+criteria+") UTF-8 ALL", "* SORT "+order, "t OK SORT done.")
		}
		c.do("UID EXPUNGE 4")
		c.talk(`
> UID SORT (REVERSE DATE) US-ASCII 2:4
* SORT 5 2 3
t OK UID SORT done.
> THREAD REFERENCES UTF-8 ALL
* THREAD (3)(1 2)(4)
t OK THREAD done.
> UID THREAD ORDEREDSUBJECT UTF-8 NOT FLAGGED
* THREAD (3)(1)(5)
t OK UID THREAD done.
> THREAD REFERENCES UTF-8 UID 99
* THREAD
t OK THREAD done.
`)
		c.logout()
	})
}
