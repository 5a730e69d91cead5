package session

import (
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"postrider/account"
)

// deliver writes a file into new, as an MTA does, a while after all else (in a
// bubble: the clock stands still by itself).
func (h *house) deliver(name, message string) {
	h.t.Helper()
	time.Sleep(time.Second)
	h.deliverNow(name, message)
}

// deliverNow writes it in the same tick of the clock.
func (h *house) deliverNow(name, message string) {
	h.t.Helper()
	d, err := h.fs.OpenDir("/m/new")
	if err != nil {
		h.t.Fatal(err)
	}
	defer d.Close()
	f, err := d.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600)
	if err != nil {
		h.t.Fatal(err)
	}
	f.Write([]byte(message))
	f.Close()
}

// two are two sessions of one account, with n messages in the INBOX that both have
// selected.
func two(t *testing.T, n int) (h *house, a, b *client) {
	h = newHouse(t)
	a, b = h.login(account.PlainStyle(), nil), h.login(account.PlainStyle(), nil)
	for range n {
		a.append("INBOX", "", plain)
	}
	a.do("SELECT INBOX")
	b.do("SELECT INBOX")
	return h, a, b
}

// What one expunges keeps its number with the other until EXPUNGE may be told; it
// is answered as far as no file is needed.
func TestGhosts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, a, b := two(t, 4)
		b.do("FETCH 2 ENVELOPE")
		a.do(`STORE 2:3 +FLAGS.SILENT (\Deleted)`)
		a.want("EXPUNGE", "* 3 EXPUNGE", "* 2 EXPUNGE", "* 2 RECENT", "t OK EXPUNGE completed")
		b.talk(`
> FETCH 2 FLAGS
* 2 FETCH (FLAGS ())
t OK FETCH completed.
> FETCH 2:4 (FLAGS UID)
* 2 FETCH (FLAGS () UID 2)
* 3 FETCH (FLAGS () UID 3)
* 4 FETCH (FLAGS () UID 4)
t NO [EXPUNGEISSUED] Some of the messages no longer exist.
> FETCH 2 (UID BODY.PEEK[])
* 2 FETCH (UID 2)
t NO [EXPUNGEISSUED] Some of the messages no longer exist.
> FETCH 2:3 ENVELOPE
* 2 FETCH (ENVELOPE ("Tue, 2 Jan 2024 00:00:00 +0000" "two" ((NIL NIL "b" "y")) ((NIL NIL "b" "y")) ((NIL NIL "b" "y")) NIL NIL NIL NIL NIL))
* 3 FETCH (ENVELOPE ("Tue, 2 Jan 2024 00:00:00 +0000" "two" ((NIL NIL "b" "y")) ((NIL NIL "b" "y")) ((NIL NIL "b" "y")) NIL NIL NIL NIL NIL))
t NO [EXPUNGEISSUED] Some of the messages no longer exist.
> SEARCH ALL
* SEARCH 1 4
t OK SEARCH done.
> STORE 2,4 +FLAGS (\Flagged)
* 4 FETCH (FLAGS (\Flagged))
t NO [EXPUNGEISSUED] Some of the messages no longer exist.
> STORE 1:4 +FLAGS.SILENT (\Flagged)
t NO [EXPUNGEISSUED] Some of the messages no longer exist.
> FETCH 5 FLAGS
t BAD Invalid message sequence number: there is no such message
> NOOP
* 3 EXPUNGE
* 2 EXPUNGE
t OK NOOP completed.
> FETCH 1:* (FLAGS UID)
* 1 FETCH (FLAGS (\Flagged) UID 1)
* 2 FETCH (FLAGS (\Flagged) UID 4)
t OK FETCH completed.
`)
		a.logout()
		b.logout()
	})
}

// COPY of a set with a ghost copies nothing; MOVE moves what is there, and says so.
func TestCopyOfGhosts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, a, b := two(t, 3)
		a.do("CREATE Box")
		expunge := func(n string) {
			a.do("STORE " + n + ` +FLAGS.SILENT (\Deleted)`)
			a.do("EXPUNGE")
		}
		expunge("1")
		b.talk(`
> COPY 1:2 Box
* 1 EXPUNGE
t NO [EXPUNGEISSUED] Some of the messages no longer exist.
> STATUS Box (MESSAGES)
* STATUS "Box" (MESSAGES 0)
t OK STATUS Completed.
`)
		expunge("1")
		b.talk(`
> MOVE 1:2 Box
* OK [COPYUID 946684801 3 1] Moved
* 2 EXPUNGE
* 1 EXPUNGE
t NO [EXPUNGEISSUED] Some of the messages no longer exist.
> STATUS Box (MESSAGES)
* STATUS "Box" (MESSAGES 1)
t OK STATUS Completed.
`)
		a.logout()
		b.logout()
	})
}

// .SILENT hides the session's own change and no other's.
func TestSilentWithAForeignChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, a, b := two(t, 2)
		a.do(`STORE 1 +FLAGS (\Answered)`)
		b.want(`STORE 1:2 +FLAGS.SILENT (\Flagged)`, `* 1 FETCH (FLAGS (\Flagged \Answered))`, "t OK STORE completed.")
		a.want("NOOP", `* 1 FETCH (FLAGS (\Flagged \Answered \Recent))`, `* 2 FETCH (FLAGS (\Flagged \Recent))`, "t OK NOOP completed.")
		a.logout()
		b.logout()
	})
}

// IDLE tells of flags, of an APPEND and of expunges of others, when they happen.
func TestIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, a, b := two(t, 2)
		// said compares without RECENT: which of the two gets it is a race.
		said := func(prefix string, want ...string) {
			t.Helper()
			got := slices.DeleteFunc(b.until(prefix), func(line string) bool { return strings.HasSuffix(line, " RECENT") })
			if !slices.Equal(got, want) {
				t.Errorf("\n got %q\nwant %q", got, want)
			}
		}
		b.send("i IDLE\r\n")
		b.lines("+ ", "+ entering idle mode")
		a.do(`STORE 2 +FLAGS (\Seen Foo)`)
		said("* 2 FETCH", `* FLAGS (\Draft \Flagged \Answered \Seen \Deleted Foo)`,
			`* OK [PERMANENTFLAGS (\Draft \Flagged \Answered \Seen \Deleted Foo \*)] Limited`, `* 2 FETCH (FLAGS (\Seen Foo))`)
		a.append("INBOX", "", plain)
		said("* 3 EXISTS", "* 3 EXISTS")
		a.do(`STORE 1 +FLAGS.SILENT (\Deleted)`)
		said("* 1 FETCH", `* 1 FETCH (FLAGS (\Deleted))`)
		a.do("EXPUNGE")
		said("* 1 EXPUNGE", "* 1 EXPUNGE")
		b.send("DONE\r\n")
		said("i ", "i OK IDLE completed")
		b.send("i IDLE\r\n")
		b.until("+ ")
		b.send("done?\r\n")
		said("i ", "i BAD IDLE ends with DONE")
		b.want("NOOP", "t OK NOOP completed.")
		a.logout()
		b.logout()
	})
}

// A file that an MTA delivers is there at the next NOOP, \Recent to one session.
func TestDelivery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, a, b := two(t, 0)
		h.deliver("946684999.x.y", "Subject: new\n\nmail\n")
		a.want("NOOP", "* 1 EXISTS", "* 1 RECENT", "t OK NOOP completed.")
		b.want("NOOP", "* 1 EXISTS", "t OK NOOP completed.")
		b.want("SEARCH RECENT", "* SEARCH", "t OK SEARCH done.")
		a.want("FETCH 1 (FLAGS RFC822.SIZE BODY.PEEK[TEXT])", "* 1 FETCH (FLAGS (\\Recent) RFC822.SIZE 22 BODY[TEXT] {6}", "mail", ")", "t OK FETCH completed.")
		b.do("UNSELECT")
		h.deliver("946685999.x.y", "Subject: new\n\nmail\n")
		b.want("STATUS INBOX (MESSAGES RECENT UNSEEN)", `* STATUS "INBOX" (MESSAGES 2 RECENT 1 UNSEEN 2)`, "t OK STATUS Completed.")
		a.want("NOOP", "* 2 EXISTS", "* 2 RECENT", "t OK NOOP completed.")
		a.logout()
		b.logout()
	})
}

// What comes in the tick in which the folder was read and changed is found by the
// mailbox's next look, a minute later, where nothing watches.
func TestDeliveryInOneTick(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, a, b := two(t, 0)
		h.deliver("946684999.x.y", plain)
		a.want("NOOP", "* 1 EXISTS", "* 1 RECENT", "t OK NOOP completed.")
		h.deliverNow("946685000.x.y", plain)
		time.Sleep(time.Minute + 2*time.Second)
		a.want("NOOP", "* 2 EXISTS", "* 2 RECENT", "t OK NOOP completed.")
		a.logout()
		b.logout()
	})
}

// The selected mailbox is deleted by another session: the connection ends with a
// word. Renamed, it stays what it is.
func TestSelectedMailboxGoesAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, a, b := two(t, 0)
		a.do("CREATE Box")
		a.append("Box", "", plain)
		idle := h.login(account.PlainStyle(), nil)
		idle.do("EXAMINE Box")
		idle.send("i IDLE\r\n")
		idle.until("+ ")
		b.do("SELECT Box")
		a.want("RENAME Box Chest", "t OK Folder renamed.")
		b.want("FETCH 1 BODY.PEEK[TEXT]<0.2>", "* 1 FETCH (BODY[TEXT]<0> {2}", "he)", "t OK FETCH completed.")
		b.want(`STORE 1 +FLAGS (\Seen)`, `* 1 FETCH (FLAGS (\Seen \Recent))`, "t OK STORE completed.")
		a.append("Chest", "", plain)
		b.want("NOOP", "* 2 EXISTS", "* 2 RECENT", "t OK NOOP completed.")
		b.want("DELETE Chest", "t NO [INUSE] Cannot delete currently-open folder.")
		a.want("DELETE Chest", "t OK Folder deleted.")
		b.send("t NOOP\r\n")
		b.lines("* BYE", "* BYE The selected mailbox was deleted")
		if err := <-b.done; err != nil {
			t.Error(err)
		}
		if said := idle.until("* BYE"); said[len(said)-1] != "* BYE The selected mailbox was deleted" {
			t.Errorf("IDLE: %q", said)
		}
		a.logout()
	})
}
