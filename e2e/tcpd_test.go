package e2e_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// tcpd is a couriertcpd under test: ours, or Courier's as the oracle.
type tcpd struct {
	name    string
	program string
	env     []string
	access  func(t *testing.T, text string) string // makes an access file
}

func (d tcpd) isOurs() bool { return d.name == "ours" }

// tcpds are both. Of an access file Courier's wants a database.
func tcpds(t *testing.T) []tcpd {
	t.Helper()
	out, err := exec.Command("../scripts/setup.sh", "courier-dir").Output()
	root := strings.TrimSpace(string(out))
	if err == nil {
		_, err = os.Stat(root + courierTCPD)
	}
	if err != nil {
		t.Fatalf("%v; scripts/setup.sh unpacks Courier-IMAP", err)
	}
	arch, err := filepath.Glob(root + "/usr/lib/*-linux-gnu*")
	if err != nil || len(arch) != 1 {
		t.Fatalf("libraries below %s: %v, %v", root, arch, err)
	}
	libs := "LD_LIBRARY_PATH=" + root + "/usr/lib:" + arch[0]
	dir := t.TempDir()
	link := filepath.Join(dir, "couriertcpd")
	if err := os.Symlink(binary, link); err != nil {
		t.Fatal(err)
	}
	plain := func(t *testing.T, text string) string {
		file := filepath.Join(t.TempDir(), "access")
		write(t, file, text, 0o644)
		return file
	}
	compiled := func(t *testing.T, text string) string {
		file := plain(t, text+".\n") // which ends it, for makedat
		c := exec.Command(root+"/usr/lib/courier/courier-authlib/makedatprog", file, file+".tmp", file+".dat")
		c.Env = []string{libs}
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("makedatprog: %v\n%s", err, out)
		}
		return file + ".dat"
	}
	return []tcpd{{"Courier", root + courierTCPD, []string{libs}, compiled}, {"ours", link, nil, plain}}
}

// running is a couriertcpd that listens.
type running struct {
	cmd   *exec.Cmd
	port  string
	log   *output
	ended chan error
}

// start starts it on a port of all addresses.
func (d tcpd) start(t *testing.T, options, program []string) *running {
	t.Helper()
	r := &running{port: freePort(t), log: new(output), ended: make(chan error, 1)}
	words := append(append(append([]string{}, options...), r.port), program...)
	r.cmd = exec.Command(d.program, words...)
	r.cmd.Env = append([]string{"PATH=/usr/bin:/bin", "INHERITED=yes", "GORACE=halt_on_error=1 exitcode=66"}, d.env...)
	r.cmd.Stderr = r.log
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { r.ended <- r.cmd.Wait() }()
	t.Cleanup(func() { r.stop(t) })
	await(t, r.log, func() bool { return listens(r.port) })
	return r
}

// listens looks into the kernel's tables: a connection would start a program.
func listens(port string) bool {
	n, err := strconv.Atoi(port)
	if err != nil {
		return false
	}
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		text, err := os.ReadFile(table)
		if err == nil && regexp.MustCompile(fmt.Sprintf(`:%04X [0-9A-F]+:0000 0A`, n)).Match(text) {
			return true
		}
	}
	return false
}

// stop ends it with SIGTERM, which it must obey with status 0.
func (r *running) stop(t *testing.T) {
	t.Helper()
	if r.cmd == nil {
		return
	}
	r.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case err := <-r.ended:
		if err != nil {
			t.Errorf("it ended with %v\n%s", err, r.log)
		}
	case <-time.After(20 * time.Second):
		syscall.Kill(-r.cmd.Process.Pid, syscall.SIGKILL)
		t.Errorf("SIGTERM did not end it: %v", <-r.ended)
	}
	r.cmd = nil
}

// connect connects from an address to another.
func (r *running) connect(t *testing.T, from, to string) *net.TCPConn {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: 10 * time.Second}
	c, err := d.Dial("tcp", net.JoinHostPort(to, r.port))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(20 * time.Second))
	return c.(*net.TCPConn)
}

// hear is all that comes. A reset counts as an end: nobody read what was not sent.
func (r *running) hear(t *testing.T, from, to string) string {
	t.Helper()
	text, _ := io.ReadAll(r.connect(t, from, to))
	return r.general(string(text))
}

// greeting is the first line that comes to an address of ours.
func (r *running) greeting(t *testing.T, from string) string {
	t.Helper()
	c := r.connect(t, from, "127.0.0.1")
	defer c.Close()
	line, _ := bufio.NewReader(c).ReadString('\n')
	return strings.TrimSuffix(line, "\n")
}

var ports = regexp.MustCompile(`(TCPREMOTEPORT)=\d+`)

// general is a text without what differs from run to run.
func (r *running) general(text string) string {
	text = strings.ReplaceAll(ports.ReplaceAllString(text, "$1=N"), r.port, "PORT")
	lines := strings.Split(strings.TrimSpace(text), "\n")
	lines = slices.DeleteFunc(lines, func(l string) bool {
		return strings.HasPrefix(l, "LD_LIBRARY_PATH=") || strings.HasPrefix(l, "GORACE=") || strings.HasPrefix(l, "_=")
	})
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// TestTCPDAccess: for the same access file both say and set the same.
func TestTCPDAccess(t *testing.T) {
	const text = "127.0.0.2\tdeny\n127.0.0.3\tallow,FOO=a b , \"BAR=x,y\",BAZ,MAXCPERIP=9\n127.0.0.4\tdeny,why\n" +
		"127.0.0.5\tallowed\n127.0.0.6\tallow BAX\n127.0.0.7\tFOO,BAX=1\n127.0.0.8\tallow,BLOCK=no\n127.0.0.9\tallow,TCPREMOTEIP=foo,FOO='a,b\n" +
		":0000:0000:0000:0000:0000:0000:0000:0001\tallow,SIX=1\n127.0.1\tdeny\n127.0.1.2\tallow\n127.0.2\tallow,NET=2\n"
	for _, o := range []struct {
		name    string
		options []string
	}{
		{"remote", []string{"-address=0", "-nodnslookup", "-noidentlookup", "-denymsg=go away", "-drop"}},
		{"local, too", []string{"-nodnslookup", "-noidentlookup", "-accesslocal", "-denymsg=go away", "-drop=FOO,BAZ"}},
		{"silent", []string{"-nodnslookup", "-noidentlookup"}},
	} {
		t.Run(o.name, func(t *testing.T) {
			heard := make(map[string]map[string]string)
			var logs [2]string
			for i, d := range tcpds(t) {
				r := d.start(t, append(o.options, "-access="+d.access(t, text)), []string{"/usr/bin/env"})
				for _, from := range []string{"127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5", "127.0.0.6", "127.0.0.7", "127.0.0.8", "127.0.0.9", "127.0.1.1", "127.0.1.2", "::1"} {
					to := []string{"127.0.2.2", "127.0.0.2"}
					if from == "::1" {
						to = []string{"::1"}
					}
					for _, a := range to {
						key := from + " to " + a
						if heard[key] == nil {
							heard[key] = make(map[string]string)
						}
						heard[key][d.name] = r.hear(t, from, a)
					}
				}
				r.stop(t)
				logs[i] = r.general(r.log.String())
			}
			for key, h := range heard {
				if h["Courier"] != h["ours"] {
					t.Errorf("%s: Courier's says\n%s\nand ours\n%s", key, h["Courier"], h["ours"])
				}
			}
			if logs[0] != logs[1] {
				t.Errorf("Courier's logs\n%s\nand ours\n%s", logs[0], logs[1])
			}
		})
	}
}

// TestTCPDLimits: the same connections are served and refused, with the same lines; ours
// says, too, which network is full.
func TestTCPDLimits(t *testing.T) {
	for _, o := range []struct {
		name    string
		options []string
		from    []string
		served  int
	}{
		{"per address", []string{"-maxperip=2", "-warn=9"}, []string{"127.0.0.1", "127.0.0.1", "127.0.0.1", "127.0.0.2"}, 3},
		{"per network", []string{"-maxperc=2", "-warn=9"}, []string{"127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.1.1"}, 3},
		{"in all", []string{"-maxprocs=3", "-warn=2", "-maxperip=9"}, []string{"127.0.0.1", "127.0.0.2", "127.0.0.3"}, 3},
		{"by the file", []string{"-maxperip=9", "-warn=9", "-access"}, []string{"127.0.0.3", "127.0.0.3", "127.0.0.1"}, 2},
	} {
		t.Run(o.name, func(t *testing.T) {
			var logs [2]string
			for i, d := range tcpds(t) {
				options := []string{"-address=0", "-nodnslookup", "-noidentlookup"}
				for _, word := range o.options {
					if word == "-access" {
						word = "-access=" + d.access(t, "127.0.0.3\tallow,MAXCPERIP=1\n")
					}
					options = append(options, word)
				}
				r := d.start(t, options, []string{"/bin/sh", "-c", "echo served; exec cat"})
				served := 0
				for _, from := range o.from {
					c := r.connect(t, from, "127.0.0.1")
					if line, err := bufio.NewReader(c).ReadString('\n'); err == nil && line == "served\n" {
						served++
					} else if line != "" {
						t.Errorf("%s: who is refused hears %q", d.name, line)
					}
				}
				if served != o.served {
					t.Errorf("%s serves %d, not %d", d.name, served, o.served)
				}
				r.stop(t)
				logs[i] = r.log.String()
			}
			ours := regexp.MustCompile(`(?m)^ALERT: .* for network .*\n`).ReplaceAllString(logs[1], "")
			if logs[0] != ours {
				t.Errorf("Courier's logs\n%sand ours\n%s", logs[0], logs[1])
			}
			if o.name == "per network" && !strings.Contains(logs[1], "ALERT: Maximum connection limit reached for network 127.0.0.0/24\n") {
				t.Errorf("ours logs\n%s", logs[1])
			}
		})
	}
}

// TestTCPDWaits: a connection beyond -maxprocs is served when a place is free.
func TestTCPDWaits(t *testing.T) {
	for _, d := range tcpds(t) {
		t.Run(d.name, func(t *testing.T) {
			r := d.start(t, []string{"-maxprocs=1", "-maxperip=9", "-nodnslookup", "-noidentlookup", "-address=127.0.0.1"}, []string{"/bin/sh", "-c", "echo served; exec cat"})
			first, second := r.connect(t, "127.0.0.1", "127.0.0.1"), r.connect(t, "127.0.0.2", "127.0.0.1")
			one, two := bufio.NewReader(first), bufio.NewReader(second)
			if line, err := one.ReadString('\n'); line != "served\n" {
				t.Fatalf("%q, %v", line, err)
			}
			second.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
			if line, err := two.ReadString('\n'); err == nil {
				t.Fatalf("both are served: %q", line)
			}
			second.SetReadDeadline(time.Now().Add(20 * time.Second))
			first.Close()
			if line, err := two.ReadString('\n'); line != "served\n" {
				t.Errorf("%q, %v\n%s", line, err, r.log)
			}
		})
	}
}

// TestTCPDSignals: SIGHUP reads the rules again and leaves the sessions alone; SIGTERM
// ends them.
func TestTCPDSignals(t *testing.T) {
	for _, d := range tcpds(t) {
		t.Run(d.name, func(t *testing.T) {
			file := d.access(t, "127.0.0.9\tdeny\n")
			r := d.start(t, []string{"-access=" + file, "-denymsg=no", "-nodnslookup", "-noidentlookup", "-address=127.0.0.1"}, []string{"/bin/sh", "-c", "trap 'echo bye; exit' TERM; echo served; while :; do read x || exit; echo $x; done"})
			c := r.connect(t, "127.0.0.1", "127.0.0.1")
			in := bufio.NewReader(c)
			said := func(want string) {
				t.Helper()
				if line, err := in.ReadString('\n'); line != want+"\n" {
					t.Fatalf("%q, %v; want %q", line, err, want)
				}
			}
			said("served")
			if err := os.Rename(d.access(t, "127.0.0.1\tdeny\n"), file); err != nil {
				t.Fatal(err)
			}
			r.cmd.Process.Signal(syscall.SIGHUP)
			await(t, r.log, func() bool { return r.greeting(t, "127.0.0.1") == "no" })
			fmt.Fprint(c, "still here\n")
			said("still here")
			r.stop(t)
			fmt.Fprint(c, "\n") // wakes a shell that waits for input before it runs its trap
			rest, _ := io.ReadAll(in)
			if got := strings.TrimSpace(string(rest)); got != "bye" {
				t.Errorf("after SIGTERM comes %q", got)
			}
		})
	}
}

// TestTCPDPidFile: with a pid file it is a daemon, and each program stops the other's.
func TestTCPDPidFile(t *testing.T) {
	both := tcpds(t)
	for i, d := range both {
		other := both[1-i]
		t.Run(d.name, func(t *testing.T) {
			dir, port := t.TempDir(), freePort(t)
			pid := filepath.Join(dir, "pid")
			run := func(d tcpd, words ...string) (string, error) {
				c := exec.Command(d.program, words...)
				c.Env = append([]string{"PATH=/usr/bin:/bin"}, d.env...)
				out, err := c.CombinedOutput()
				return string(out), err
			}
			serve := []string{"-pid=" + pid, "-address=127.0.0.1", "-nodnslookup", "-noidentlookup", port, "/bin/sh", "-c", "echo served; exec cat"}
			if out, err := run(d, serve...); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			stopped := false
			t.Cleanup(func() {
				if !stopped {
					run(d, "-pid="+pid, "-stop")
				}
			})
			await(t, new(output), func() bool { return listens(port) })
			text, err := os.ReadFile(pid)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat("/proc/" + strings.TrimSpace(string(text))); err != nil || !strings.HasSuffix(string(text), "\n") {
				t.Errorf("the pid file says %q: %v", text, err)
			}
			r := &running{port: port}
			c := r.connect(t, "127.0.0.1", "127.0.0.1")
			if line, err := bufio.NewReader(c).ReadString('\n'); line != "served\n" {
				t.Fatalf("%q, %v", line, err)
			}
			for _, d := range both {
				if out, err := run(d, serve...); err != nil || out != "" {
					t.Errorf("a second start of %s: %v\n%s", d.name, err, out)
				}
				if out, err := run(d, "-pid="+pid, "-restart"); err != nil || out != "" {
					t.Errorf("-restart of %s: %v\n%s", d.name, err, out)
				}
			}
			if out, err := run(other, "-pid="+pid, "-stop"); err != nil || out != "" {
				t.Errorf("-stop of %s: %v\n%s", other.name, err, out)
			}
			stopped = !listens(port)
			if !stopped {
				t.Error("it listens still")
			}
			if _, err := io.ReadAll(c); err != nil {
				t.Errorf("the session goes on: %v", err)
			}
			if out, err := run(other, "-pid="+pid, "-stop"); err != nil || out != "" {
				t.Errorf("-stop where nothing runs: %v\n%s", err, out)
			}
		})
	}
}

// TestTCPDMistakes: both end with the same status and, where that is Courier's form, the
// same line.
func TestTCPDMistakes(t *testing.T) {
	both := tcpds(t)
	for _, words := range []string{"", "143", "-foo 143 x", "-maxprocs=x 143 x", "99999 x", "-stop", "-restart", "-address=foo 143 x", "-listen=0 143 x", "-user=nosuchuser 24399 cat", "-group=nosuchgroup 24399 cat"} {
		var out [2]string
		var status [2]int
		for i, d := range both {
			c := exec.Command(d.program, strings.Fields(words)...)
			c.Env = append([]string{"PATH=/usr/bin:/bin"}, d.env...)
			text, _ := c.CombinedOutput()
			out[i], status[i] = strings.ReplaceAll(string(text), d.program, "couriertcpd"), c.ProcessState.ExitCode()
		}
		if status[0] != status[1] || out[1] == "" {
			t.Errorf("%q: Courier's ends with %d, ours with %d and says %q", words, status[0], status[1], out[1])
		}
		if (strings.HasPrefix(out[0], "Usage") || strings.Contains(out[0], "Invalid option")) && out[0] != out[1] {
			t.Errorf("%q: Courier's says %q and ours %q", words, out[0], out[1])
		}
	}
}
