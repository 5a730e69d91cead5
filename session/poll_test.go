package session

import (
	"testing"
	"testing/synctest"
	"time"

	"postrider/account"
	"postrider/maildir"
)

// Where nothing notifies, IDLE looks for itself: at the files, and at what another
// process wrote into the journal.
func TestIdleLooksAround(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		other := &house{t: t, fs: h.fs, root: h.root, h: account.NewHouse(account.HouseConfig{FS: h.fs, Unique: maildir.NewUnique("h", 2, time.Now), Fsync: true})}
		a := h.login(account.PlainStyle(), func(c *Config) { c.Poll = 10 * time.Second })
		b := other.login(account.PlainStyle(), nil)
		a.append("INBOX", "", plain)
		a.do("SELECT INBOX")
		b.do("SELECT INBOX")
		a.send("i IDLE\r\n")
		a.until("+ ")
		start := time.Now()
		h.deliver("946685900.x.y", plain)
		a.until("* 2 EXISTS")
		if took := time.Since(start); took > 15*time.Second {
			t.Errorf("a delivery was told after %v", took)
		}
		b.do("STORE 1 +FLAGS (work)")
		a.until(`* 1 FETCH (FLAGS (\Recent work))`)
		a.send("DONE\r\n")
		a.until("i OK")
		a.logout()
		b.logout()
		if err := other.h.Close(); err != nil {
			t.Error(err)
		}
	})
}
