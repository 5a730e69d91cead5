package e2e_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// loggers are our courierlogger and Courier's.
func loggers(t *testing.T) []tcpd {
	t.Helper()
	both := tcpds(t)
	both[0].program = filepath.Join(filepath.Dir(both[0].program), "courierlogger")
	link := filepath.Join(t.TempDir(), "courierlogger")
	if err := os.Symlink(binary, link); err != nil {
		t.Fatal(err)
	}
	both[1].program = link
	return both
}

// TestLoggerMistakes: both say the same and end the same.
func TestLoggerMistakes(t *testing.T) {
	both := loggers(t)
	for _, words := range []string{"", "-foo", "-name=x -facility=foo", "-start foo", "-stop", "-restart", "-pid=x", "-respawn", "-name=x -group=nosuchgroup", "--"} {
		var out [2]string
		var status [2]int
		for i, l := range both {
			c := exec.Command(l.program, strings.Fields(words)...)
			c.Env = append([]string{"PATH=/usr/bin:/bin"}, l.env...)
			c.Dir = t.TempDir()
			text, _ := c.CombinedOutput()
			out[i], status[i] = string(text), c.ProcessState.ExitCode()
		}
		if out[0] != out[1] || status[0] != status[1] {
			t.Errorf("%q: Courier's ends with %d and says %q, ours with %d and %q", words, status[0], out[0], status[1], out[1])
		}
	}
}

// TestLogger: what a program complains of comes to the log by its severity, without the
// word for it.
func TestLogger(t *testing.T) {
	socket, log := syslogd(t)
	l := loggers(t)[1]
	c := exec.Command(l.program, "-name=tag", "-facility=local3", "-syslog="+socket, "/bin/sh", "-c", "echo out; echo 'ERR: bad' >&2; echo 'NOTICE: odd' >&2; printf 'WARN: last' >&2; exit 3")
	out, err := c.Output()
	if string(out) != "out\n" || c.ProcessState.ExitCode() != 3 {
		t.Errorf("%q, %v", out, err)
	}
	for _, want := range []string{`<155>.{15} tag: bad\n`, `<158>.{15} tag: NOTICE: odd\n`, `<156>.{15} tag: last\n`} {
		await(t, log, func() bool { return regexp.MustCompile(want).MatchString(log.String()) })
	}
	c = exec.Command(l.program, "-syslog="+socket, "-name=by pipe")
	c.Stdin = strings.NewReader("CRIT: one\ntwo\n")
	if out, err := c.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%v\n%s", err, out)
	}
	await(t, log, func() bool {
		return regexp.MustCompile(`<18>.{15} by pipe: one\n<22>.{15} by pipe: two\n`).MatchString(log.String())
	})
}

// TestLoggerDaemon: each logger stops, and passes SIGHUP on, in the other's place; ours
// starts a program again that ended, ends one that does not hear, and gives up root.
func TestLoggerDaemon(t *testing.T) {
	socket, log := syslogd(t)
	both := loggers(t)
	pid := filepath.Join(publicDir(t), "pid")
	run := func(l tcpd, words ...string) {
		t.Helper()
		c := exec.Command(l.program, append([]string{"-pid=" + pid}, words...)...)
		c.Env = append([]string{"PATH=/usr/bin:/bin"}, l.env...)
		if out, err := c.CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%s %v: %v\n%s", l.name, words, err, out)
		}
	}
	says := func(want string, times int) {
		t.Helper()
		await(t, log, func() bool { return strings.Count(log.String(), want) >= times })
	}
	t.Cleanup(func() { run(both[1], "-stop") })
	stubborn := "trap 'echo hup >&2' HUP; trap 'echo deaf >&2' TERM; echo started $(id -u) >&2; while :; do sleep 0.05; done"
	words := []string{"-name=x", "-syslog=" + socket, "/bin/sh", "-c", stubborn}
	who := "0"
	if os.Geteuid() == 0 {
		who, words = "65534", append([]string{"-user=nobody", "-droproot"}, words...)
	}
	run(both[1], append([]string{"-start"}, words...)...)
	says("started", 1)
	if os.Geteuid() == 0 {
		says("started "+who, 1)
	}
	for i, l := range both {
		run(l, "-restart")
		says("hup", i+1)
		run(l, "-start", "-name=x", "/bin/false") // runs already
	}
	begun := time.Now()
	run(both[0], "-stop")
	if took := time.Since(begun); took < 7*time.Second || took > 40*time.Second {
		t.Errorf("a program that does not hear lived for %v", took)
	}
	says("deaf", 1)
	run(both[1], "-start", "-respawn", "-name=x", "-syslog="+socket, "/bin/sh", "-c", "echo again >&2")
	says("again", 2)
	run(both[1], "-stop")
	said := log.String()
	run(both[1], "-start", "-name=x", "-syslog="+socket, "/bin/sh", "-c", "echo anew >&2")
	says("anew", 1)
	if strings.Count(log.String(), "again") != strings.Count(said, "again") {
		t.Error("the one that was stopped lives still")
	}
}
