package parent

import (
	"fmt"
	"log/slog"
	"os"
	"slices"
	"syscall"
	"time"

	"postrider/cmd/messages"
	"postrider/cmd/privilege"
	"postrider/packet"
)

const (
	// sendTime is what a process may take for a message.
	sendTime = 10 * time.Second
	// readyTime is what it may take until its settings have been taken.
	readyTime = time.Minute
	// lastWordsTime is how long what a process that is gone wrote last is waited for.
	lastWordsTime = time.Second
	// maxLine bounds a line of a log, in octets.
	maxLine = 16 << 10
)

// child is a process that was started.
type child struct {
	name    string
	control *packet.Conn
	process *os.Process
	exited  chan struct{}    // closed when it is gone and all that it logged is written
	state   *os.ProcessState // after that
}

// spawn starts a process, which gets a control socket as its first descriptor, and
// tells it its settings. What it logs goes to log; where that is the journal, it is told
// so, for its lines are copied there as they are.
func spawn(name string, s privilege.Spec, settings []byte, log *os.File, journal bool) (*child, error) {
	near, far, err := packet.Pair()
	if err != nil {
		return nil, err
	}
	defer far.Close()
	control, err := packet.New(near)
	if err != nil {
		return nil, err
	}
	lines, output, err := os.Pipe()
	if err != nil {
		control.Close()
		return nil, err
	}
	s.Files, s.Output = []*os.File{far}, output
	if journal {
		s.Env = append(slices.Clone(s.Env), "JOURNAL_STREAM="+identity(output))
	}
	process, err := privilege.Start(s)
	output.Close()
	if err != nil {
		control.Close()
		lines.Close()
		return nil, err
	}
	c := &child{name: name, control: control, process: process, exited: make(chan struct{})}
	logged := make(chan struct{})
	go func() {
		defer close(logged)
		defer lines.Close()
		privilege.CopyLines(log, lines, maxLine)
	}()
	go func() {
		c.state, _ = process.Wait()                          // of a child of ours, which nobody else waits for
		lines.SetReadDeadline(time.Now().Add(lastWordsTime)) // what it started may hold the pipe open
		<-logged
		close(c.exited)
	}()
	if err := c.send(messages.Text(messages.Settings, settings)); err != nil {
		c.end()
		return nil, fmt.Errorf("telling the %s its settings: %w", name, err)
	}
	return c, nil
}

// identity names an open file as systemd does in JOURNAL_STREAM (systemd.exec(5)).
func identity(f *os.File) string {
	info, err := f.Stat()
	if err != nil {
		return ""
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return ""
	}
	return fmt.Sprintf("%d:%d", st.Dev, st.Ino)
}

// send sends a message to a process that must take it in time.
func (c *child) send(m []byte, files ...*os.File) error {
	if err := c.control.SetWriteDeadline(time.Now().Add(sendTime)); err != nil {
		return err
	}
	return c.control.Send(m, files...)
}

// tell sends a message to a process, which ends if it does not take it.
func (c *child) tell(m []byte, files ...*os.File) {
	if c.send(m, files...) != nil {
		c.process.Kill() // whoever reads from it sees that it is gone
	}
}

// awaitReady waits until the process has taken its settings.
func (c *child) awaitReady() error {
	c.control.SetReadDeadline(time.Now().Add(readyTime))
	defer c.control.SetReadDeadline(time.Time{})
	m, files, err := c.control.Receive(make([]byte, packet.MaxMessage))
	packet.CloseAll(files)
	if err != nil || len(m) != 1 || messages.Kind(m[0]) != messages.Ready {
		c.end()
		return fmt.Errorf("the %s did not start (%v); its own message says why", c.name, c.state)
	}
	return nil
}

// receive calls take with what the process says, until that is an error or the process
// is gone, and then sees to it that it is. take owns the files.
func (c *child) receive(take func(f *packet.Fields, k messages.Kind, files []*os.File) error) error {
	defer c.end()
	buf := make([]byte, packet.MaxMessage)
	for {
		m, files, err := c.control.Receive(buf)
		if err != nil {
			return err
		}
		f := packet.NewFields(m)
		if err := take(f, messages.Kind(f.Octet()), files); err != nil {
			c.process.Kill() // it is in strange hands
			return fmt.Errorf("a message of the %s: %w", c.name, err)
		}
	}
}

// endTime is what a process that should end by itself may take.
const endTime = 30 * time.Second

// end ends the process: its control socket is closed, and if it does not go by itself
// it is killed.
func (c *child) end() {
	c.control.Close()
	late := time.AfterFunc(endTime, func() { c.process.Kill() })
	defer late.Stop()
	<-c.exited
}

// group are the attributes that name a process in the log.
func (c *child) group() slog.Attr {
	return slog.Group("process", "name", c.name, "pid", c.process.Pid)
}
