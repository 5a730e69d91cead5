package session

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"postrider/account"
	"postrider/maildir"
	"postrider/vfs"
	"postrider/watch"
)

// processes are houses on one real Maildir, each with a watch of its own, as those of
// several processes are.
func processes(t *testing.T, n int) (root string, all []*house) {
	root = t.TempDir()
	for i := range n {
		w, err := watch.New(watch.Options{PollInterval: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		h := &house{t: t, root: root, h: account.NewHouse(account.HouseConfig{FS: vfs.OS(), Watcher: w, Unique: maildir.NewUnique("h", i+1, time.Now), Fsync: true})}
		t.Cleanup(func() {
			if err := h.h.Close(); err != nil {
				t.Error(err)
			}
			if err := w.Close(); err != nil {
				t.Error(err)
			}
		})
		all = append(all, h)
	}
	return root, all
}

// enter logs in, selects a mailbox with one message, and leaves the client in IDLE. It
// waits for no answer longer than half a minute.
func (h *house) enter(box string) *client {
	h.t.Helper()
	c := h.login(account.PlainStyle(), nil)
	timer := time.AfterFunc(30*time.Second, func() { c.conn.Close() })
	h.t.Cleanup(func() { timer.Stop() })
	c.do("SELECT " + box)
	c.send("i IDLE\r\n")
	c.until("+ ")
	return c
}

// prepare makes a mailbox Box with one message.
func (h *house) prepare() {
	h.t.Helper()
	c := h.login(account.PlainStyle(), nil)
	c.do("CREATE Box")
	c.append("Box", "", plain)
	c.logout()
}

// quietly fails if one of the lines tells of a message that is gone.
func quietly(t *testing.T, lines []string) {
	t.Helper()
	for _, l := range lines {
		if strings.HasSuffix(l, " EXPUNGE") {
			t.Errorf("told %q", lines)
		}
	}
}

// Keywords are in the journal alone. What another process wrote there reaches IDLE as
// soon as anything else: no interval of looking is left that could have found it.
func TestKeywordOfAnotherProcess(t *testing.T) {
	_, p := processes(t, 2)
	p[0].prepare()
	c := p[0].enter("Box")
	other := p[1].login(account.PlainStyle(), nil)
	other.do("SELECT Box")
	for _, turn := range []struct{ command, told string }{
		{"STORE 1 +FLAGS (work)", "* 1 FETCH (FLAGS (\\Recent work))"},
		{"STORE 1 -FLAGS (work)", "* 1 FETCH (FLAGS (\\Recent))"},
		{"STORE 1 +FLAGS (work home)", "* 1 FETCH (FLAGS (\\Recent work home))"},
	} {
		other.do(turn.command)
		if said := c.until("* 1 FETCH"); said[len(said)-1] != turn.told {
			t.Errorf("%s: told %q", turn.command, said)
		}
	}
	c.send("DONE\r\n")
	c.until("i OK")
	c.logout()
	other.logout()
}

// A folder that another program removes ends the sessions that have it selected.
func TestFolderRemovedByAnotherProgram(t *testing.T) {
	root, p := processes(t, 1)
	p[0].prepare()
	c := p[0].enter("Box")
	for begin := time.Now(); os.RemoveAll(filepath.Join(root, ".Box")) != nil; {
		if time.Since(begin) > 20*time.Second { // a new journal may come in its way
			t.Fatal("the folder cannot be removed")
		}
	}
	c.until("* BYE The selected mailbox was deleted")
	if err := <-c.done; err != nil {
		t.Error(err)
	}
	// One of that name that is made anew is another.
	c = p[0].login(account.PlainStyle(), nil)
	c.want("CREATE Box", "t OK \"Box\" created.")
	c.logout()
}

// One that is moved to where no mail is looked for ends them, too, and none of its
// messages is told to be gone: they are not. It may come back.
func TestFolderMovedAwayByAnotherProgram(t *testing.T) {
	root, p := processes(t, 1)
	p[0].prepare()
	c := p[0].enter("Box")
	away := filepath.Join(t.TempDir(), "Box")
	if err := os.Rename(filepath.Join(root, ".Box"), away); err != nil {
		t.Fatal(err)
	}
	quietly(t, c.until("* BYE The selected mailbox was deleted"))
	if err := <-c.done; err != nil {
		t.Error(err)
	}
	if err := os.Rename(away, filepath.Join(root, ".Box")); err != nil {
		t.Fatal(err)
	}
	c = p[0].enter("Box")
	c.send("DONE\r\n")
	c.until("i OK")
	c.want("FETCH 1 FLAGS", "* 1 FETCH (FLAGS ())", "t OK FETCH completed.")
	c.logout()
}

// One that another program renames stays selected: it is the same mailbox.
func TestFolderRenamedByAnotherProgram(t *testing.T) {
	root, p := processes(t, 1)
	p[0].prepare()
	c := p[0].enter("Box")
	if err := os.Rename(filepath.Join(root, ".Box"), filepath.Join(root, ".Chest")); err != nil {
		t.Fatal(err)
	}
	name := "1000000000.M1.host"
	tmp := filepath.Join(root, ".Chest", "tmp", name)
	if err := os.WriteFile(tmp, []byte(plain), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(tmp, filepath.Join(root, ".Chest", "new", name)); err != nil {
		t.Fatal(err)
	}
	quietly(t, c.until("* 2 EXISTS"))
	files, err := filepath.Glob(filepath.Join(root, ".Chest", "*", name+"*"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	if err := os.Remove(files[0]); err != nil { // a message that is gone is told as ever
		t.Fatal(err)
	}
	c.until("* 2 EXPUNGE")
	c.send("DONE\r\n")
	c.until("i OK")
	c.logout()
}

// One that another process deletes is detached first, then emptied: no message is told
// to be gone.
func TestFolderDeletedByAnotherProcess(t *testing.T) {
	_, p := processes(t, 2)
	p[0].prepare()
	c := p[0].enter("Box")
	other := p[1].login(account.PlainStyle(), nil)
	other.want("DELETE Box", "t OK Folder deleted.")
	quietly(t, c.until("* BYE The selected mailbox was deleted"))
	if err := <-c.done; err != nil {
		t.Error(err)
	}
	other.logout()
}

// Where nothing notifies, deliveries, keywords of other processes and the removal of the
// folder are seen by the watcher's looks: no session looks around.
func TestPolledChangesAreTold(t *testing.T) {
	w, err := watch.New(watch.Options{PollInterval: 5 * time.Millisecond, PollOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	root, p := processes(t, 1)
	polled := &house{t: t, root: root, h: account.NewHouse(account.HouseConfig{FS: vfs.OS(), Watcher: w, Unique: maildir.NewUnique("h", 9, time.Now), Fsync: true})}
	polled.prepare()
	c := polled.enter("Box")
	other := p[0].login(account.PlainStyle(), nil)
	other.do("SELECT Box")
	other.do("STORE 1 +FLAGS (work)")
	c.until("* 1 FETCH (FLAGS (\\Recent work))")
	name := "1000000000.M1.host"
	if err := os.WriteFile(filepath.Join(root, ".Box", "new", name), []byte(plain), 0o600); err != nil {
		t.Fatal(err)
	}
	c.until("* 2 EXISTS")
	other.do("UNSELECT")
	if err := os.Rename(filepath.Join(root, ".Box"), filepath.Join(t.TempDir(), "Box")); err != nil {
		t.Fatal(err)
	}
	quietly(t, c.until("* BYE The selected mailbox was deleted"))
	<-c.done
	other.logout()
	if err := polled.h.Close(); err != nil {
		t.Error(err)
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
}

// inotify returns how many instances this process has, and how many watches they have.
func inotify(t *testing.T) (instances, watches int) {
	t.Helper()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		to, err := os.Readlink("/proc/self/fd/" + fd.Name())
		if err != nil || to != "anon_inode:inotify" {
			continue
		}
		info, err := os.ReadFile("/proc/self/fdinfo/" + fd.Name())
		if err != nil {
			t.Fatal(err)
		}
		instances++
		watches += strings.Count(string(info), "inotify wd:")
	}
	return instances, watches
}

// However many sessions look, there is one inotify instance, a mailbox is watched once,
// and not when nobody looks.
func TestSessionsShareInstanceAndWatches(t *testing.T) {
	_, p := processes(t, 1)
	if instances, watches := inotify(t); instances != 1 || watches != 0 {
		t.Fatalf("%d instances with %d watches before anybody looks", instances, watches)
	}
	var all []*client
	for range 50 {
		all = append(all, p[0].enter("INBOX"))
	}
	if instances, watches := inotify(t); instances != 1 || watches != 4 {
		t.Errorf("%d instances with %d watches: want 1 with new, cur, the journal and the root", instances, watches)
	}
	for _, c := range all {
		c.conn.Close()
		<-c.done
	}
	if instances, watches := inotify(t); instances != 1 || watches != 0 {
		t.Errorf("%d instances with %d watches after everybody left", instances, watches)
	}
}
