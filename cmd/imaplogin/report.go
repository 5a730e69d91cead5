package imaplogin

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"postrider/auth"
)

// What the end of a chain of modules tells.
const (
	outcomeEnd       = "end" // every module has run; the environment says what came of it
	outcomeAccepted  = "accepted"
	outcomeRejected  = "rejected"
	outcomeTemporary = "temporary" // a module could not tell
)

// ReportFlag is the flag that makes imaplogin the end of a chain of modules.
const ReportFlag = "report"

const reportFlag = "--" + ReportFlag + "="

// reportDescriptor is where it tells.
const reportDescriptor = 4

// maxReport bounds a report in bytes.
const maxReport = 1 << 20

// told is a report.
type told struct {
	Outcome string
	Dir     string
	Env     environment
}

// Report tells imaplogin what became of its modules, and waits until it has looked at
// this process, whose user the kernel vouches for.
func Report(outcome string, env []string) error {
	t := told{Outcome: outcome, Env: env}
	if outcome == outcomeEnd {
		t.Outcome = outcomeRejected
		if t.Env.get("AUTHENTICATED") != "" {
			t.Outcome = outcomeAccepted
		}
	}
	var err error
	if t.Dir, err = os.Getwd(); err != nil {
		return err
	}
	if !given(reportDescriptor) {
		return errors.New("nobody asked for a report")
	}
	f := os.NewFile(reportDescriptor, "report")
	defer f.Close()
	if err := json.NewEncoder(f).Encode(t); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, f)
	return err
}

// hear reads a report. Modules that end without one are an error.
func hear(c net.Conn) (*told, error) {
	t := new(told)
	err := json.NewDecoder(io.LimitReader(c, maxReport)).Decode(t)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, errors.New("they ended without an answer")
	}
	return t, err
}

// identity is the account that a module put into the environment.
func (t *told) identity(who person) *auth.Identity {
	id := &auth.Identity{
		Login: t.Env.get("AUTHADDR"), UID: who.uid, GID: who.gid, Home: who.home,
		Maildir: t.Env.get("MAILDIR"), Name: t.Env.get("AUTHFULLNAME"), Quota: t.Env.get("MAILDIRQUOTA"),
		Options: auth.ParseOptions(t.Env.get("OPTIONS")),
	}
	if id.Login == "" {
		id.Login = t.Env.get("AUTHENTICATED")
	}
	return id
}

// whoIs is what a process is. It is asked of the kernel and not of the process, since
// its user could make it say anything.
func whoIs(pid int, home string) (person, error) {
	p := person{home: home}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return p, err
	}
	for line := range strings.Lines(string(text)) {
		name, rest, _ := strings.Cut(line, ":")
		switch name {
		case "Uid":
			p.uid, err = allEqual(rest)
		case "Gid":
			p.gid, err = allEqual(rest)
		case "Groups":
			p.groups, err = numbers(rest)
		}
		if err != nil {
			return p, fmt.Errorf("%s of the module: %w", name, err)
		}
	}
	if os.Geteuid() == 0 && slices.Contains(p.groups, 0) {
		return p, errors.New("the module has left a group of root")
	}
	return p, nil
}

// allEqual is a process's real, effective, saved and file system id, which must be one.
func allEqual(text string) (int, error) {
	ids, err := numbers(text)
	if err != nil || len(ids) != 4 {
		return 0, fmt.Errorf("%q are not four ids", text)
	}
	if slices.Min(ids) != slices.Max(ids) {
		return 0, fmt.Errorf("%q are several ids", text)
	}
	return ids[0], nil
}

func numbers(text string) (all []int, err error) {
	for _, word := range strings.Fields(text) {
		n, err := strconv.Atoi(word)
		if err != nil {
			return nil, err
		}
		all = append(all, n)
	}
	return all, nil
}

// given reports whether a descriptor is one that we were started with: those that this
// program has opened itself, the runtime's too, do not outlive an exec.
func given(fd int) bool {
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	return err == nil && flags&unix.FD_CLOEXEC == 0
}
