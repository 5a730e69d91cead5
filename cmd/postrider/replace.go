package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"postrider/cmd/privilege"
)

// startTime is what a new program may take until it serves.
const startTime = 2 * time.Minute

// replace starts the program anew, from the file as it is now, and gives it the
// listeners. It tells whether the new one serves; if not, this one goes on.
func (r *reign) replace(ctx context.Context) bool {
	r.logger.Info("starting the program anew, to be replaced by it")
	process, err := r.startAnew(ctx)
	if err != nil {
		r.logger.Error("the new program does not serve; this one goes on", "err", err)
		return false
	}
	r.logger.Info("the new program serves; the sessions that there are stay here", "pid", process.Pid)
	notify("MAINPID=" + strconv.Itoa(process.Pid))
	return true
}

// startAnew returns when the new program serves.
func (r *reign) startAnew(ctx context.Context) (*os.Process, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	here, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	wait, ready, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer wait.Close()
	var files []*os.File
	var names []string
	for _, d := range r.doors {
		files, names = append(files, d.file), append(names, d.givenName())
	}
	for name, l := range map[string]net.Listener{nameFigures: r.figures, nameChallenges: r.challenges} {
		if l == nil {
			continue
		}
		f, err := listenerFile(l)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		files, names = append(files, f), append(names, name)
	}
	process, err := privilege.Start(privilege.Spec{
		Program: program, Args: append([]string{os.Args[0]}, os.Args[1:]...), Dir: here,
		Env: append(environmentWithout("LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", readyVariable),
			"LISTEN_FDS="+strconv.Itoa(len(files)), "LISTEN_FDNAMES="+strings.Join(names, ":"),
			readyVariable+"="+strconv.Itoa(3+len(files))),
		Files: append(files, ready), Output: os.Stderr, MayGain: true,
	})
	ready.Close()
	if err != nil {
		return nil, err
	}
	if err := awaitSign(ctx, wait); err != nil {
		process.Kill()
		_, werr := process.Wait()
		return nil, errors.Join(err, werr)
	}
	return process, nil
}

// listenerFile is a descriptor of a listener for another process.
func listenerFile(l net.Listener) (*os.File, error) {
	switch l := l.(type) {
	case *net.TCPListener:
		return l.File()
	case *net.UnixListener:
		l.SetUnlinkOnClose(false) // it is the other's from now on
		return l.File()
	}
	return nil, fmt.Errorf("a listener of type %T cannot be given away", l)
}

// awaitSign waits until the new program says that it serves.
func awaitSign(ctx context.Context, wait *os.File) error {
	wait.SetReadDeadline(time.Now().Add(startTime))
	defer context.AfterFunc(ctx, func() { wait.SetReadDeadline(time.Unix(1, 0)) })()
	var sign [1]byte
	if _, err := wait.Read(sign[:]); errors.Is(err, io.EOF) {
		return errors.New("it ended; its own message says why")
	} else if err != nil {
		return fmt.Errorf("waiting for the new program: %w", err)
	}
	return nil
}

// environmentWithout is that of this process, but for these names.
func environmentWithout(names ...string) []string {
	var env []string
	for _, entry := range os.Environ() {
		name, _, _ := strings.Cut(entry, "=")
		keep := true
		for _, n := range names {
			keep = keep && n != name
		}
		if keep {
			env = append(env, entry)
		}
	}
	return env
}
