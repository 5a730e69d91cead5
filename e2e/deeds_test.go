package e2e_test

import (
	"bufio"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"testing"
)

// message is one that a client was told of: acknowledged, where it is and what flags
// it has.
type message struct {
	folder, uid, subject string
	flags                map[string]bool
}

// deed is one command about one message.
type deed struct {
	kind  string // append, store, expunge, copy, move
	m     *message
	flags map[string]bool // store
	to    string          // copy, move
}

func (d *deed) folder() string { return d.m.folder }

func (d *deed) command() string {
	switch d.kind {
	case "append":
		text := "Subject: " + d.m.subject + "\r\n\r\nx\r\n"
		return fmt.Sprintf("APPEND %s (%s) {%d+}\r\n%s", d.m.folder, words(d.m.flags), len(text), text)
	case "store":
		return fmt.Sprintf("UID STORE %s FLAGS (%s)", d.m.uid, words(d.flags))
	case "expunge":
		return "UID EXPUNGE " + d.m.uid
	}
	return fmt.Sprintf("UID %s %s %s", strings.ToUpper(d.kind), d.m.uid, d.to)
}

var (
	appendUID = regexp.MustCompile(`\[APPENDUID \d+ (\d+)\]`)
	copyUID   = regexp.MustCompile(`\[COPYUID \d+ \d+ (\d+)\]`)
)

// done notes what was acknowledged.
func (w *worker) done(answer []string) error {
	d, all := w.doing, strings.Join(answer, "\n")
	if last := answer[len(answer)-1]; !strings.HasPrefix(last, "t OK") {
		return fmt.Errorf("answered %s", last)
	}
	switch d.kind {
	case "append":
		found := appendUID.FindStringSubmatch(all)
		if found == nil {
			return fmt.Errorf("no APPENDUID in %q", all)
		}
		d.m.uid = found[1]
		w.live = append(w.live, d.m)
	case "store":
		d.m.flags = d.flags
	case "expunge":
		w.drop(d.m)
	case "copy", "move":
		found := copyUID.FindStringSubmatch(all)
		if found == nil {
			return fmt.Errorf("no COPYUID in %q", all)
		}
		w.live = append(w.live, &message{d.to, found[1], d.m.subject, maps.Clone(d.m.flags)})
		if d.kind == "move" {
			w.drop(d.m)
		}
	}
	return nil
}

func (w *worker) drop(m *message) {
	w.live = slices.DeleteFunc(w.live, func(o *message) bool { return o == m })
}

// judge compares the worker's messages with what is there. A command that got no
// answer may have been done or not; what is found is then the truth.
func (w *worker) judge(v view) (errs []error) {
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("worker %d: %s", w.id, fmt.Sprintf(format, args...)))
	}
	claimed := map[place]bool{}
	for _, m := range slices.Clone(w.live) {
		at := place{m.folder, m.uid}
		is, there := v[at]
		pending := w.doing != nil && w.doing.m == m
		switch {
		case !there && pending && (w.doing.kind == "expunge" || w.doing.kind == "move"):
			w.drop(m)
			if w.doing.kind == "expunge" {
				w.doing = nil
			}
			continue
		case !there:
			bad("%v %q is lost", at, m.subject)
			continue
		case is.subject != m.subject:
			bad("%v was %q and is %q", at, m.subject, is.subject)
		case is.flags != words(m.flags) && !(pending && w.doing.kind == "store" && is.halfway(m.flags, w.doing.flags)):
			bad("%v %q has the flags (%s), acknowledged were (%s)", at, m.subject, is.flags, words(m.flags))
		}
		m.flags = flagsOf(is.flags)
		claimed[at] = true
	}
	subjects := map[string]bool{}
	for _, m := range w.live {
		subjects[m.subject] = true
	}
	for at, is := range v {
		if claimed[at] || !strings.HasPrefix(is.subject, fmt.Sprintf("worker %d ", w.id)) {
			continue
		}
		d := w.doing
		if d == nil || d.kind == "store" || d.kind == "expunge" || d.m.subject != is.subject {
			bad("%v %q is there, and should not be", at, is.subject)
			continue
		}
		if d.kind == "move" && slices.Contains(w.live, d.m) {
			bad("%v %q is there, and the original too", at, is.subject)
		}
		// The file's name has the flags; only MOVE keeps what the journal has (the
		// original of a COPY is there still, and an APPEND will be given again).
		if is.flags != words(d.m.flags) && (d.kind == "move" || is.flags != words(inName(d.m.flags))) {
			bad("%v %q came with the flags (%s), not (%s)", at, is.subject, is.flags, words(d.m.flags))
		}
		w.live = append(w.live, &message{at.folder, at.uid, is.subject, flagsOf(is.flags)})
		w.doing = nil
		claimed[at] = true
	}
	if d := w.doing; d != nil && d.kind == "move" && !slices.Contains(w.live, d.m) {
		bad("%s %q was being moved and is nowhere", d.m.uid, d.m.subject)
	}
	w.doing = nil
	return errs
}

// inName are those flags that stand in a file's name.
func inName(flags map[string]bool) map[string]bool {
	some := map[string]bool{}
	for f := range flags {
		if strings.HasPrefix(f, `\`) {
			some[f] = true
		}
	}
	return some
}

func flagsOf(s string) map[string]bool {
	flags := map[string]bool{}
	for _, f := range strings.Fields(s) {
		flags[f] = true
	}
	return flags
}

// place is where a message is, for ever.
type place struct{ folder, uid string }

// row is a message as it is found.
type row struct{ subject, flags string }

// halfway: of a command without an answer the flags in the name may be done and the
// keywords, which are in the journal, not.
func (r row) halfway(old, new map[string]bool) bool {
	system := func(flags map[string]bool, want bool) (some []string) {
		for f := range flags {
			if strings.HasPrefix(f, `\`) == want {
				some = append(some, f)
			}
		}
		slices.Sort(some)
		return some
	}
	is := flagsOf(r.flags)
	for _, kind := range []bool{true, false} {
		if got := system(is, kind); !slices.Equal(got, system(old, kind)) && !slices.Equal(got, system(new, kind)) {
			return false
		}
	}
	return true
}

type view map[place]row

func (v view) find(subject string) (at []place) {
	for p, r := range v {
		if r.subject == subject {
			at = append(at, p)
		}
	}
	return at
}

// truth is what holds over all lives of the server.
type truth struct {
	validity  map[string]string
	ever      map[place]string
	next      map[string]int
	delivered int
}

func newTruth() *truth {
	return &truth{validity: map[string]string{}, ever: map[place]string{}, next: map[string]int{}}
}

var (
	rowOf      = regexp.MustCompile(`UID (\d+) FLAGS \(([^)]*)\) ENVELOPE \(NIL "([^"]*)"`)
	validityOf = regexp.MustCompile(`UIDVALIDITY (\d+)`)
	nextOf     = regexp.MustCompile(`UIDNEXT (\d+)`)
)

// look reads all folders and says what contradicts what was ever seen.
func (u *truth) look(l *line) (view, error) {
	v := view{}
	for _, folder := range folders {
		answer, err := l.do("SELECT " + folder)
		if err != nil {
			return nil, err
		}
		all := strings.Join(answer, "\n")
		validity, next := validityOf.FindStringSubmatch(all), nextOf.FindStringSubmatch(all)
		if validity == nil || next == nil {
			return nil, fmt.Errorf("SELECT %s: %s", folder, all)
		}
		if was, known := u.validity[folder]; known && was != validity[1] {
			return nil, fmt.Errorf("UIDVALIDITY of %s was %s and is %s", folder, was, validity[1])
		}
		u.validity[folder] = validity[1]
		n := 0
		fmt.Sscan(next[1], &n)
		before := u.next[folder]
		if n < before {
			return nil, fmt.Errorf("UIDNEXT of %s was %d and is %d", folder, before, n)
		}
		if answer, err = l.do("UID FETCH 1:* (UID FLAGS ENVELOPE)"); err != nil {
			return nil, err
		}
		for _, m := range rowOf.FindAllStringSubmatch(strings.Join(answer, "\n"), -1) {
			at, uid := place{folder, m[1]}, 0
			fmt.Sscan(m[1], &uid)
			was, known := u.ever[at]
			if known && was != m[3] || !known && uid < before {
				return nil, fmt.Errorf("%v was %q and is %q; UIDNEXT was %d", at, was, m[3], before)
			}
			u.ever[at] = m[3]
			v[at] = row{m[3], words(flagsOf(strings.ReplaceAll(m[2], `\Recent`, "")))}
		}
		u.next[folder] = n
	}
	return v, nil
}

// line is a connection whose end is an ordinary thing.
type line struct {
	c     net.Conn
	in    *bufio.Reader
	ended func()
}

func newLine(c net.Conn) *line { return &line{c: c, in: bufio.NewReader(c)} }

func dialLine(port string) (*line, error) {
	c, err := net.DialTimeout("tcp", "127.0.0.1:"+port, 5*time.Second)
	if err != nil {
		return nil, err
	}
	l := newLine(c)
	if _, err := l.read(); err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

func (l *line) read() (string, error) {
	l.c.SetReadDeadline(time.Now().Add(40 * time.Second))
	s, err := l.in.ReadString('\n')
	return strings.TrimRight(s, "\r\n"), err
}

// do gives a command and returns its answer, the tagged line last; an error is the end
// of the connection.
func (l *line) do(command string) (all []string, err error) {
	if _, err := fmt.Fprintf(l.c, "t %s\r\n", command); err != nil {
		return nil, err
	}
	for {
		s, err := l.read()
		if err != nil {
			return all, err
		}
		if all = append(all, s); strings.HasPrefix(s, "t ") {
			return all, nil
		}
	}
}

func (l *line) must(t *testing.T, command string) []string {
	t.Helper()
	all, err := l.do(command)
	if err != nil || !strings.HasPrefix(all[len(all)-1], "t OK") {
		t.Fatalf("%s: %q %v", command, all, err)
	}
	return all
}

func (l *line) close() {
	l.c.Close()
	if l.ended != nil {
		l.ended()
	}
}

// startPipe starts a session on a socket that stands for two pipes, in a process group
// of its own. Its end is the caller's to wait for.
func (a account) startPipe() (net.Conn, *exec.Cmd, error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	ours, theirs := os.NewFile(uintptr(fds[0]), "ours"), os.NewFile(uintptr(fds[1]), "theirs")
	defer ours.Close()
	defer theirs.Close()
	command := strings.Fields(a.imapd())
	c := exec.Command(command[0], command[1:]...)
	c.Stdin, c.Stdout, c.Stderr = theirs, theirs, os.Stderr
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Env = []string{"PATH=" + os.Getenv("PATH"), "LOG_LEVEL=error"}
	if err := c.Start(); err != nil {
		return nil, nil, err
	}
	conn, err := net.FileConn(ours)
	return conn, c, err
}
