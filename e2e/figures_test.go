package e2e_test

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// figures has TestIdleFigures measure; "make bench-idle" sets it.
var (
	figures      = flag.Bool("figures", false, "measure what IDLE costs and how fast it tells")
	figuresCrowd = flag.Int("figures-crowd", 10_000, "sessions that idle while nothing happens")
	figuresMail  = flag.Int("figures-mail", 100_000, "messages in the folder")
)

// The sizes of the measurement beside the flags.
const (
	figuresTold   = 200 // sessions that are told
	figuresRounds = 200 // changes
	figuresQuiet  = 60 * time.Second
)

// TestIdleFigures measures and judges nothing: how long it takes from a delivery, and
// from a STORE of another session, to the last of 200 sessions in IDLE on a large folder;
// and what thousands of quiet sessions cost.
func TestIdleFigures(t *testing.T) {
	if !*figures {
		t.Skip("make bench-idle runs it")
	}
	s := startServer(t, "MAXDAEMONS=0", "MAXPERACCOUNT=0", "LOG_LEVEL=warn")
	a := s.account(t)
	fillFolder(t, a, *figuresMail)
	var idle []*idler
	told := make(chan time.Time, figuresTold)
	for range figuresTold {
		k := enterIdle(t, s, a.user, false)
		go k.report(told)
		idle = append(idle, k)
	}
	actor := enter(t, s, a.user, false)
	actor.do(t, "SELECT INBOX")
	m := &measuring{s, told, idle}
	m.run(t, "a delivery, rename(2) to the last of 200", " EXISTS", func(n int) time.Time { return deliverTimed(t, a, n) })
	m.run(t, "STORE of another session to the last of 200", " FETCH (FLAGS", func(n int) time.Time {
		at := time.Now()
		actor.do(t, fmt.Sprintf(`STORE %d %sFLAGS (\Flagged)`, 1+n/2, []string{"+", "-"}[n%2]))
		return at
	})
	m.run(t, "keyword of another session to the last of 200", " FETCH (FLAGS", func(n int) time.Time {
		at := time.Now()
		actor.do(t, fmt.Sprintf(`STORE %d %sFLAGS (work)`, 1+n/2, []string{"+", "-"}[n%2]))
		return at
	})
	for _, k := range append(idle, actor) {
		k.conn.Close()
	}
	for _, secure := range []bool{false, true} {
		if *figuresCrowd == 0 {
			continue
		}
		quietCrowd(t, startServer(t, "MAXDAEMONS=0", "MAXPERACCOUNT=0", "LOG_LEVEL=warn"), secure)
	}
}

// fillFolder puts messages into a folder that nobody has opened yet.
func fillFolder(t *testing.T, a account, n int) {
	t.Helper()
	for i := range n {
		name := filepath.Join(a.maildir, "cur", fmt.Sprintf("%d.M%dP1.figures:2,S", 1_700_000_000+i, i))
		write(t, name, fmt.Sprintf("Subject: message %d\n\nA text.\n", i), 0o600)
		give(t, name)
	}
}

// deliverTimed delivers a message and returns when the rename began.
func deliverTimed(t *testing.T, a account, n int) time.Time {
	t.Helper()
	name := fmt.Sprintf("%d.M%dP2.figures", time.Now().Unix(), n)
	tmp := filepath.Join(a.maildir, "tmp", name)
	write(t, tmp, "Subject: new\n\nA text.\n", 0o600)
	give(t, tmp)
	at := time.Now()
	if err := os.Rename(tmp, filepath.Join(a.maildir, "new", name)); err != nil {
		t.Fatal(err)
	}
	return at
}

// idler is a client that waits for what it is told.
type idler struct {
	conn net.Conn
	r    *bufio.Reader
	mark chan []byte // what the line has that is to be reported next
}

func enter(t *testing.T, s *server, user string, secure bool) *idler {
	t.Helper()
	k := &idler{mark: make(chan []byte, 1)}
	var err error
	if secure {
		k.conn, err = tls.Dial("tcp", "127.0.0.1:"+s.tlsPort, &tls.Config{InsecureSkipVerify: true})
	} else {
		k.conn, err = net.Dial("tcp", "127.0.0.1:"+s.port)
	}
	if err != nil {
		t.Fatal(err)
	}
	k.r = bufio.NewReaderSize(k.conn, 512)
	k.do(t, fmt.Sprintf("LOGIN %s %s", user, password))
	return k
}

func enterIdle(t *testing.T, s *server, user string, secure bool) *idler {
	t.Helper()
	k := enter(t, s, user, secure)
	k.do(t, "SELECT INBOX")
	fmt.Fprint(k.conn, "i IDLE\r\n")
	k.until(t, "+ ")
	return k
}

func (k *idler) do(t *testing.T, command string) {
	t.Helper()
	fmt.Fprintf(k.conn, "x %s\r\n", command)
	k.until(t, "x OK")
}

func (k *idler) until(t *testing.T, prefix string) {
	t.Helper()
	for {
		line, err := k.r.ReadString('\n')
		if err != nil || strings.HasPrefix(line, "x NO") || strings.HasPrefix(line, "x BAD") {
			t.Fatalf("waiting for %q: %q %v", prefix, line, err)
		}
		if strings.HasPrefix(line, prefix) {
			return
		}
	}
}

// report sends when the first line came that has the mark, for each mark.
func (k *idler) report(told chan<- time.Time) {
	mark := <-k.mark
	for {
		line, err := k.r.ReadSlice('\n')
		if err != nil {
			return
		}
		if mark != nil && bytes.Contains(line, mark) {
			told <- time.Now()
			if mark = <-k.mark; mark == nil {
				return
			}
		}
	}
}

// measuring is a server and who is told.
type measuring struct {
	s    *server
	told <-chan time.Time
	idle []*idler
}

// run makes changes and prints how long each took to reach the last client, and what it
// cost the server. A client is told the next mark before the change.
func (m *measuring) run(t *testing.T, what, mark string, change func(n int) time.Time) {
	t.Helper()
	var all []time.Duration
	cpu := cpuTime(t, m.s)
	for n := range figuresRounds {
		for _, k := range m.idle {
			k.mark <- []byte(mark)
		}
		at := change(n)
		var last time.Time
		for deadline := time.After(time.Minute); len(all) == n; {
			for range m.idle {
				select {
				case when := <-m.told:
					if when.After(last) {
						last = when
					}
				case <-deadline:
					t.Fatalf("%s: not all were told", what)
				}
			}
			all = append(all, last.Sub(at))
		}
		time.Sleep(20 * time.Millisecond) // what is in flight is no part of the next
	}
	slices.Sort(all)
	cpu = (cpuTime(t, m.s) - cpu) / figuresRounds
	t.Logf("%s: p50 %.2f ms, p99 %.2f ms, most %.2f ms; server %.2f ms of processor each (%d changes)",
		what, ms(all[len(all)/2]), ms(all[len(all)*99/100]), ms(all[len(all)-1]), ms(cpu), len(all))
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// quietCrowd prints what thousands of sessions in IDLE cost while nothing happens.
func quietCrowd(t *testing.T, s *server, secure bool) {
	t.Helper()
	kind := map[bool]string{false: "plain", true: "TLS"}[secure]
	before := resident(t, s)
	var idle []*idler
	for i := range *figuresCrowd {
		idle = append(idle, enterIdle(t, s, fmt.Sprintf("u%d", 2+i%(users-2)), secure))
	}
	time.Sleep(130 * time.Second) // the runtime gives back what the logins took
	cpu := cpuTime(t, s)
	time.Sleep(figuresQuiet)
	cpu = cpuTime(t, s) - cpu
	each := float64(resident(t, s)-before) / float64(len(idle))
	t.Logf("%d quiet sessions, %s: %.2f %% of a core over %v, %.1f KiB each", len(idle), kind, 100*cpu.Seconds()/figuresQuiet.Seconds(), figuresQuiet, each)
	for _, k := range idle {
		k.conn.Close()
	}
}

// resident is the server's memory in KiB.
func resident(t *testing.T, s *server) int {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), "VmRSS:")
	n, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// cpuTime is what the server used of the processors.
func cpuTime(t *testing.T, s *server) time.Duration {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	var ticks int
	for _, i := range []int{11, 12} { // utime, stime, in hundredths of a second
		n, err := strconv.Atoi(f[i])
		if err != nil {
			t.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}
