package e2e_test

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// coexist is how many operations TestTogether has done in all.
var coexist = flag.Int("coexist", 600, "operations of TestTogether")

// seed is where its random numbers begin.
var seed = flag.Uint64("coexist-seed", 1, "seed of TestTogether")

// insight is what a client sees of a mailbox: its UIDVALIDITY and UIDNEXT, and for each
// UID the subject and the flags.
type insight struct {
	validity, next string
	messages       map[int]string
}

// fetched matches a message in the answer to FETCH (UID FLAGS ENVELOPE), its items in
// whatever order.
var (
	fetchedUID     = regexp.MustCompile(`UID (\d+)`)
	fetchedFlags   = regexp.MustCompile(`FLAGS \(([^)]*)\)`)
	fetchedSubject = regexp.MustCompile(`ENVELOPE \((?:"[^"]*"|NIL) "([^"]*)"`)
)

// messages asks for all messages: subject and flags by UID.
func (k *talk) messages() (map[int]string, map[int]string) {
	k.t.Helper()
	subjects, flags := map[int]string{}, map[int]string{}
	for _, line := range k.do("UID FETCH 1:* (UID FLAGS ENVELOPE)") {
		uid, subject, set := fetchedUID.FindStringSubmatch(line), fetchedSubject.FindStringSubmatch(line), fetchedFlags.FindStringSubmatch(line)
		if uid == nil || subject == nil || set == nil {
			continue
		}
		n, _ := strconv.Atoi(uid[1])
		words := slices.DeleteFunc(strings.Fields(set[1]), func(w string) bool { return w == `\Recent` })
		slices.Sort(words)
		subjects[n], flags[n] = subject[1], strings.Join(words, " ")
	}
	return subjects, flags
}

// inspect selects the inbox and returns what is seen.
func (k *talk) inspect() insight { k.t.Helper(); return k.inspectBy("SELECT INBOX") }

func (k *talk) inspectBy(command string) insight {
	k.t.Helper()
	in := insight{messages: map[int]string{}}
	for _, line := range k.ok(command) {
		if _, after, ok := strings.Cut(line, "[UIDVALIDITY "); ok {
			in.validity, _, _ = strings.Cut(after, "]")
		}
	}
	subjects, flags := k.messages()
	for uid, subject := range subjects {
		in.messages[uid] = subject + " (" + flags[uid] + ")"
	}
	status := strings.Join(k.ok("STATUS INBOX (UIDNEXT)"), " ")
	_, after, _ := strings.Cut(status, "UIDNEXT ")
	in.next, _, _ = strings.Cut(after, ")")
	return in
}

func (a insight) equal(b insight) bool {
	return a.validity == b.validity && a.next == b.next && maps.Equal(a.messages, b.messages)
}

// diff says where two differ.
func (a insight) diff(b insight) string {
	var out []string
	for uid := range a.messages {
		if a.messages[uid] != b.messages[uid] {
			out = append(out, fmt.Sprintf("UID %d: %q, %q", uid, a.messages[uid], b.messages[uid]))
		}
	}
	for uid := range b.messages {
		if _, ok := a.messages[uid]; !ok {
			out = append(out, fmt.Sprintf("UID %d: none, %q", uid, b.messages[uid]))
		}
	}
	slices.Sort(out)
	return fmt.Sprintf("UIDVALIDITY %s, %s; UIDNEXT %s, %s\n%s", a.validity, b.validity, a.next, b.next, strings.Join(out, "\n"))
}

// put appends a message. Courier has no literals that are not waited for.
func (k *talk) put(flags, subject string) []string {
	k.t.Helper()
	text := strings.ReplaceAll(numbered(subject, 0), "\n", "\r\n")
	text = strings.Replace(text, "Subject: "+subject+" message 0", "Subject: "+subject, 1)
	k.ok(fmt.Sprintf("APPEND INBOX (%s) {%d}", flags, len(text)))
	fmt.Fprintf(k.c, "%s\r\n", text)
	var all []string
	for {
		line := k.line()
		if all = append(all, line); line == "" || strings.HasPrefix(line, "t ") {
			return all
		}
	}
}

// ours starts a session of the real binary on a Maildir.
func oursOn(t *testing.T, maildir string, settings ...string) *talk {
	t.Helper()
	c, err := onSocket(t, append([]string{"LOG_LEVEL=error"}, settings...), strings.Fields(account{maildir: maildir}.imapd())...)
	if err != nil {
		t.Fatal(err)
	}
	k := newTalk(t, c)
	if line := k.line(); !strings.HasPrefix(line, "* PREAUTH") {
		t.Fatalf("greeted with %q", line)
	}
	return k
}

// leave ends a session on a pipe, and waits until its process is through.
func (k *talk) leave() {
	k.t.Helper()
	k.ok("LOGOUT")
	for k.line() != "" {
	}
}

// TestWayBack: Courier works on a Maildir, then we, then Courier again: it sees the UIDs
// and keywords that it had given, those of ours, and new mail above both.
func TestWayBack(t *testing.T) {
	courier := courierPeer(t)
	a := account{maildir: filepath.Join(publicDir(t), "Maildir")}
	makeMaildir(t, a.maildir)
	for i := range 20 {
		if err := a.deliver("INBOX", numbered("first", i)); err != nil {
			t.Fatal(err)
		}
	}
	k := courier.dial(t, a.maildir)
	k.inspect()
	k.ok(`STORE 1:10 +FLAGS (\Seen)`)
	k.ok(`STORE 3,5 +FLAGS (Work $Forwarded)`)
	k.put(`\Flagged Later`, "by Courier")
	k.ok(`STORE 7,20 +FLAGS (\Deleted)`)
	k.ok("EXPUNGE")
	before := k.inspect()
	k.leave()

	for round := range 3 {
		k = oursOn(t, a.maildir)
		if got := k.inspect(); !got.equal(before) {
			t.Fatalf("round %d: Courier saw, and we see: %s", round, before.diff(got))
		}
		k.put(`\Seen Ours$`+strconv.Itoa(round), fmt.Sprint("by us ", round))
		k.ok(fmt.Sprintf(`STORE %d +FLAGS (\Answered NonJunk)`, round+2))
		k.ok(fmt.Sprintf(`STORE %d -FLAGS (\Seen Work)`, round+3))
		k.ok(`STORE 1 +FLAGS (\Deleted)`)
		k.ok("EXPUNGE")
		k.ok("COPY 4 INBOX")
		if err := a.deliver("INBOX", numbered("between", round)); err != nil {
			t.Fatal(err)
		}
		k.inspect()
		if err := a.deliver("INBOX", numbered("only looked at", round)); err != nil {
			t.Fatal(err)
		}
		now := k.inspectBy("EXAMINE INBOX") // the last message stays in new
		k.leave()

		k = courier.dial(t, a.maildir)
		got := k.inspect()
		if !got.equal(now) {
			t.Fatalf("round %d: we saw, and Courier sees: %s", round, now.diff(got))
		}
		if err := a.deliver("INBOX", numbered("late", round)); err != nil {
			t.Fatal(err)
		}
		k.put(`$Junk`, fmt.Sprint("by Courier ", round))
		k.ok(`STORE 2 +FLAGS (\Flagged Again)`)
		k.ok(`STORE 5 FLAGS (Work)`)
		before = k.inspect()
		k.leave()
	}
}

// TestCourierKeywordsReachIdle: a keyword that Courier sets reaches a session in IDLE at
// once, as does one of ours a session of Courier's at its next look.
func TestCourierKeywordsReachIdle(t *testing.T) {
	courier := courierPeer(t)
	s := startServer(t, "COURIER_UIDDB=live")
	a := s.account(t)
	theirs := courier.dial(t, a.maildir)
	theirs.inspect()
	theirs.put("", "first of all")
	theirs.inspect()
	ours := dial(t, s.port)
	ours.line()
	ours.ok("LOGIN " + a.user + " " + password)
	ours.ok("SELECT INBOX")
	ours.ok("IDLE")
	theirs.ok("STORE 1 +FLAGS (Theirs)")
	for line := ours.line(); !strings.Contains(line, "FETCH") || !strings.Contains(line, "Theirs"); line = ours.line() {
		if line == "" {
			t.Fatal("a session in IDLE was not told of a keyword within 15 s")
		}
	}
	fmt.Fprint(ours.c, "DONE\r\n")
	for !strings.HasPrefix(ours.line(), "t OK") {
	}
	ours.ok("STORE 1 +FLAGS (Ours)")
	if got := strings.Join(theirs.ok("NOOP"), "\n"); !strings.Contains(got, "Ours") || !strings.Contains(got, "Theirs") {
		t.Errorf("Courier says %s", got)
	}
	ours.ok("LOGOUT")
	theirs.ok("LOGOUT")
}

// TestTogether: Courier and we serve one Maildir at once, with clients of both and mail
// coming in. No UID ever means two messages, and at the end both see the same.
func TestTogether(t *testing.T) {
	courier := courierPeer(t)
	s := startServer(t, "COURIER_UIDDB=live", "LOG_LEVEL=warn")
	a := s.account(t)
	k := courier.dial(t, a.maildir) // its list of UIDs is there from the start
	k.inspect()
	k.put("", "first of all")
	k.inspect()
	k.ok("LOGOUT")

	w := &witness{t: t, told: map[int]string{}, uids: map[string]int{}, steps: make(chan struct{}, *coexist)}
	var wait sync.WaitGroup
	each := *coexist / 5
	began := time.Now()
	for n := range 4 {
		var k *talk
		name := fmt.Sprint("Courier ", n/2)
		if n%2 == 0 {
			k = courier.dial(t, a.maildir)
		} else {
			name = fmt.Sprint("ours ", n/2)
			k = dial(t, s.port)
			k.line()
			k.ok("LOGIN " + a.user + " " + password)
		}
		c := &together{w: w, k: k, name: name, r: rand.New(rand.NewPCG(*seed, uint64(n)))}
		wait.Go(func() { c.run(each) })
	}
	wait.Go(func() {
		for i := range 4 * each {
			<-w.steps
			if i%16 == 0 {
				if err := a.deliver("INBOX", strings.Replace(numbered("mx", i), "message", "mail", 1)); err != nil {
					t.Error(err)
				}
			}
		}
	})
	wait.Wait()
	took := time.Since(began)
	w.agree(courier, a, s)
	t.Logf("%d operations in %v, %d refused; %d UIDs told, %d messages renumbered", *coexist, took.Round(time.Millisecond), w.refused, len(w.told), w.renumbered)
	if w.renumbered > 0 {
		t.Logf("the server's log:\n%s", s.log)
	}
}

// witness notes what clients were told.
type witness struct {
	t          *testing.T
	steps      chan struct{} // one for each operation of a client
	mu         sync.Mutex
	told       map[int]string // UID -> subject
	uids       map[string]int // subject -> UID, of those that are not copied
	refused    int
	renumbered int
}

func (w *witness) see(who string, subjects map[int]string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for uid, subject := range subjects {
		if subject == "message unavailable" {
			continue // what Courier says of a file that is gone
		}
		if was, ok := w.told[uid]; ok && was != subject {
			w.t.Errorf("%s was told that UID %d is %q; it was %q", who, uid, subject, was)
		}
		w.told[uid] = subject
		if was, ok := w.uids[subject]; ok && was != uid && !strings.HasPrefix(subject, "copied") {
			w.renumbered++
		}
		w.uids[subject] = uid
	}
}

// agree looks with new sessions of both until nothing changes, and compares.
func (w *witness) agree(courier peer, a account, s *server) {
	w.t.Helper()
	var ours, theirs insight
	for range 3 {
		k := courier.dial(w.t, a.maildir)
		theirs = k.inspect()
		k.ok("LOGOUT")
		k = dial(w.t, s.port)
		k.line()
		k.ok("LOGIN " + a.user + " " + password)
		ours = k.inspect()
		k.ok("LOGOUT")
	}
	if !ours.equal(theirs) {
		w.t.Errorf("we see, and Courier sees: %s", ours.diff(theirs))
	}
	if len(ours.messages) == 0 {
		w.t.Error("no messages are left")
	}
	for uid, what := range ours.messages {
		if was, ok := w.told[uid]; ok && !strings.HasPrefix(what, was+" (") {
			w.t.Errorf("UID %d was %q and is %q", uid, was, what)
		}
	}
}

// together is one client that does what comes.
type together struct {
	w    *witness
	k    *talk
	name string
	r    *rand.Rand
	uids []int
	n    int
}

func (c *together) run(operations int) {
	c.k.ok("SELECT INBOX")
	for range operations {
		c.step()
		c.w.steps <- struct{}{}
	}
	c.k.ok("LOGOUT")
}

// do sends a command that may be refused: the message may be gone.
func (c *together) do(command string) {
	all := c.k.do(command)
	if last := all[len(all)-1]; !strings.HasPrefix(last, "t OK") {
		c.w.mu.Lock()
		c.w.refused++
		c.w.mu.Unlock()
	}
}

func (c *together) step() {
	words := []string{`\Seen`, `\Flagged`, `\Answered`, "Work", "$Junk", "Later", "Mine" + strconv.Itoa(c.r.IntN(3))}
	some := func() string {
		c.r.Shuffle(len(words), func(i, j int) { words[i], words[j] = words[j], words[i] })
		return strings.Join(words[:c.r.IntN(4)], " ")
	}
	uid := 1
	if len(c.uids) > 0 {
		uid = c.uids[c.r.IntN(len(c.uids))]
	}
	switch n := c.r.IntN(20); {
	case n < 5:
		subjects, _ := c.k.messages()
		c.uids = slices.Sorted(maps.Keys(subjects))
		c.w.see(c.name, subjects)
	case n < 8:
		c.do("NOOP")
	case n < 14:
		c.do(fmt.Sprintf("UID STORE %d %sFLAGS (%s)", uid, []string{"", "+", "-"}[c.r.IntN(3)], some()))
	case n < 17:
		c.n++
		subject := fmt.Sprintf("%s %d", c.name, c.n)
		if c.r.IntN(3) == 0 {
			subject = "copied " + subject
		}
		c.k.put(some(), subject)
	case n < 18 || len(c.uids) < 20:
		subjects, _ := c.k.messages()
		if strings.HasPrefix(subjects[uid], "copied") {
			c.do(fmt.Sprintf("UID COPY %d INBOX", uid))
		}
	default:
		for range max(1, len(c.uids)/15) {
			c.do(fmt.Sprintf(`UID STORE %d +FLAGS (\Deleted)`, c.uids[c.r.IntN(len(c.uids))]))
		}
		c.do("EXPUNGE")
	}
}
