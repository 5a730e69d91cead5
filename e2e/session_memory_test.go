package e2e_test

import (
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// memorySessions is how many sessions TestSessionMemory opens after the first: what
// Courier's limit for one address allows.
const memorySessions = 30

// TestSessionMemory prints, and judges nothing, what one more session in IDLE costs: in
// each of our process models, in Dovecot and in Courier, plain and after STARTTLS. All
// processes of the server count, what they share by its part (PSS).
func TestSessionMemory(t *testing.T) {
	if !*figures {
		t.Skip("make bench-system runs it")
	}
	one := startServer(t, "LOG_LEVEL=warn")
	system := startSystem(t, "LOG_LEVEL=warn")
	oracle := startDovecot(t)
	house := newCourierHouse(t)
	house.authdaemond(t)
	ours := mix{"", house.program("couriertcpd"), []string{house.program("imaplogin")}, house.program("imapd"), nil}
	theirs := mix{"", courierTCPD, []string{courierLogin}, courierImapd, nil}
	chainAccount := house.account(t).user
	for _, secure := range []bool{false, true} {
		for _, s := range []struct {
			name, port, user string
			pid              int
		}{
			{"Postrider, one process", one.port, "u1", one.cmd.Process.Pid},
			{"Postrider, a process for each uid", system.port, "s1", system.cmd.Process.Pid},
			{"Dovecot", oracle.port, "u1", oracle.cmd.Process.Pid},
		} {
			sessionMemory(t, s.name, s.port, s.user, s.pid, secure)
		}
		for name, m := range map[string]mix{"Postrider, the chain": ours, "Courier": theirs} {
			c := m.start(t, house)
			sessionMemory(t, name, c.port, chainAccount, c.cmd.Process.Pid, secure)
		}
	}
}

func sessionMemory(t *testing.T, name, port, user string, pid int, secure bool) {
	t.Helper()
	var open []net.Conn
	enter := func() {
		k := dial(t, port)
		k.line()
		if secure {
			k = k.startTLS(&tls.Config{InsecureSkipVerify: true})
		}
		k.ok("LOGIN " + user + " " + password)
		k.ok("SELECT INBOX")
		fmt.Fprint(k.c, "i IDLE\r\n")
		k.until("+ ")
		open = append(open, k.c)
	}
	enter()
	time.Sleep(3 * time.Second)
	before := familyPSS(t, pid)
	for range memorySessions {
		enter()
	}
	time.Sleep(3 * time.Second)
	t.Logf("%-34s %-8s %7.0f KiB each, %d processes", name, map[bool]string{false: "plain", true: "STARTTLS"}[secure],
		float64(familyPSS(t, pid)-before)/memorySessions, len(family(t, pid)))
	for _, c := range open {
		c.Close()
	}
}

// family is a process and all that came of it, those included that belong to its group
// and whose parent has gone.
func family(t *testing.T, pid int) []int {
	t.Helper()
	all := []int{pid}
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	parents := map[int][]int{}
	for _, name := range stats {
		text, _ := os.ReadFile(name) // of a process that has ended: empty
		fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		child, _ := strconv.Atoi(filepath.Base(filepath.Dir(name)))
		if len(fields) < 3 || child == pid {
			continue
		}
		parent, _ := strconv.Atoi(fields[1])
		if fields[2] == strconv.Itoa(pid) && parent == 1 {
			parent = pid
		}
		parents[parent] = append(parents[parent], child)
	}
	for i := 0; i < len(all); i++ {
		all = append(all, parents[all[i]]...)
	}
	return all
}

// familyPSS is what a process and all that came of it have in memory, in KiB.
func familyPSS(t *testing.T, pid int) (kib int) {
	t.Helper()
	for _, p := range family(t, pid) {
		if _, err := os.Stat(fmt.Sprintf("/proc/%d/smaps_rollup", p)); err == nil {
			kib += footprintOf(t, p).pss
		}
	}
	return kib
}
