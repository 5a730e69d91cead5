package session

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"postrider/account"
	"postrider/maildir"
	"postrider/vfs"
)

// helpful is an answer to a command that was wrong: a status and a few words.
var helpful = regexp.MustCompile(`^t (BAD|NO) (\[[A-Z]+\] )?\S+( \S+)+$`)

// wrong yields wrong arguments for a command: missing, extra, oversized, binary.
func wrong(name string) []string {
	sound := words[name]
	extra := []string{sound + " )", sound + " \x00\xff", sound + " \"", sound + strings.Repeat(" (", 100), sound + " {2000000}",
		sound + " {200000+}\r\n" + strings.Repeat("x", 200000), sound + " {5+}\r\nab\x00cd (", " \x80\x81", " " + strings.Repeat("9", 1000) + " )",
		" " + strings.Repeat("x", 70<<10) + " )", " 0 0 0 (", " 4294967296 )", " (((", " \"" + strings.Repeat("\\\\", 1000), " {99999999999999999999}", " {-1}", " ~{3+}\r\n\x00ab )"}
	if sound != "" && name != "ID" {
		extra = append(extra, "", " ")
	}
	for i := range extra {
		if !strings.HasPrefix(extra[i], " ") && extra[i] != "" {
			extra[i] = " " + extra[i]
		}
	}
	return extra
}

// Every command with wrong arguments gets BAD or NO with a text, nothing changes
// and the session lives on.
func TestWrongArguments(t *testing.T) {
	for _, selected := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			c := newHouse(t).login(account.PlainStyle(), func(c *Config) { c.MaxBad = 1 << 20 })
			c.append("INBOX", "", plain)
			if selected {
				c.do("SELECT INBOX")
			}
			for _, name := range commands.Names() {
				for _, args := range wrong(name) {
					answer := c.do(name + args)
					if last := answer[len(answer)-1]; !helpful.MatchString(last) {
						t.Errorf("%s%.60q: %q", name, args, answer)
					}
					if answer := c.do("NOOP"); answer[len(answer)-1] != "t OK NOOP completed." {
						t.Fatalf("NOOP after %s%.60q: %q", name, args, answer)
					}
				}
			}
			c.want("STATUS INBOX (MESSAGES UNSEEN)", `* STATUS "INBOX" (MESSAGES 1 UNSEEN 1)`, "t OK STATUS Completed.")
			c.logout()
		})
	}
}

// Lines that are no commands are answered too; too many of them end the session.
func TestNoise(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newHouse(t).login(account.PlainStyle(), func(c *Config) { c.MaxBad = 5 })
		for _, line := range []string{"t NONSENSE", "t UID", "t UID NONSENSE", "t \x00\xff"} {
			c.send(line + "\r\n")
			if got := c.until("t ")[0]; !helpful.MatchString(got) {
				t.Errorf("%q: %q", line, got)
			}
		}
		c.want("NOOP", "t OK NOOP completed.")
		for range 5 {
			c.send("t NONSENSE\r\n")
		}
		if lines := c.until("* BYE"); len(lines) != 6 && len(lines) != 5 {
			t.Errorf("%q", lines)
		}
		if err := <-c.done; err != nil {
			t.Error(err)
		}
	})
}

// Nothing stays open after sessions on real files, whatever they asked for.
func TestDescriptors(t *testing.T) {
	root := t.TempDir()
	before := descriptors(t)
	h := &house{t: t, root: root, h: account.NewHouse(account.HouseConfig{FS: vfs.OS(), Unique: maildir.NewUnique("h", 1, time.Now), Fsync: true})}
	for range 3 {
		c := h.login(account.PlainStyle(), func(c *Config) { c.MaxBad = 1000 })
		c.append("INBOX", `(\Deleted) `, sample)
		c.append("INBOX", "", plain)
		c.do("CREATE Box")
		for _, command := range []string{"SELECT None", "SELECT INBOX", "SELECT INBOX", "FETCH 1:* (ENVELOPE BODYSTRUCTURE BODY[1] BODY[HEADER])",
			"FETCH 1 BODY[", "SEARCH TEXT fish", "SORT (SUBJECT) UTF-8 ALL", "THREAD REFERENCES UTF-8 ALL", "COPY 1:2 Box", "COPY 1 None", "MOVE 1 Box", "EXPUNGE",
			"STORE 1 +FLAGS (a)", "APPEND None {3+}\r\nabc", "APPEND Box {3+}\r\nabc )", `LIST "" *`, "STATUS Box (MESSAGES)", "EXAMINE Box", "DELETE Box"} {
			c.do(command)
		}
		c.logout()
		if err := h.h.Close(); err != nil {
			t.Error(err)
		}
		h.h = account.NewHouse(account.HouseConfig{FS: vfs.OS(), Unique: maildir.NewUnique("h", 2, time.Now), Fsync: true})
	}
	if after := descriptors(t); after != before {
		list, _ := os.ReadDir("/proc/self/fd")
		for _, e := range list {
			to, _ := os.Readlink("/proc/self/fd/" + e.Name())
			t.Log(e.Name(), to)
		}
		t.Errorf("%d descriptors are open, %d were", after, before)
	}
	h.h.Close()
}

// descriptors counts what this process has open.
func descriptors(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}
