package session

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"postrider/account"
	"postrider/wire/wiretest"
)

// fill delivers n messages to the INBOX.
func (h *house) fill(n int) {
	h.t.Helper()
	d, err := h.fs.OpenDir("/m/new")
	if err != nil {
		h.t.Fatal(err)
	}
	defer d.Close()
	for i := range n {
		f, err := d.OpenFile(fmt.Sprintf("1000000000.M%06d.host", i), os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600)
		if err != nil {
			h.t.Fatal(err)
		}
		fmt.Fprintf(f, "From: a%d@x\nSubject: message %d\n\n%s\n", i%100, i%1000, strings.Repeat("text ", 40))
		f.Close()
	}
}

// large is a session with n messages selected whose client lets 64 KiB wait.
func large(t *testing.T, n int) *client {
	h := newHouse(t)
	h.pair = func() (a, b net.Conn) { return wiretest.Bounded(64 << 10) }
	c := h.login(account.PlainStyle(), nil)
	h.fill(n)
	c.do("SELECT INBOX")
	c.want("STATUS INBOX (MESSAGES)", fmt.Sprintf(`* STATUS "INBOX" (MESSAGES %d)`, n), "t OK STATUS Completed.")
	return c
}

// heap is what is held once nothing is made any more: what a session allocates while
// the collector runs counts as held, so the collections go on until two agree, as
// they do when the session waits for its client.
func heap(t *testing.T) int64 {
	t.Helper()
	var m runtime.MemStats
	for last := int64(0); ; last = int64(m.HeapAlloc) {
		runtime.GC()
		runtime.ReadMemStats(&m)
		if now := int64(m.HeapAlloc); now-last < 1<<10 && last-now < 1<<10 {
			return now
		}
		if t.Context().Err() != nil {
			t.Fatal("the heap does not come to rest")
		}
	}
}

// An answer of any size is made as fast as the client reads it.
func TestAnswersAreNotHeld(t *testing.T) {
	const n = 20_000
	c := large(t, n)
	for command, limit := range map[string]int64{
		"FETCH 1:* (UID FLAGS BODY.PEEK[])":                    1 << 20, // 6 MB of answer
		"FETCH 1:* (UID FLAGS RFC822.SIZE INTERNALDATE)":       1 << 20,
		"UID FETCH 1:* BODY.PEEK[HEADER.FIELDS (SUBJECT X-Y)]": 1 << 20,
	} {
		c.do(command) // what is found out once and kept, in files, is there now
		before := heap(t)
		c.send("t " + command + "\r\n")
		for c.r.Buffered() == 0 {
			c.r.Peek(1)
		}
		for range 3 {
			for range 1000 {
				c.r.ReadString('\n')
			}
			if grown := heap(t) - before; grown > limit {
				t.Errorf("%s: the heap grew by %d while the answer was read", command, grown)
			}
		}
		c.until("t OK")
	}
	c.logout()
}

// cpu is the processor time that this process has used.
func cpu(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// Ten times the messages cost about ten times as much, not a hundred times.
func TestNothingIsQuadratic(t *testing.T) {
	commands := []string{
		"FETCH 1:* (UID FLAGS RFC822.SIZE INTERNALDATE)", "FETCH 1:* ENVELOPE", "SEARCH UNSEEN", "SEARCH SUBJECT 77", "UID SEARCH ALL",
		"SORT (SUBJECT) UTF-8 ALL", "THREAD REFERENCES UTF-8 ALL", "THREAD ORDEREDSUBJECT UTF-8 ALL",
		`STORE 1:* +FLAGS.SILENT (\Seen)`, `STORE 1:* +FLAGS (Work)`, "COPY 1:* Box", "MOVE 1:* Box", `STORE 1:* FLAGS.SILENT (\Deleted)`, "EXPUNGE",
	}
	spent := func(n int) []time.Duration {
		c := large(t, n)
		c.do("CREATE Box")
		out := make([]time.Duration, len(commands))
		for i, command := range commands {
			if strings.Contains(command, "Deleted") {
				c.do("SELECT Box")
			}
			begin := cpu(t)
			answer := c.do(command)
			out[i] = cpu(t) - begin
			if !strings.HasPrefix(answer[len(answer)-1], "t OK") {
				t.Errorf("%s: %q", command, answer[len(answer)-1])
			}
		}
		c.logout()
		return out
	}
	few, many := spent(3000), spent(30_000)
	for i, command := range commands {
		t.Logf("%10v %10v %s", few[i], many[i], command)
		if many[i] > 40*few[i]+200*time.Millisecond {
			t.Errorf("%s of 3,000 messages takes %v, of 30,000 %v", command, few[i], many[i])
		}
	}
}
