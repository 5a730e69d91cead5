package e2e_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// figuresSessions is how many sessions of one user TestSystemFigures opens.
const figuresSessions = 1000

// TestSystemFigures prints what the processes for system accounts keep in memory, and
// judges nothing: by themselves, with one quiet session, and with many of one user, plain
// and under TLS. What several processes share counts for each by its part (PSS).
func TestSystemFigures(t *testing.T) {
	if !*figures {
		t.Skip("make bench-system runs it")
	}
	for _, secure := range []bool{false, true} {
		t.Run(map[bool]string{false: "plain", true: "TLS"}[secure], func(t *testing.T) {
			t.Parallel()
			systemFigures(t, secure)
		})
	}
}

func systemFigures(t *testing.T, secure bool) {
	s := startSystem(t, "MAXDAEMONS=0", "MAXPERACCOUNT=0", "LOG_LEVEL=warn")
	t.Logf("nobody there: %s", s.memory(t))
	s.enterSystem(t, 1, secure).idle(t)
	s.settle(t)
	one := s.memory(t)
	t.Logf("one session in IDLE: %s", one)
	for range figuresSessions {
		s.enterSystem(t, 1, secure).idle(t)
	}
	s.settle(t)
	many := s.memory(t)
	t.Logf("%d sessions in IDLE: %s", figuresSessions+1, many)
	for _, name := range []string{"front", "worker", "parent"} {
		t.Logf("each session more: %.1f KiB in the %s", float64(many[name].rss-one[name].rss)/figuresSessions, name)
	}
}

// settle waits until the processes have given back what the logins took.
func (s *server) settle(t *testing.T) {
	t.Helper()
	time.Sleep(4 * time.Minute)
}

// footprint is a process's memory in KiB.
type footprint struct{ rss, pss int }

// footprints are those of the server's processes, by name.
type footprints map[string]footprint

func (f footprints) String() string {
	var b strings.Builder
	for _, name := range []string{"parent", "front", "keeper", "worker"} {
		if p, ok := f[name]; ok {
			fmt.Fprintf(&b, "%s %.1f MiB (its part of what is shared counted: %.1f); ", name, float64(p.rss)/1024, float64(p.pss)/1024)
		}
	}
	return b.String()
}

func (s *server) memory(t *testing.T) footprints {
	t.Helper()
	all := footprints{"parent": footprintOf(t, s.cmd.Process.Pid)}
	for name, word := range map[string]string{"front": "postrider-front", "keeper": "keeper", "worker": "worker"} {
		for _, p := range s.children(t, word) {
			all[name] = footprintOf(t, p.pid)
		}
	}
	return all
}

func footprintOf(t *testing.T, pid int) (f footprint) {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		t.Fatal(err)
	}
	for l := range strings.Lines(string(b)) {
		words := strings.Fields(l)
		for name, to := range map[string]*int{"Rss:": &f.rss, "Pss:": &f.pss} {
			if words[0] == name {
				if *to, err = strconv.Atoi(words[1]); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	return f
}
