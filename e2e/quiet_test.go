package e2e_test

import (
	"bufio"
	"crypto/sha1"
	"encoding/base64"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// quietFigures has TestQuietFigures measure; "make bench-quiet" sets it.
var (
	quietFigures  = flag.Bool("quiet-figures", false, "measure what sessions cost that sleep, each on an account of its own")
	quietAccounts = flag.Int("quiet-accounts", 10_000, "accounts, each with a session in IDLE")
	quietMail     = flag.Int("quiet-mail", 500, "messages in each INBOX, as files")
	quietTLS      = flag.Bool("quiet-tls", false, "over TLS")
)

// TestQuietFigures measures and judges little: what thousands of sessions in IDLE cost,
// each on an account of its own, once all is quiet: memory, sockets in the kernel,
// descriptors, processor time. Every account is a whole Maildir whose files are links to
// the same few thousand; the server makes their index itself. At the end some are
// delivered to, to see that they wake.
func TestQuietFigures(t *testing.T) {
	if !*quietFigures {
		t.Skip("make bench-quiet runs it")
	}
	s := startServer(t, "MAXDAEMONS=0", "LOG_LEVEL=warn")
	s.manyAccounts(t, *quietAccounts, *quietMail)
	before, socketsBefore := resident(t, s), tcpMemory(t)
	began := time.Now()
	var idle []*idler
	for i := range *quietAccounts {
		idle = append(idle, enterIdle(t, s, fmt.Sprintf("q%d", i), *quietTLS))
	}
	t.Logf("%d logins, each with the first SELECT of %d messages: %v", len(idle), *quietMail, time.Since(began).Round(time.Second))
	t.Logf("at once: %.1f KiB each, %d descriptors", float64(resident(t, s)-before)/float64(len(idle)), descriptors(t, s))
	for range 4 {
		time.Sleep(30 * time.Second)
		t.Logf("after %v: %.1f KiB each, %d descriptors", time.Since(began).Round(time.Second), float64(resident(t, s)-before)/float64(len(idle)), descriptors(t, s))
	}
	cpu := cpuTime(t, s)
	time.Sleep(figuresQuiet)
	cpu = cpuTime(t, s) - cpu
	n := float64(len(idle))
	t.Logf("quiet: %.1f KiB each (the whole server: %.1f KiB), %.1f KiB of kernel memory for both ends of the sockets, %d descriptors for %d sessions, %.2f %% of a core",
		float64(resident(t, s)-before)/n, float64(resident(t, s))/n, float64(tcpMemory(t)-socketsBefore)/n, descriptors(t, s), len(idle), 100*cpu.Seconds()/figuresQuiet.Seconds())
	if d := descriptors(t, s) - len(idle); d > 100 {
		t.Errorf("%d descriptors beside the sockets", d)
	}
	for i := 0; i < len(idle); i += max(1, len(idle)/100) {
		a := account{maildir: s.quietMaildir(i)}
		at := deliverTimed(t, a, i)
		idle[i].until(t, fmt.Sprintf("* %d EXISTS", *quietMail+1))
		if d := time.Since(at); d > 5*time.Second {
			t.Errorf("account %d was told after %v", i, d)
		}
	}
	for _, k := range idle {
		k.conn.Close()
	}
}

func (s *server) quietMaildir(i int) string { return filepath.Join(s.dir, "quiet", strconv.Itoa(i)) }

// manyAccounts makes accounts q0, q1 ... beside those that the server has.
func (s *server) manyAccounts(t *testing.T, accounts, messages int) {
	t.Helper()
	sum := sha1.Sum([]byte(password))
	source := filepath.Join(s.dir, "quiet-source")
	makeDir(t, source)
	makeDir(t, filepath.Join(s.dir, "quiet"))
	f, err := os.OpenFile(filepath.Join(s.dir, "userdb"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	w := bufio.NewWriter(f)
	uid, gid := os.Getuid(), os.Getgid()
	if uid == 0 {
		uid, gid = mailID, mailID
	}
	for i := range accounts {
		dir := s.quietMaildir(i)
		makeMaildir(t, dir)
		for m := range messages {
			if i%maxLinks == 0 {
				name := sourceName(source, i, m)
				write(t, name, fmt.Sprintf("Subject: message %d\n\nA text.\n", m), 0o600)
				give(t, name)
			}
			link := filepath.Join(dir, "cur", fmt.Sprintf("%d.M%dP1.quiet:2,S", 1_700_000_000+m, m))
			if err := os.Link(sourceName(source, i, m), link); err != nil {
				t.Fatal(err)
			}
		}
		fmt.Fprintf(w, "q%d\tuid=%d|gid=%d|home=%s|mail=%s|systempw={SHA}%s\n", i, uid, gid, dir, dir, base64.StdEncoding.EncodeToString(sum[:]))
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// maxLinks is how many names one file gets; ext4 allows 65,000.
const maxLinks = 60_000

func sourceName(dir string, account, message int) string {
	return filepath.Join(dir, fmt.Sprintf("%d.%d", account/maxLinks, message))
}

// descriptors is how many the server has open.
func descriptors(t *testing.T, s *server) int {
	t.Helper()
	names, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	return len(names)
}

// tcpMemory is what the kernel holds in sockets' buffers and the slabs of TCP, in KiB.
func tcpMemory(t *testing.T) int {
	t.Helper()
	b, err := os.ReadFile("/proc/net/sockstat")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), "TCP: ")
	line, _, _ := strings.Cut(rest, "\n")
	_, mem, _ := strings.Cut(line, "mem ")
	pages, err := strconv.Atoi(strings.TrimSpace(mem))
	if err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	return pages * os.Getpagesize() / 1024
}
