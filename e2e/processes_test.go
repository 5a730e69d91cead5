package e2e_test

import (
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"postrider/mail"
)

var crowdTime = flag.Duration("crowd", 6*time.Second, "how long TestManyProcesses goes on")

// Two servers, as on two nodes, several processes on pipes, and delivery agents that
// rename and that link and append to maildirsize as deliverquota does, work on one
// Maildir at once and are killed at random. After each kill all of them see the same,
// which is what was acknowledged; in the end it is what the directories hold, and the
// index files pass their check. "make crowd" goes on for ten minutes.
func TestManyProcesses(t *testing.T) {
	s := startServer(t, "LOG_LEVEL=warn", "LOCK_TIMEOUT=20")
	c := newCampaign(t, s, s.second(t))
	c.linked = true
	write(t, filepath.Join(c.a.maildir, "maildirsize"), "1000000000S\n", 0o644)
	give(t, filepath.Join(c.a.maildir, "maildirsize"))
	c.employ(8, func(i int) int { return i%3 - 1 }) // on pipes, and over each server
	r := rand.New(rand.NewPCG(2, 7))
	rounds := 0
	for began := time.Now(); time.Since(began) < *crowdTime; rounds++ {
		if !c.round(rounds, time.Duration(50+r.IntN(400))*time.Millisecond, r.IntN(3) > 0, r.IntN(3) > 0, 0, 1, onPipe) {
			return
		}
	}
	c.report(rounds)
	c.agree()
}

// agree compares what each process sees with the others and with the directories.
func (c *campaign) agree() {
	var first view
	for _, via := range []int{0, 1, onPipe} {
		l := c.connect(via)
		v, err := c.truth.look(l)
		if err != nil {
			c.t.Fatal(err)
		}
		l.close()
		if first == nil {
			first = v
		}
		if !maps.Equal(v, first) {
			c.t.Errorf("over %d other messages are seen than over 0:\n%v\n%v", via, v, first)
		}
	}
	for folder, dir := range map[string]string{"INBOX": c.a.maildir, "Work": filepath.Join(c.a.maildir, ".Work")} {
		seen := 0
		for at := range first {
			if at.folder == folder {
				seen++
			}
		}
		if n := len(files(c.t, dir)); n != seen {
			c.t.Errorf("%s has %d messages and %d files", folder, seen, n)
		}
	}
	words := strings.Fields(strings.Replace(c.a.imapd(), " imapd ", " index check ", 1))
	if out, err := exec.Command(words[0], words[1:]...).CombinedOutput(); err != nil {
		c.t.Errorf("index check: %v\n%s", err, out)
	}
}

// link delivers as deliverquota does: by a link, and with a line in maildirsize.
func (a account) link(folder mail.Name, message string) error {
	name := fmt.Sprintf("%d.M%dL%d.localhost,S=%d", time.Now().Unix(), time.Now().Nanosecond(), delivered.Add(1), len(message))
	tmp := filepath.Join(a.maildir, "tmp", name)
	if err := os.WriteFile(tmp, []byte(message), 0o600); err != nil {
		return err
	}
	if os.Geteuid() == 0 {
		if err := os.Chown(tmp, mailID, mailID); err != nil {
			return err
		}
	}
	if err := os.Link(tmp, filepath.Join(a.maildir, "new", name)); err != nil {
		return err
	}
	if err := os.Remove(tmp); err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(a.maildir, "maildirsize"), os.O_WRONLY|os.O_APPEND, fs.FileMode(0))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, "%d 1\n", len(message))
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}
