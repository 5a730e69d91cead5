package session

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"postrider/account"
	"postrider/vfs"
)

// A client that goes away in the middle of a message leaves nothing behind.
func TestAppendIsCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		c := h.login(account.PlainStyle(), nil)
		c.send("t APPEND INBOX {100+}\r\nSubject: half")
		synctest.Wait()
		c.conn.Close()
		<-c.done
		if names := h.names("tmp"); len(names) != 0 {
			t.Errorf("tmp holds %q", names)
		}
		c = h.login(account.PlainStyle(), nil)
		c.want("STATUS INBOX (MESSAGES UIDNEXT)", `* STATUS "INBOX" (MESSAGES 0 UIDNEXT 1)`, "t OK STATUS Completed.")
		c.logout()
	})
}

// A client that sends half a message and then nothing is sent away.
func TestAppendStalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		c := h.login(account.PlainStyle(), func(c *Config) { c.ReadTimeout = time.Minute })
		begin := time.Now()
		c.send("t APPEND INBOX {100+}\r\nSubject: half")
		c.lines("* BYE", "* BYE Disconnected for inactivity")
		if d := time.Since(begin); d != time.Minute {
			t.Errorf("after %v", d)
		}
		<-c.done
		if names := h.names("tmp"); len(names) != 0 {
			t.Errorf("tmp holds %q", names)
		}
	})
}

// names lists a directory of the INBOX.
func (h *house) names(dir string) []string {
	h.t.Helper()
	d, err := h.fs.OpenDir(h.root + "/" + dir)
	if err != nil {
		h.t.Fatal(err)
	}
	defer d.Close()
	var names []string
	if err := d.List(func(name string, _ vfs.Type) bool { names = append(names, name); return true }); err != nil {
		h.t.Fatal(err)
	}
	return names
}

// A session without a command ends after its time, in IDLE with signs of life.
func TestInactivity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		short := func(c *Config) { c.IdleTimeout, c.KeepAlive = 5*time.Minute, 2*time.Minute }
		c := h.login(account.PlainStyle(), short)
		begin := time.Now()
		c.lines("* BYE", "* BYE Disconnected for inactivity")
		c = h.login(account.PlainStyle(), short)
		c.send("t IDLE\r\n")
		c.lines("* BYE", "+ entering idle mode", "* OK Still here", "* OK Still here", "* BYE Disconnected for inactivity")
		if d := time.Since(begin); d != 10*time.Minute {
			t.Errorf("both after %v", d)
		}
	})
}

// The server goes down: who waits is told, in IDLE and out of it.
func TestShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		ctx, cancel := context.WithCancel(context.Background())
		h.ctx = ctx
		a, b := h.login(account.PlainStyle(), nil), h.login(account.PlainStyle(), nil)
		a.do("SELECT INBOX")
		b.do("SELECT INBOX")
		b.send("t IDLE\r\n")
		b.until("+ ")
		synctest.Wait()
		cancel()
		for _, c := range []*client{a, b} {
			c.lines("* BYE", "* BYE [UNAVAILABLE] The server is shutting down")
			if err := <-c.done; err != nil {
				t.Error(err)
			}
		}
	})
}

// Without a tag the session greets by itself, and hidden words are not announced.
func TestPreauth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		c := h.login(account.PlainStyle(), func(c *Config) { c.FirstTag, c.Hidden = "", []string{"SORT", "IDLE"} })
		if got := c.greeting[0]; !strings.HasPrefix(got, "* PREAUTH [CAPABILITY IMAP4rev1 ") || strings.Contains(got, "SORT") {
			t.Errorf("%q", got)
		}
		c.want("CAPABILITY", "* CAPABILITY "+strings.Join((&Config{Hidden: []string{"SORT", "IDLE"}}).Capabilities(), " "), "t OK CAPABILITY completed.")
		c.logout()
	})
}

// Answers to commands that were sent in one go come in order, and each is right.
func TestPipelining(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newHouse(t).login(account.PlainStyle(), nil)
		c.append("INBOX", "", plain)
		c.send("a SELECT INBOX\r\nb STORE 1 +FLAGS.SILENT (\\Deleted)\r\nc FETCH 1 FLAGS\r\nd EXPUNGE\r\ne FETCH 1 FLAGS\r\nf IDLE\r\nDONE\r\ng LOGOUT\r\n")
		c.until("a OK")
		c.lines("g ", "b OK STORE completed.", `* 1 FETCH (FLAGS (\Deleted \Recent))`, "c OK FETCH completed.", "* 1 EXPUNGE", "* 0 RECENT", "d OK EXPUNGE completed",
			"e BAD Invalid message sequence number: there is no such message", "+ entering idle mode", "f OK IDLE completed",
			"* BYE Postrider server shutting down", "g OK LOGOUT completed")
	})
}
