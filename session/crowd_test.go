package session

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"postrider/account"
	"postrider/maildir"
	"postrider/vfs/faultfs"
	"postrider/vfs/memfs"
	"postrider/watch"
	"postrider/watch/watchtest"
)

// crowd is a house whose file operations are counted and whose watch is given its events
// by hand, and n clients in IDLE.
func crowd(t *testing.T, n int) (h *house, counted *faultfs.FS, idle []*client) {
	fs := memfs.New(memfs.Options{})
	counted = faultfs.Wrap(fs, nil)
	events := watchtest.New(dirOf(fs))
	h = &house{t: t, fs: fs, root: "/m", events: events, h: account.NewHouse(account.HouseConfig{
		FS: counted, Unique: maildir.NewUnique("h", 1, time.Now), Fsync: true, Watcher: events})}
	c := h.login(account.PlainStyle(), nil)
	c.append("INBOX", "", plain)
	c.logout()
	for range n {
		c := h.login(account.PlainStyle(), func(c *Config) { c.IdleTimeout = 24 * time.Hour })
		c.do("SELECT INBOX")
		c.send("i IDLE\r\n")
		c.until("+ ")
		idle = append(idle, c)
	}
	return h, counted, idle
}

// dirOf says which directory or file of a file system in memory a path means.
func dirOf(fs *memfs.FS) func(string) (watch.Dir, error) {
	return func(name string) (watch.Dir, error) {
		up, err := fs.OpenDir(path.Dir(name))
		if err != nil {
			return watch.Dir{}, err
		}
		defer up.Close()
		if name == "/m" {
			up, err = fs.OpenDir(name)
			dev, ino := up.Key()
			return watch.Dir{Dev: dev, Ino: ino}, err
		}
		st, err := up.Stat(path.Base(name))
		return watch.Dir{Dev: st.Dev, Ino: st.Ino}, err
	}
}

// costs is how many file operations a change takes until n clients in IDLE were told of
// it; told is how the line begins that tells them.
func costs(t *testing.T, n int, told string, change func(h *house, c *client)) (operations int) {
	synctest.Test(t, func(t *testing.T) {
		h, counted, idle := crowd(t, n)
		actor := h.login(account.PlainStyle(), nil)
		actor.do("SELECT INBOX")
		time.Sleep(time.Minute)
		synctest.Wait()
		before := counted.Count()
		change(h, actor)
		for _, c := range idle {
			c.until(told)
		}
		synctest.Wait()
		operations = counted.Count() - before
		for _, c := range idle {
			c.conn.Close()
			<-c.done
		}
		actor.logout()
	})
	return operations
}

// Between the sessions of a process a change needs the file system once, however many
// are told of it.
func TestNoFileOperationForEachSessionThatIsTold(t *testing.T) {
	for name, change := range map[string]struct {
		told string
		do   func(h *house, c *client)
	}{
		"STORE":    {"* 1 FETCH", func(_ *house, c *client) { c.do(`STORE 1 +FLAGS (\Flagged)`) }},
		"keyword":  {"* 1 FETCH", func(_ *house, c *client) { c.do(`STORE 1 +FLAGS (work)`) }},
		"APPEND":   {"* 2 EXISTS", func(_ *house, c *client) { c.append("INBOX", "", plain) }},
		"delivery": {"* 2 EXISTS", func(h *house, c *client) { h.deliver("946685900.x.y", plain); c.do("NOOP") }},
		"EXPUNGE": {"* 1 EXPUNGE", func(_ *house, c *client) {
			c.do(`STORE 1 +FLAGS.SILENT (\Deleted)`)
			c.do("EXPUNGE")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			one, many := costs(t, 1, change.told, change.do), costs(t, 200, change.told, change.do)
			if one == 0 || many > one {
				t.Errorf("%d operations for one session in IDLE, %d for 200", one, many)
			}
		})
	}
}

// Hours of IDLE in which nothing happens take no file operation at all, and nothing is
// sent but the signs of life.
func TestQuietIdleCostsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, counted, idle := crowd(t, 20)
		time.Sleep(time.Minute)
		before := counted.Count()
		time.Sleep(10 * time.Hour)
		if n := counted.Count() - before; n != 0 {
			t.Errorf("%d file operations in ten hours", n)
		}
		for _, c := range idle {
			c.send("DONE\r\n")
			said := c.until("i OK")
			for _, line := range said[:len(said)-1] {
				if line != "* OK Still here" {
					t.Errorf("told %q", line)
				}
			}
			c.conn.Close()
			<-c.done
		}
	})
}

// The first event is told at once; those of a burst are gathered, for milliseconds.
func TestFirstEventIsNotHeldBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, _, idle := crowd(t, 1)
		c := idle[0]
		dir, err := dirOf(h.fs)("/m/new")
		if err != nil {
			t.Fatal(err)
		}
		for n := range 3 {
			time.Sleep(time.Second)
			begin, name := time.Now(), fmt.Sprintf("946685900.%d.y", n)
			h.deliverNow(name, plain)
			h.events.Came(dir, name)
			c.until(fmt.Sprintf("* %d EXISTS", n+2))
			if took := time.Since(begin); took > 0 {
				t.Errorf("delivery %d was told after %v", n, took)
			}
		}
		time.Sleep(time.Second)
		begin := time.Now()
		for n := range 300 {
			name := fmt.Sprintf("946686000.%d.y", n)
			h.deliverNow(name, plain)
			h.events.Came(dir, name)
			time.Sleep(100 * time.Microsecond)
		}
		told := c.until("* 304 EXISTS")
		if took := time.Since(begin); took > 40*time.Millisecond {
			t.Errorf("a burst of 30 ms was told after %v", took)
		}
		if n := len(slices.DeleteFunc(told, func(l string) bool { return !strings.HasSuffix(l, " EXISTS") })); n > 50 {
			t.Errorf("a burst of 300 deliveries was told in %d pieces", n)
		}
		c.conn.Close()
		<-c.done
	})
}
