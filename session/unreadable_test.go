package session

import (
	"bytes"
	"log/slog"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"postrider/account"
	"postrider/maildir"
	"postrider/vfs/faultfs"
	"postrider/vfs/memfs"
)

// A message whose file cannot be read keeps nobody from the others, and the log says
// which it is.
func TestUnreadableMessage(t *testing.T) {
	for _, errno := range []syscall.Errno{syscall.EACCES, syscall.EIO} {
		synctest.Test(t, func(t *testing.T) {
			fs := memfs.New(memfs.Options{})
			faulty := faultfs.Wrap(fs, func(op faultfs.Op) error {
				if strings.HasPrefix(op.Kind, "open") && strings.Contains(op.Path, "946684901.b.x") {
					return errno
				}
				return nil
			})
			var log bytes.Buffer
			h := &house{t: t, fs: fs, root: "/m", h: account.NewHouse(account.HouseConfig{FS: faulty, Unique: maildir.NewUnique("h", 1, time.Now), Fsync: true})}
			c := h.login(account.PlainStyle(), func(c *Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
			h.deliver("946684900.a.x", plain)
			h.deliver("946684901.b.x", plain)
			h.deliver("946684902.c.x", plain)
			c.do("SELECT INBOX")
			c.talk(`
> FETCH 1:* (UID RFC822.SIZE)
* 1 FETCH (UID 1 RFC822.SIZE 72)
* 2 FETCH (UID 2)
* 3 FETCH (UID 3 RFC822.SIZE 72)
t NO [CONTACTADMIN] Some of the messages cannot be read.
> FETCH 1:* BODY.PEEK[]<0.3>
* 1 FETCH (BODY[]<0> {3}
Sub)
* 3 FETCH (BODY[]<0> {3}
Sub)
t NO [CONTACTADMIN] Some of the messages cannot be read.
> FETCH 1:* (FLAGS BODY.PEEK[HEADER.FIELDS (Subject)]<0.3>)
* 1 FETCH (FLAGS (\Recent) BODY[HEADER.FIELDS (Subject)]<0> {3}
Sub)
* 2 FETCH (FLAGS (\Recent))
* 3 FETCH (FLAGS (\Recent) BODY[HEADER.FIELDS (Subject)]<0> {3}
Sub)
t NO [CONTACTADMIN] Some of the messages cannot be read.
> SEARCH TEXT hello
* SEARCH 1 3
t OK SEARCH done.
> SEARCH LARGER 1
* SEARCH 1 3
t OK SEARCH done.
> SORT (SUBJECT DATE) UTF-8 1:3
* SORT 2 1 3
t OK SORT done.
> THREAD REFERENCES UTF-8 ALL
* THREAD (2)((1)(3))
t OK THREAD done.
> STORE 2 +FLAGS.SILENT (\Seen)
t OK STORE completed.
`)
			c.logout()
			if !strings.Contains(log.String(), "a message cannot be read") || !strings.Contains(log.String(), "946684901.b.x") {
				t.Errorf("%v: %s", errno, log.String())
			}
		})
	}
}

// A name that something else than a folder has in the directory is refused, and that
// is no error of the server.
func TestNoFolderInTheWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHouse(t)
		c := h.login(account.PlainStyle(), nil)
		if err := h.fs.Symlink("/m/.Link"); err != nil {
			t.Fatal(err)
		}
		root, err := h.fs.OpenDir("/m")
		if err != nil {
			t.Fatal(err)
		}
		defer root.Close()
		f, err := root.OpenFile(".File", os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
		c.do("CREATE Box")
		for _, command := range []string{"CREATE Link", "CREATE File", "RENAME Box Link", "RENAME Box File"} {
			if got := c.do(command)[0]; !strings.HasPrefix(got, "t NO [CANNOT] ") && !strings.HasPrefix(got, "t NO [ALREADYEXISTS] ") {
				t.Errorf("%s: %q", command, got)
			}
		}
		c.want("STATUS Box (MESSAGES)", `* STATUS "Box" (MESSAGES 0)`, "t OK STATUS Completed.")
		c.logout()
	})
}
