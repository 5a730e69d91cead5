package session

import (
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"postrider/account"
	"postrider/maildir"
	"postrider/vfs/faultfs"
	"postrider/vfs/memfs"
)

// What other programs do to the files is told when it is met, expunges at NOOP: until
// then a message whose file is gone is a ghost.
func TestForeignHands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		c := h.login(account.PlainStyle(), nil)
		h.deliver("946684900.a.x", plain)
		h.deliver("946684901.b.x", plain)
		h.deliver("946684902.c.x", plain)
		c.do("SELECT INBOX")
		time.Sleep(time.Minute)
		cur, err := h.fs.OpenDir("/m/cur")
		if err != nil {
			t.Fatal(err)
		}
		defer cur.Close()
		if err := cur.Rename("946684900.a.x:2,", cur, "946684900.a.x:2,RS"); err != nil {
			t.Fatal(err)
		}
		if err := cur.Remove("946684902.c.x:2,"); err != nil {
			t.Fatal(err)
		}
		c.talk(`
> FETCH 3 BODY.PEEK[]<0.3>
* 1 FETCH (FLAGS (\Answered \Seen \Recent))
t NO [EXPUNGEISSUED] Some of the messages no longer exist.
> FETCH 1 BODY.PEEK[]<0.3>
* 1 FETCH (BODY[]<0> {3}
Sub)
t OK FETCH completed.
> NOOP
* 3 EXPUNGE
* 2 RECENT
t OK NOOP completed.
`)
		c.logout()
	})
}

// Sizes and dates that are not known yet are found out, but for those of messages
// whose files are gone.
func TestFactsOfGhosts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		a, b := h.login(account.PlainStyle(), nil), h.login(account.PlainStyle(), nil)
		h.deliver("946684900.a.x", plain)
		h.deliver("946684901.b.x", plain)
		h.deliver("946684902.c.x", plain)
		a.do("SELECT INBOX")
		b.do("SELECT INBOX")
		a.do(`STORE 2 +FLAGS.SILENT (\Deleted)`)
		a.do("EXPUNGE")
		b.talk(`
> FETCH 1:3 (UID RFC822.SIZE)
* 1 FETCH (UID 1 RFC822.SIZE 72)
* 2 FETCH (UID 2)
* 3 FETCH (UID 3 RFC822.SIZE 72)
t NO [EXPUNGEISSUED] Some of the messages no longer exist.
> SEARCH LARGER 1
* SEARCH 1 3
t OK SEARCH done.
> SORT (SIZE) UTF-8 ALL
* SORT 1 3
t OK SORT done.
> SORT (SUBJECT) UTF-8 TEXT hello
* SORT 1 3
t OK SORT done.
> THREAD REFERENCES UTF-8 ALL
* THREAD ((1)(3))
t OK THREAD done.
`)
		a.logout()
		b.logout()
	})
}

// A full disk refuses what needs room, and nothing else.
func TestFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		c := h.login(account.PlainStyle(), nil)
		c.append("INBOX", "", plain)
		c.do("CREATE Box")
		c.do("SELECT INBOX")
		h.fs.SetQuota(1)
		for _, command := range []string{`APPEND INBOX {4+}` + "\r\nabcd", `STORE 1 +FLAGS (\Seen)`, "COPY 1 Box"} {
			answer := c.do(command)
			if last := answer[len(answer)-1]; !strings.HasPrefix(last, "t OK") && last != "t NO [OVERQUOTA] No space is left for this." {
				t.Errorf("%s: %q", command, answer)
			}
		}
		c.want("FETCH 1 BODY.PEEK[]<0.3>", "* 1 FETCH (BODY[]<0> {3}", "Sub)", "t OK FETCH completed.")
		h.fs.SetQuota(0)
		c.want("NOOP", "t OK NOOP completed.")
		c.append("INBOX", "", plain)
		if answer := c.do("UID SEARCH ALL"); len(strings.Fields(answer[0])) != 4 {
			t.Errorf("%q", answer)
		}
		c.logout()
	})
}

// An error of the disk is told, and is over when it is over.
func TestBadDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var broken atomic.Bool
		fs := memfs.New(memfs.Options{})
		faulty := faultfs.Wrap(fs, func(op faultfs.Op) error {
			if broken.Load() {
				return syscall.EIO
			}
			return nil
		})
		h := &house{t: t, fs: fs, root: "/m", h: account.NewHouse(account.HouseConfig{FS: faulty, Unique: maildir.NewUnique("h", 1, time.Now), Fsync: true})}
		c := h.login(account.PlainStyle(), nil)
		c.append("INBOX", "", plain)
		c.do("CREATE Box")
		c.do("SELECT INBOX")
		for _, command := range []string{"FETCH 1 BODY[]", `STORE 1 +FLAGS (\Flagged)`, "COPY 1 Box", "MOVE 1 Box", `APPEND INBOX {4+}` + "\r\nabcd", `LIST "" *`, "SELECT Box"} {
			c.do("SELECT INBOX")
			broken.Store(true)
			answer := c.do(command)
			broken.Store(false)
			if last := answer[len(answer)-1]; !strings.HasPrefix(last, "t NO [") || len(answer) != 1 {
				t.Errorf("%s: %q", command, answer)
			}
		}
		c.want("SELECT INBOX", c.do("SELECT INBOX")...)
		if got := c.section("FETCH 1 BODY.PEEK[]"); got != plain {
			t.Errorf("%q", got)
		}
		c.logout()
	})
}
