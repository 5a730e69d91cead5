package e2e_test

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
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
	a := s.account(t)
	c := &campaign{t: t, s: s, a: a, truth: newTruth()}
	first := c.connect(false)
	first.must(t, "CREATE Work")
	first.close()
	var workers []*worker
	for i := range 5 {
		workers = append(workers, &worker{c: c, id: i, pipe: i >= 3, r: rand.New(rand.NewPCG(uint64(i), 11))})
	}
	r := rand.New(rand.NewPCG(uint64(*kills), 5))
	acked := 0
	for round := range *kills {
		var busy sync.WaitGroup
		for _, w := range workers {
			busy.Go(w.work)
		}
		stop := make(chan struct{})
		busy.Go(func() { c.deliver(stop) })
		time.Sleep(time.Duration(20+r.IntN(200)) * time.Millisecond)
		c.kill(r.IntN(3), workers)
		close(stop)
		busy.Wait()
		c.revive(t)
		acked = 0
		for _, w := range workers {
			acked += w.acked
		}
		if errs := c.judge(workers, r.IntN(2) == 0); len(errs) > 0 {
			for _, err := range errs {
				t.Errorf("kill %d: %v", round+1, err)
			}
			return
		}
	}
	t.Logf("%d kills, %d commands acknowledged, %d deliveries, %d UIDs", *kills, acked, c.truth.delivered, len(c.truth.ever))
	if acked < *kills {
		t.Errorf("only %d commands were acknowledged in %d rounds", acked, *kills)
	}
}

// campaign is one server that is killed again and again.
type campaign struct {
	t     *testing.T
	s     *server
	a     account
	truth *truth

	mu    sync.Mutex
	down  bool
	pipes []*exec.Cmd
}

// kill kills the server (0), the processes on pipes (1), or both, and has the workers
// of what is left end.
func (c *campaign) kill(what int, workers []*worker) {
	c.mu.Lock()
	c.down = true
	pipes := c.pipes
	c.pipes = nil
	if what != 1 {
		c.s.cmd.Process.Signal(syscall.SIGKILL)
	}
	if what != 0 {
		for _, p := range pipes {
			syscall.Kill(-p.Process.Pid, syscall.SIGKILL)
		}
	}
	c.mu.Unlock()
	if what != 1 {
		<-c.s.ended
		c.s.cmd = nil
	}
	for _, w := range workers {
		w.stop()
	}
}

func (c *campaign) revive(t *testing.T) {
	if c.s.cmd == nil {
		c.s.start(t)
	}
	c.mu.Lock()
	c.down = false
	c.mu.Unlock()
}

// connect opens a session, through the server or a process of its own.
func (c *campaign) connect(pipe bool) *line {
	if !pipe {
		l, err := dialLine(c.s.port)
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
		if err := c.a.deliver("INBOX", "Subject: "+subject+"\n\nx\n"); err != nil {
			c.t.Error(err)
			return
		}
		c.truth.delivered++
	}
}

// judge compares what is there with what was acknowledged.
func (c *campaign) judge(workers []*worker, pipe bool) (errs []error) {
	l := c.connect(pipe)
	if l == nil {
		return []error{fmt.Errorf("no session after the kill")}
	}
	defer l.close()
	view, err := c.truth.look(l)
	if err != nil {
		return []error{err}
	}
	for i := range c.truth.delivered {
		if n := len(view.find(fmt.Sprintf("delivery %d", i))); n != 1 {
			errs = append(errs, fmt.Errorf("delivery %d is there %d times", i, n))
		}
	}
	for _, w := range workers {
		errs = append(errs, w.judge(view)...)
	}
	return slices.DeleteFunc(errs, func(err error) bool { return err == nil })
}

// worker is a client that changes messages of its own.
type worker struct {
	c     *campaign
	id    int
	pipe  bool
	r     *rand.Rand
	n     int
	acked int
	live  []*message
	doing *deed // not answered

	mu   sync.Mutex
	conn *line
}

func (w *worker) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.conn != nil {
		w.conn.hangUp()
	}
}

// work gives commands until the connection breaks.
func (w *worker) work() {
	l := w.c.connect(w.pipe)
	if l == nil {
		return
	}
	w.mu.Lock()
	w.conn = l
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		w.conn = nil
		w.mu.Unlock()
		l.close()
	}()
	w.c.mu.Lock()
	down := w.c.down
	w.c.mu.Unlock()
	for selected := ""; !down; {
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
