package session

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"postrider/account"
	"postrider/maildir"
)

// follower is a client that keeps the numbers as RFC 3501 2.3.1.2 has it: it knows
// no more of the mailbox than what it was told.
type follower struct {
	*client
	uids []string // "" if not yet told
}

// hear takes in untagged answers.
func (f *follower) hear(command string, answer []string) {
	for _, line := range answer {
		word := strings.Fields(line)
		if len(word) < 3 || word[0] != "*" {
			continue
		}
		n, err := strconv.Atoi(word[1])
		if err != nil {
			continue
		}
		switch word[2] {
		case "EXISTS":
			if n < len(f.uids) {
				f.t.Errorf("%s: %d EXISTS after %d", command, n, len(f.uids))
			}
			f.uids = append(f.uids, make([]string, max(0, n-len(f.uids)))...)
		case "EXPUNGE":
			f.expunged(command, n)
		case "FETCH":
			f.fetched(command, n, line)
		}
	}
}

func (f *follower) expunged(command string, n int) {
	switch name := strings.Fields(command)[0]; {
	case name == "FETCH" || name == "STORE" || name == "SEARCH":
		f.t.Errorf("EXPUNGE during %s", command)
	case n < 1 || n > len(f.uids):
		f.t.Errorf("%s: %d EXPUNGE of %d", command, n, len(f.uids))
	default:
		f.uids = append(f.uids[:n-1], f.uids[n:]...)
	}
}

func (f *follower) fetched(command string, n int, line string) {
	if n < 1 || n > len(f.uids) {
		f.t.Errorf("%s: %q, but there are %d", command, line, len(f.uids))
		return
	}
	_, rest, ok := strings.Cut(line, "(UID ")
	if !ok {
		return
	}
	uid := rest[:strings.IndexAny(rest, " )")]
	if known := f.uids[n-1]; known != "" && known != uid {
		f.t.Errorf("%s: %q, but message %d is UID %s", command, line, n, known)
	}
	f.uids[n-1] = uid
}

// act sends a random command.
func (f *follower) act(r *rand.Rand) {
	n := 1 + r.IntN(max(len(f.uids), 1))
	m := n + r.IntN(3)
	command := []string{
		"NOOP", "EXPUNGE", fmt.Sprintf("FETCH %d:%d (UID FLAGS)", n, m), "UID FETCH 1:* (FLAGS)", fmt.Sprintf("FETCH %d (UID BODY[TEXT]<0.1>)", m),
		fmt.Sprintf(`STORE %d:%d +FLAGS.SILENT (\Deleted)`, n, m), fmt.Sprintf(`STORE %d +FLAGS (\Flagged)`, n), fmt.Sprintf("STORE %d -FLAGS (Foo)", m), fmt.Sprintf("STORE %d +FLAGS (Foo)", m),
		"SEARCH DELETED", "UID SEARCH UNSEEN", fmt.Sprintf("COPY %d INBOX", n), fmt.Sprintf("MOVE %d INBOX", n), fmt.Sprintf("MOVE %d Box", n), "SORT (SIZE) UTF-8 ALL",
		fmt.Sprintf("APPEND INBOX {%d+}\r\n%s", len(plain), plain), fmt.Sprintf("APPEND INBOX (\\Seen) {%d+}\r\n%s", len(plain), plain), "IDLE\r\nDONE",
	}[r.IntN(18)]
	beyond := m > len(f.uids)
	answer := f.do(command)
	f.hear(command, answer)
	last := answer[len(answer)-1]
	if !strings.HasPrefix(last, "t OK") && !strings.HasPrefix(last, "t NO [EXPUNGEISSUED]") && !(strings.HasPrefix(last, "t BAD Invalid message") && beyond) {
		f.t.Errorf("%s: %q", command, last)
	}
}

// Three sessions and an MTA change one mailbox at random; each client's numbers stay
// right, and in the end all see the same. In one process, and in three.
func TestStorm(t *testing.T) {
	t.Run("one house", func(t *testing.T) {
		h := newHouse(t)
		storm(t, h, h, h)
	})
	t.Run("three houses", func(t *testing.T) {
		h := newHouse(t)
		storm(t, h, h.neighbour(2), h.neighbour(3))
	})
}

// neighbour is another process on the same files.
func (h *house) neighbour(n int) *house {
	other := *h
	other.h = account.NewHouse(account.HouseConfig{FS: h.fs, Unique: maildir.NewUnique("h", n, time.Now), Fsync: true})
	return &other
}

func storm(t *testing.T, houses ...*house) {
	h := houses[0]
	var all []*follower
	for _, h := range houses {
		all = append(all, &follower{client: h.login(account.PlainStyle(), nil)})
	}
	all[0].do("CREATE Box")
	for _, f := range all {
		f.hear("SELECT", f.do("SELECT INBOX"))
	}
	var wg sync.WaitGroup
	for i, f := range all {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(i), 1))
			for step := range 400 {
				if i == 0 && step%40 == 0 {
					h.deliverNow(fmt.Sprintf("1000000000.s%d.x", step), plain)
				}
				f.act(r)
			}
		})
	}
	wg.Wait()
	var first string
	for _, f := range all {
		f.hear("NOOP", f.do("NOOP"))
		f.hear("UID FETCH", f.do("UID FETCH 1:* FLAGS"))
		uids := strings.Join(f.uids, " ")
		f.want("UID SEARCH ALL", strings.TrimSpace("* SEARCH "+uids), "t OK UID SEARCH done.")
		if first == "" {
			first = uids
		} else if uids != first {
			t.Errorf("one sees %s, another %s", first, uids)
		}
	}
	for _, f := range all {
		f.logout()
	}
}
