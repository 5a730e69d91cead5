package e2e_test

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestTCPDProxy: behind a proxy that tells whose the connection is, all is as if it had
// come without; the limits count the client, and no octet of its is lost.
func TestTCPDProxy(t *testing.T) {
	d := tcpds(t)[1]
	r := d.start(t, []string{"-haproxy=2", "-address=127.0.0.1", "-nodnslookup", "-noidentlookup", "-maxperip=1", "-denymsg=go away",
		"-access=" + d.access(t, "192.0.2.9\tdeny\n")}, []string{"/bin/sh", "-c", "read x; echo $TCPREMOTEIP $TCPREMOTEPORT $TCPLOCALIP $TCPLOCALPORT, $TCPREMOTEINFO, $x; exec cat"})
	v2, err := hex.DecodeString("0d0a0d0a000d0a515549540a" + "2111000c" + "c0000208" + "c6336401" + "03e9" + "008f")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, header, want string }{
		{"v1", "PROXY TCP4 192.0.2.7 198.51.100.1 1000 143\r\n", "::ffff:192.0.2.7 1000 ::ffff:198.51.100.1 143, proxy via ::ffff:127.0.0.1, port " + r.port + ", hello\n"},
		{"v1 IPv6", "PROXY TCP6 2001:db8::7 2001:db8::1 1000 143\r\n", "2001:db8::7 1000 2001:db8::1 143, proxy via ::ffff:127.0.0.1, port " + r.port + ", hello\n"},
		{"v2", string(v2), "::ffff:192.0.2.8 1001 ::ffff:198.51.100.1 143, proxy via ::ffff:127.0.0.1, port " + r.port + ", hello\n"},
		{"full", "PROXY TCP4 192.0.2.7 198.51.100.1 1001 143\r\n", ""},
		{"denied", "PROXY TCP4 192.0.2.9 198.51.100.1 1001 143\r\n", "go away\n"},
		{"unknown", "PROXY UNKNOWN\r\n", ""},
		{"none", "a LOGIN u p\r\n", ""},
	} {
		conn := r.connect(t, "127.0.0.1", "127.0.0.1")
		fmt.Fprintf(conn, "%shello\n", c.header)
		line, _ := bufio.NewReader(conn).ReadString('\n')
		if line != c.want {
			t.Errorf("%s: %q, want %q", c.name, line, c.want)
		}
	}
	slow := r.connect(t, "127.0.0.1", "127.0.0.1")
	fmt.Fprint(slow, "PROXY")
	begun := time.Now()
	fast := r.connect(t, "127.0.0.1", "127.0.0.1")
	fmt.Fprint(fast, "PROXY TCP4 192.0.2.20 198.51.100.1 1000 143\r\nhello\n")
	if line, err := bufio.NewReader(fast).ReadString('\n'); !strings.HasSuffix(line, "hello\n") {
		t.Errorf("beside a proxy that says nothing: %q, %v", line, err)
	}
	if _, err := io.ReadAll(slow); err != nil && !strings.Contains(err.Error(), "reset") || time.Since(begun) > 15*time.Second {
		t.Errorf("a proxy that says nothing is kept: %v", err)
	}
	for _, want := range []string{"ALERT: Maximum connection limit reached for ::ffff:192.0.2.7\n", "ERR: no PROXY header from ::ffff:127.0.0.1: there is none\n"} {
		if !strings.Contains(r.log.String(), want) {
			t.Errorf("the log lacks %q:\n%s", want, r.log)
		}
	}
}

// TestTCPDStderr: where the programs complain.
func TestTCPDStderr(t *testing.T) {
	d := tcpds(t)[1]
	dir := t.TempDir()
	file, logger := filepath.Join(dir, "log"), filepath.Join(dir, "logger")
	write(t, logger, "#!/bin/sh\necho \"logger $*\"\nwhile read x; do echo \"$1: $x\"; done >>"+filepath.Join(dir, "logged")+"\n", 0o755)
	program := []string{"/bin/sh", "-c", "echo complaint >&2"}
	options := []string{"-address=127.0.0.1", "-nodnslookup", "-noidentlookup"}
	if got := d.start(t, append(options, "-stderr=socket"), program).hear(t, "127.0.0.1", "127.0.0.1"); got != "complaint" {
		t.Errorf("-stderr=socket: %q", got)
	}
	contains := func(name, want string) func() bool {
		return func() bool {
			text, err := os.ReadFile(name)
			return err == nil && strings.Contains(string(text), want)
		}
	}
	r := d.start(t, append(options, "-stderr="+file), program)
	r.hear(t, "127.0.0.1", "127.0.0.1")
	await(t, r.log, contains(file, "complaint\n"))
	r = d.start(t, append(options, "-stderrlogger="+logger, "-stderrloggername=name", "-warn=1"), program)
	r.hear(t, "127.0.0.1", "127.0.0.1")
	await(t, r.log, contains(filepath.Join(dir, "logged"), "name: complaint\n"))
	await(t, r.log, contains(filepath.Join(dir, "logged"), "name: WARN: 1 active connections.\n"))
}

// TestTCPDUser: the programs run as the user, who need not be able to bind the port.
func TestTCPDUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("only root can become another user: run the tests as root")
	}
	for _, d := range tcpds(t) {
		t.Run(d.name, func(t *testing.T) {
			dir := publicDir(t)
			program := filepath.Join(dir, "program")
			if err := exec.Command("cp", d.program, program).Run(); err != nil { // where nobody may look, too
				t.Fatal(err)
			}
			for words, want := range map[string]string{
				"-user=nobody": "65534 65534 65534", "-user=14300 -group=daemon": "14300 1 1", "-group=daemon": "0 1 1",
			} {
				r := d.start(t, append([]string{"-address=127.0.0.1", "-nodnslookup", "-noidentlookup"}, strings.Fields(words)...), []string{"/bin/sh", "-c", "echo $(id -u) $(id -g) $(id -G)"})
				if got := r.hear(t, "127.0.0.1", "127.0.0.1"); got != want {
					t.Errorf("%s: %q, want %q", words, got, want)
				}
			}
		})
	}
}

// TestTCPDDatabase: a compiled access file is not taken for none.
func TestTCPDDatabase(t *testing.T) {
	both := tcpds(t)
	compiled := both[0].access(t, "127.0.0.1\tdeny\n")
	r := both[1].start(t, []string{"-access=" + compiled, "-denymsg=no", "-address=127.0.0.1", "-nodnslookup", "-noidentlookup"}, []string{"/bin/echo", "served"})
	if got := r.hear(t, "127.0.0.1", "127.0.0.1"); got != "no" || !strings.Contains(r.log.String(), "is read, the source of "+compiled) {
		t.Errorf("beside its source: %q\n%s", got, r.log)
	}
	if err := os.Remove(strings.TrimSuffix(compiled, ".dat")); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(both[1].program, "-access="+compiled, "-address=127.0.0.1", freePort(t), "/bin/cat").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "compiled database") {
		t.Errorf("without its source: %v\n%s", err, out)
	}
}
