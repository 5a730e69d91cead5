package session

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"postrider/account"
	"postrider/maildir"
	"postrider/vfs"
	"postrider/watch"
)

// On real directories, what other programs do to the files is pushed into IDLE.
func TestPush(t *testing.T) {
	root := t.TempDir()
	w, err := watch.New(watch.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	h := &house{t: t, root: root, h: account.NewHouse(account.HouseConfig{FS: vfs.OS(), Watcher: w, Unique: maildir.NewUnique("h", 1, time.Now), Fsync: true})}
	c := h.login(account.PlainStyle(), nil)
	c.do("SELECT INBOX")
	c.send("i IDLE\r\n")
	c.until("+ ")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	name := "1000000000.M1.host"
	must(os.WriteFile(filepath.Join(root, "tmp", name), []byte(plain), 0o600))
	must(os.Rename(filepath.Join(root, "tmp", name), filepath.Join(root, "new", name)))
	c.lines("* 1 RECENT", "* 1 EXISTS", "* 1 RECENT")
	files, err := filepath.Glob(filepath.Join(root, "*", name+"*"))
	if must(err); len(files) != 1 {
		t.Fatalf("%q", files)
	}
	read := filepath.Join(root, "cur", name+":2,S")
	must(os.Rename(files[0], read))
	c.lines("* 1 FETCH", `* 1 FETCH (FLAGS (\Seen \Recent))`)
	must(os.Remove(read))
	c.lines("* 0 RECENT", "* 1 EXPUNGE", "* 0 RECENT")
	c.send("DONE\r\n")
	c.lines("i ", "i OK IDLE completed")
	c.logout()
	must(h.h.Close())
	must(w.Close())
}
