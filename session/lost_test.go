package session

import (
	"fmt"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"postrider/account"
	"postrider/maildir"
	"postrider/vfs/faultfs"
)

// Messages that the index cannot be read for cost the command that asks for them: the
// conversation goes on, no answer is cut, and nothing looks empty.
func TestUnreadableIndex(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		c := h.login(account.PlainStyle(), nil)
		for i := range 600 {
			h.deliverNow(fmt.Sprintf("946684900.M%d.x", i), plain)
		}
		time.Sleep(time.Minute)
		c.do("SELECT INBOX")
		time.Sleep(3 * time.Minute) // so that the mtimes prove something
		c.do("NOOP")
		c.logout()
		var broken atomic.Bool
		fs := faultfs.Wrap(h.fs, func(op faultfs.Op) error {
			if broken.Load() && op.Kind == "readat" && (strings.HasSuffix(op.Path, "/index") || strings.HasSuffix(op.Path, "/journal")) {
				return syscall.EIO
			}
			return nil
		})
		h.h = account.NewHouse(account.HouseConfig{FS: fs, Unique: maildir.NewUnique("h", 2, time.Now), Fsync: true})
		c = h.login(account.PlainStyle(), nil)
		c.do("SELECT INBOX")
		broken.Store(true)
		c.want("FETCH 300 FLAGS", "t NO [UNAVAILABLE] The mailbox is being checked, try again.")
		broken.Store(false)
		c.talk(`
> FETCH 300 FLAGS
* 300 FETCH (FLAGS ())
t OK FETCH completed.
`)
		c.logout()
	})
}
