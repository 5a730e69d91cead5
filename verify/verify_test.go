package verify

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is as much of an IMAP server as the procedure sees, with one mailbox of messages
// that are a subject and a flag. What it does not tell, and how it refuses, a test sets.
type fake struct {
	t        *testing.T
	listener net.Listener

	capability string
	idle       string // what IDLE is answered with
	limit      int    // connections at once; 0: any number
	mute       string // of what IDLE is told nothing: FETCH, EXPUNGE, EXISTS
	twoExists  bool   // EXISTS follows EXPUNGE, as with Courier

	mu       sync.Mutex
	conns    int
	next     int
	messages []*fakeMessage
	idlers   map[net.Conn]bool
	done     sync.WaitGroup
}

type fakeMessage struct {
	uid     int
	subject string
	deleted bool
}

func newFake(t *testing.T, change func(*fake)) *fake {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &fake{t: t, listener: l, capability: "IMAP4rev1 IDLE UIDPLUS", idle: "entering ENHANCED idle mode", idlers: map[net.Conn]bool{}}
	change(f)
	f.done.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			f.done.Go(func() { f.serve(c) })
		}
	})
	t.Cleanup(func() { l.Close(); f.done.Wait() })
	return f
}

func (f *fake) serve(c net.Conn) {
	defer c.Close()
	f.mu.Lock()
	f.conns++
	full := f.limit > 0 && f.conns > f.limit
	f.mu.Unlock()
	defer func() { f.mu.Lock(); f.conns--; delete(f.idlers, c); f.mu.Unlock() }()
	if full {
		fmt.Fprint(c, "* BYE too many connections\r\n")
		return
	}
	fmt.Fprint(c, "* OK ready\r\n")
	r := bufio.NewReader(c)
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		tag, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		f.mu.Lock()
		f.command(c, r, tag, rest)
		f.mu.Unlock()
	}
}

// command answers one command, with the lock held.
func (f *fake) command(c net.Conn, r *bufio.Reader, tag, rest string) {
	word := strings.ToUpper(rest)
	has := func(prefix string) bool { return strings.HasPrefix(word, prefix) }
	number := func(s string) (n int) { fmt.Sscan(s, &n); return n }
	switch {
	case has("CAPABILITY"):
		fmt.Fprintf(c, "* CAPABILITY %s\r\n", f.capability)
	case has("SELECT"):
		fmt.Fprintf(c, "* %d EXISTS\r\n", len(f.messages))
	case has("IDLE"):
		fmt.Fprintf(c, "+ %s\r\n", f.idle)
		f.idlers[c] = true
		return
	case has("APPEND"):
		fmt.Fprint(c, "+ go on\r\n")
		buf := make([]byte, number(rest[strings.IndexByte(rest, '{')+1:])+2)
		for n := 0; n < len(buf); {
			m, err := r.Read(buf[n:])
			if err != nil {
				return
			}
			n += m
		}
		_, subject, _ := strings.Cut(string(buf), "Subject: ")
		f.next++
		f.messages = append(f.messages, &fakeMessage{uid: f.next, subject: subject[:strings.IndexByte(subject, '\r')]})
		f.tell("* %d EXISTS\r\n", len(f.messages))
	case has("SEARCH"), has("UID SEARCH"):
		f.search(c, rest, has("UID"))
	case has("STORE"):
		m := f.messages[number(rest[6:])-1]
		m.deleted = strings.Contains(rest, "+FLAGS")
		f.tell("* %d FETCH (FLAGS (%s))\r\n", number(rest[6:]), map[bool]string{true: `\Deleted`}[m.deleted])
	case has("UID STORE"):
		for _, m := range f.messages {
			m.deleted = m.deleted || strings.Contains(","+strings.Fields(rest)[2]+",", fmt.Sprintf(",%d,", m.uid))
		}
	case has("FETCH"):
		fmt.Fprintf(c, "* %d FETCH (UID %d)\r\n", number(rest[6:]), f.messages[number(rest[6:])-1].uid)
	case has("EXPUNGE"), has("UID EXPUNGE"):
		for i, m := range slices.Backward(slices.Clone(f.messages)) {
			if m.deleted {
				f.messages = slices.Delete(f.messages, i, i+1)
				f.tell("* %d EXPUNGE\r\n", i+1)
				if f.twoExists {
					f.tell("* %d EXISTS\r\n", len(f.messages))
				}
			}
		}
	}
	fmt.Fprintf(c, "%s OK done\r\n", tag)
}

func (f *fake) search(c net.Conn, rest string, uid bool) {
	fmt.Fprint(c, "* SEARCH")
	for i, m := range f.messages {
		_, token, _ := strings.Cut(rest, "SUBJECT ")
		found := strings.Contains(m.subject, token) != strings.Contains(rest, "NOT SUBJECT")
		found = found && (m.deleted || !strings.Contains(rest, "DELETED"))
		if found && uid {
			fmt.Fprintf(c, " %d", m.uid)
		} else if found {
			fmt.Fprintf(c, " %d", i+1)
		}
	}
	fmt.Fprint(c, "\r\n")
}

func (f *fake) tell(format string, a ...any) {
	line := fmt.Sprintf(format, a...)
	if f.mute != "" && strings.Contains(line, f.mute) {
		return
	}
	for c := range f.idlers {
		fmt.Fprint(c, line)
	}
}

// verify runs the procedure and returns the numbers of the steps that did not pass.
func (f *fake) verify(o Options) (report *Report, failed []int, err error) {
	o.Addr, o.User, o.Password, o.Wait, o.Rounds = f.listener.Addr().String(), "u", "p", 100*time.Millisecond, 3
	report, err = Run(context.Background(), o, nil)
	if err != nil {
		return nil, nil, err
	}
	for i, s := range report.Steps {
		if !s.Passed {
			failed = append(failed, i+1)
		}
	}
	if report.Cleanup != nil {
		f.t.Error(report.Cleanup)
	}
	return report, failed, nil
}

// left is the subjects of the messages that are there.
func (f *fake) left() (subjects []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, m := range f.messages {
		subjects = append(subjects, m.subject)
	}
	return subjects
}

// What a server does not do is found by the step that is about it, and what was appended
// is removed in any case.
func TestFailuresAreFound(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*fake)
		steps  int
		failed []int
	}{
		"all is well":          {func(*fake) {}, 7, nil},
		"as Courier":           {func(f *fake) { f.twoExists = true }, 7, nil},
		"another kind":         {func(f *fake) { f.idle = "idling" }, 7, nil},
		"no UIDPLUS":           {func(f *fake) { f.capability = "IMAP4rev1 IDLE" }, 7, nil},
		"plain idle":           {func(f *fake) { f.idle = "entering idle mode" }, 7, []int{2}},
		"a limit":              {func(f *fake) { f.limit = 3 }, 1, []int{1}},
		"flags are not told":   {func(f *fake) { f.mute = "FETCH" }, 7, []int{4, 5}},
		"expunge is not told":  {func(f *fake) { f.mute = "EXPUNGE" }, 7, []int{6}},
		"new mail is not told": {func(f *fake) { f.mute = "EXISTS" }, 7, []int{7}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t, func(f *fake) {
				f.messages, f.next = []*fakeMessage{{uid: 1, subject: "somebody's"}}, 1
				c.change(f)
			})
			report, failed, err := f.verify(Options{})
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(failed, c.failed) || len(report.Steps) != c.steps || report.Passed() != (len(c.failed) == 0) {
				t.Errorf("failed %v of %d steps: %+v", failed, len(report.Steps), report.Steps)
			}
			if left := f.left(); !slices.Equal(left, []string{"somebody's"}) {
				t.Errorf("left: %q", left)
			}
		})
	}
}

func TestWithoutIdleNothingBegins(t *testing.T) {
	f := newFake(t, func(f *fake) { f.capability = "IMAP4rev1" })
	if _, _, err := f.verify(Options{}); err == nil || !strings.Contains(err.Error(), "IDLE") {
		t.Error(err)
	}
	if left := f.left(); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
}

// Where only EXPUNGE is to be had, nobody else's message may be marked.
func TestOtherMessagesAreNotExpunged(t *testing.T) {
	f := newFake(t, func(f *fake) {
		f.capability = "IMAP4rev1 IDLE"
		f.messages, f.next = []*fakeMessage{{uid: 1, subject: "somebody's", deleted: true}}, 1
	})
	if _, _, err := f.verify(Options{}); err == nil || !strings.Contains(err.Error(), "UID EXPUNGE") {
		t.Error(err)
	}
	if left := f.left(); !slices.Contains(left, "somebody's") {
		t.Errorf("left: %q", left)
	}
}

func TestBadOptions(t *testing.T) {
	for _, o := range []Options{{Sessions: -1}, {Sessions: MaxSessions + 1}, {User: "a\r\nb"}, {Mailbox: "x\r\ny"}} {
		if _, err := Run(t.Context(), o, nil); err == nil {
			t.Errorf("%+v", o)
		}
	}
}

func TestHistogram(t *testing.T) {
	r := Report{Latencies: []time.Duration{time.Millisecond, 3 * time.Millisecond, 3 * time.Millisecond, 40 * time.Second}}
	var b strings.Builder
	r.PrintLatencies(&b)
	want := `told after: median 3ms, 99 % 40s, at most 40s
  up to    1ms      1 #########################
  up to    2ms      0 
  up to    5ms      2 ##################################################
`
	if !strings.HasPrefix(b.String(), want) {
		t.Errorf("%s", b.String())
	}
}
