package e2e_test

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

var kills = flag.Int("kills", 30, "how often TestKilledUnderLoad kills")

// Clients append, flag, copy, move and expunge over the server and over processes of
// their own, and mail is delivered, while server and processes are killed again and
// again. What was answered with OK is the truth (deeds_test.go): it is there afterwards, under
// its UID, with its flags; what was expunged does not come back; no UID means two
// messages. "make kill" does it some thousand times.
func TestKilledUnderLoad(t *testing.T) {
	s := startServer(t, "LOG_LEVEL=warn", "LOCK_TIMEOUT=10")
	c := newCampaign(t, s)
	c.employ(5, func(i int) int { return map[bool]int{true: onPipe, false: 0}[i >= 3] })
	r := rand.New(rand.NewPCG(uint64(*kills), 5))
	for round := range *kills {
		victims := r.IntN(3)
		if !c.round(round, time.Duration(20+r.IntN(200))*time.Millisecond, victims != 1, victims != 0, r.IntN(2)-1) {
			return
		}
	}
	c.report(*kills)
}

// onPipe is instead of a server's number for a session in a process of its own.
const onPipe = -1

// campaign is one account's servers that are killed again and again.
type campaign struct {
	t       *testing.T
	servers []*server
	a       account
	truth   *truth
	workers []*worker
	linked  bool // deliver by link, and append to maildirsize, too

	mu    sync.Mutex
	down  bool
	pipes []*exec.Cmd
}

func newCampaign(t *testing.T, servers ...*server) *campaign {
	c := &campaign{t: t, servers: servers, a: servers[0].account(t), truth: newTruth()}
	first := c.connect(0)
	first.must(t, "CREATE Work")
	first.close()
	return c
}

func (c *campaign) employ(n int, via func(i int) int) {
	for i := range n {
		c.workers = append(c.workers, &worker{c: c, id: i, via: via(i), r: rand.New(rand.NewPCG(uint64(i), 11))})
	}
}

// round works for a while, kills, and judges; false says that something was wrong.
func (c *campaign) round(n int, work time.Duration, killServer, killPipes bool, judge ...int) bool {
	var busy sync.WaitGroup
	for _, w := range c.workers {
		busy.Go(w.work)
	}
	stop := make(chan struct{})
	busy.Go(func() { c.deliver(stop) })
	time.Sleep(work)
	c.kill(n, killServer, killPipes)
	close(stop)
	busy.Wait()
	c.revive()
	for _, via := range judge {
		if errs := c.judge(via); len(errs) > 0 {
			for _, err := range errs {
				c.t.Errorf("round %d, seen over %d: %v", n+1, via, err)
			}
			return false
		}
	}
	return !c.t.Failed()
}

// report says what was done, and demands that it was something.
func (c *campaign) report(rounds int) {
	acked := 0
	for _, w := range c.workers {
		acked += w.acked
	}
	c.t.Logf("%d rounds, %d commands acknowledged, %d deliveries, %d UIDs", rounds, acked, c.truth.delivered, len(c.truth.ever))
	if acked < rounds {
		c.t.Errorf("only %d commands were acknowledged in %d rounds", acked, rounds)
	}
}

// kill kills a server, the processes on pipes, or both. The workers of what is left
// end when their last command is answered.
func (c *campaign) kill(n int, killServer, killPipes bool) {
	c.mu.Lock()
	c.down = true
	pipes := c.pipes
	c.pipes = nil
	victim := c.servers[n%len(c.servers)]
	if killServer {
		victim.cmd.Process.Signal(syscall.SIGKILL)
	}
	if killPipes {
		for _, p := range pipes {
			syscall.Kill(-p.Process.Pid, syscall.SIGKILL)
		}
	}
	c.mu.Unlock()
	if killServer {
		<-victim.ended
		victim.cmd = nil
	}
}

func (c *campaign) revive() {
	for _, s := range c.servers {
		if s.cmd == nil {
			s.start(c.t)
		}
	}
	c.mu.Lock()
	c.down = false
	c.mu.Unlock()
}

func (c *campaign) isDown() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.down
}

// connect opens a session, through a server or a process of its own.
func (c *campaign) connect(via int) *line {
	if via != onPipe {
		l, err := dialLine(c.servers[via].port)
		if err == nil {
			_, err = l.do("LOGIN " + c.a.user + " " + password)
		}
		if err != nil {
			return nil
		}
		return l
	}
	conn, cmd, err := c.a.startPipe()
	if err != nil {
		c.t.Error(err)
		return nil
	}
	l := newLine(conn)
	l.ended = func() { cmd.Wait() }
	if greeting, err := l.read(); err != nil || !strings.HasPrefix(greeting, "* PREAUTH") {
		l.close()
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.down {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	}
	c.pipes = append(c.pipes, cmd)
	return l
}

// deliver drops mail into INBOX until it is told to stop.
func (c *campaign) deliver(stop chan struct{}) {
	for {
		select {
		case <-stop:
			return
		case <-time.After(15 * time.Millisecond):
		}
		subject := fmt.Sprintf("delivery %d", c.truth.delivered)
		deliver := c.a.deliver
		if c.linked && c.truth.delivered%2 == 0 {
			deliver = c.a.link
		}
		if err := deliver("INBOX", "Subject: "+subject+"\n\nx\n"); err != nil {
			c.t.Error(err)
			return
		}
		c.truth.delivered++
	}
}

// judge compares what is there with what was acknowledged.
func (c *campaign) judge(via int) (errs []error) {
	l := c.connect(via)
	if l == nil {
		return []error{fmt.Errorf("no session after the kill")}
	}
	defer l.close()
	view, err := c.truth.look(l)
	if errors.Is(err, os.ErrDeadlineExceeded) { // what is it doing?
		for _, s := range c.servers {
			s.cmd.Process.Signal(syscall.SIGQUIT)
			<-s.ended
			s.cmd = nil
			c.t.Logf("the server:\n%s", s.log)
		}
	}
	if err != nil {
		return []error{err}
	}
	for i := range c.truth.delivered {
		if n := len(view.find(fmt.Sprintf("delivery %d", i))); n != 1 {
			errs = append(errs, fmt.Errorf("delivery %d is there %d times", i, n))
		}
	}
	for _, w := range c.workers {
		errs = append(errs, w.judge(view)...)
	}
	return slices.DeleteFunc(errs, func(err error) bool { return err == nil })
}

// worker is a client that changes messages of its own.
type worker struct {
	c     *campaign
	id    int
	via   int
	r     *rand.Rand
	n     int
	acked int
	live  []*message
	doing *deed // not answered
}

// work gives commands until the connection breaks.
func (w *worker) work() {
	l := w.c.connect(w.via)
	if l == nil {
		return
	}
	defer l.close()
	for selected := ""; !w.c.isDown(); {
		d := w.next()
		if d.folder() != selected {
			if _, err := l.do("SELECT " + d.folder()); err != nil {
				return
			}
			selected = d.folder()
		}
		w.doing = d
		answer, err := l.do(d.command())
		if err != nil {
			return
		}
		if err := w.done(answer); err != nil {
			w.c.t.Errorf("%s: %v", d.command(), err)
			return
		}
		w.doing = nil
		w.acked++
	}
}

// next invents something to do.
func (w *worker) next() *deed {
	var m *message
	if len(w.live) > 0 {
		m = w.live[w.r.IntN(len(w.live))]
	}
	switch k := w.r.IntN(10); {
	case m == nil || k < 3 && len(w.live) < 40:
		w.n++
		return &deed{kind: "append", m: &message{folder: folders[w.r.IntN(2)], subject: fmt.Sprintf("worker %d message %d", w.id, w.n), flags: someFlags(w.r)}}
	case m.flags[`\Deleted`]:
		return &deed{kind: "expunge", m: m}
	case k < 5:
		return &deed{kind: "store", m: m, flags: someFlags(w.r)}
	case k < 7:
		return &deed{kind: "store", m: m, flags: map[string]bool{`\Deleted`: true}}
	case k < 8:
		return &deed{kind: "copy", m: m, to: folders[w.r.IntN(2)]}
	}
	return &deed{kind: "move", m: m, to: folders[w.r.IntN(2)]}
}

var folders = [2]string{"INBOX", "Work"}

func someFlags(r *rand.Rand) map[string]bool {
	flags := map[string]bool{}
	for _, f := range []string{`\Seen`, `\Flagged`, `\Answered`, "kw1", "kw2"} {
		if r.IntN(3) == 0 {
			flags[f] = true
		}
	}
	return flags
}

func words(flags map[string]bool) string {
	return strings.Join(slices.Sorted(maps.Keys(flags)), " ")
}
