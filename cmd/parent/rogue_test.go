package parent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"postrider/auth"
	"postrider/auth/remote"
	"postrider/cmd/messages"
	"postrider/packet"
)

// privilegedTo tries to become somebody. Only the thread that tries would; it is not
// used for anything else.
func privilegedTo(id int) bool {
	_, _, errno := syscall.RawSyscall(syscall.SYS_SETUID, uintptr(id), 0, 0)
	return errno == 0
}

// rogue is a front in a stranger's hands: it tries, and tells what it could do.
func rogue(c *packet.Conn, trick string) error {
	buf := make([]byte, packet.MaxMessage)
	var accounts *remote.Client
	for {
		m, files, err := c.Receive(buf)
		if err != nil {
			return err
		}
		switch messages.Kind(m[0]) {
		case messages.Accounts:
			link, err := packet.New(files[0])
			if err != nil {
				return err
			}
			accounts = remote.NewClient()
			go accounts.Link(link)
		case messages.Listeners:
			if err := c.Send([]byte{byte(messages.Ready)}); err != nil {
				return err
			}
			if err := tricks()[trick](c, accounts); err != nil {
				return err
			}
		case messages.Accepted, messages.Refused:
			fmt.Fprintf(os.Stderr, "rogue: %s\n", map[messages.Kind]string{messages.Accepted: "accepted", messages.Refused: "refused"}[messages.Kind(m[0])])
		case messages.Drain:
			return nil
		}
	}
}

func tricks() map[string]func(*packet.Conn, *remote.Client) error {
	return map[string]func(*packet.Conn, *remote.Client) error{
		"files": tryFiles, "guess": tryGuess, "twice": tryTwice, "garbage": tryGarbage, "flood": tryFlood,
	}
}

// tryFiles looks for anything that it could open, run, become or reach.
func tryFiles(*packet.Conn, *remote.Client) error {
	var could []string
	for _, path := range []string{os.Getenv("MAIL"), "/etc/passwd", "/proc/self/environ", "/dev/null", "../../../etc/passwd", "/proc/1/root"} {
		if f, err := os.Open(path); err == nil {
			could = append(could, "open "+path)
			f.Close()
		}
	}
	if f, err := os.Create("/file"); err == nil {
		could = append(could, "create a file")
		f.Close()
	}
	for _, id := range []int{0, annID, bobID} {
		if privilegedTo(id) {
			could = append(could, fmt.Sprint("become ", id))
		}
	}
	if err := unix.Chroot("/"); err == nil {
		could = append(could, "change its root")
	}
	if err := unix.Kill(os.Getppid(), 0); err == nil {
		could = append(could, "send a signal to its parent")
	}
	if err := unix.PtraceAttach(os.Getppid()); err == nil {
		could = append(could, "trace its parent")
	}
	fmt.Fprintf(os.Stderr, "rogue: could %q\n", could)
	return nil
}

// stranger sends a hand-over with one end of a socket pair.
func handOver(c *packet.Conn, number uint64, ticket remote.Ticket) error {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	// The near end stays open as long as the process.
	f := os.NewFile(uintptr(fds[1]), "far")
	defer f.Close()
	return c.Send(messages.HandoverOf(number, ticket, messages.About{Tag: "a"}.Append(nil)), f)
}

// tryGuess shows tickets that nobody gave it.
func tryGuess(c *packet.Conn, _ *remote.Client) error {
	for i := range 3 {
		if err := handOver(c, uint64(i), remote.Ticket{byte(i)}); err != nil {
			return err
		}
	}
	return nil
}

// tryTwice shows the ticket of a real login twice.
func tryTwice(c *packet.Conn, accounts *remote.Client) error {
	id, err := proved(accounts)
	if err != nil {
		return err
	}
	for i := range 2 {
		if err := handOver(c, uint64(i), remote.Ticket([]byte(id.Ticket.Reveal()))); err != nil {
			return err
		}
	}
	return nil
}

// proved logs ann in, when the link is there.
func proved(accounts *remote.Client) (*auth.Identity, error) {
	for {
		id, err := accounts.Authenticate(context.Background(), auth.Request{Login: "ann", Service: "imap"}, "a")
		if err == nil || !errors.Is(err, auth.ErrTemporary) {
			return id, err
		}
	}
}

// tryGarbage sends what no front sends.
func tryGarbage(c *packet.Conn, _ *remote.Client) error {
	return c.Send(messages.SessionOf(1, []byte("identity"), []byte("about")))
}

// tryFlood sends hand-overs and reads no answer.
func tryFlood(c *packet.Conn, accounts *remote.Client) error {
	for i := range 20_000 {
		if err := handOver(c, uint64(i), remote.Ticket{}); err != nil {
			return nil // the parent has had enough
		}
	}
	return nil
}

func TestRogueFrontOpensNothing(t *testing.T) {
	s := start(t, "ROGUE=files")
	s.until(t, "rogue: could", 1)
	if said := s.said(t); !strings.Contains(said, "rogue: could []") {
		t.Error(said)
	}
}

func TestTicketsAreNotGuessed(t *testing.T) {
	s := start(t, "ROGUE=guess")
	s.until(t, "rogue: refused", 3)
	s.until(t, "a ticket that does not count was shown", 3)
	if strings.Contains(s.said(t), "rogue: accepted") {
		t.Error(s.said(t))
	}
}

func TestTicketCountsOnce(t *testing.T) {
	s := start(t, "ROGUE=twice")
	s.until(t, "rogue: accepted", 1)
	s.until(t, "rogue: refused", 1)
	if strings.Count(s.said(t), "rogue: accepted") > 1 {
		t.Error(s.said(t))
	}
}

func TestGarbageEndsTheFront(t *testing.T) {
	s := start(t, "ROGUE=garbage")
	s.until(t, "a process is gone; it is started again", 2) // each new one does it again
	if !strings.Contains(s.said(t), "a message of the front: malformed message") {
		t.Error(s.said(t))
	}
}

// A front that takes no answers blocks nobody but itself.
func TestFloodingFrontIsReplaced(t *testing.T) {
	s := start(t, "ROGUE=flood")
	s.until(t, "a ticket that does not count was shown", 1)
	s.Stop()
	select {
	case <-s.Done():
	case <-time.After(40 * time.Second):
		t.Error("a front that floods keeps the server from ending")
	}
}

// A keeper of the accounts that errs makes nobody root.
func TestParentRefusesRoot(t *testing.T) {
	for _, o := range []messages.Owner{{UID: 0, GID: 5}, {UID: 5, GID: 0}, {UID: 5, GID: 5, Groups: []uint32{7, 0}}} {
		g := &Generation{workers: make(map[string]*worker), stopping: make(chan struct{})}
		if _, _, err := g.seat(o, &handover{}); err == nil || len(g.workers) > 0 {
			t.Errorf("%+v gets a worker", o)
		}
	}
}
