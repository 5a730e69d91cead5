package parent

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"postrider/auth"
	"postrider/auth/password"
	"postrider/auth/static"
	"postrider/cmd/authority"
	"postrider/cmd/front"
	"postrider/cmd/messages"
	"postrider/cmd/privilege"
	work "postrider/cmd/worker"
	"postrider/login"
	"postrider/packet"
	"postrider/wire"
)

// The processes of these tests are this test program, which looks at how it was called.
// The front is the real one, or a rogue that tries what it must not be able to do.
func TestMain(m *testing.M) {
	role := ""
	if len(os.Args) > 1 {
		role = os.Args[1]
	}
	var err error
	switch role {
	case "-root":
		err = playFront()
	case "keeper":
		err = playKeeper()
	case "worker":
		err = playWorker()
	default:
		os.Exit(m.Run())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, role, err)
		os.Exit(1)
	}
}

const (
	frontID = 14390
	annID   = 14400
	bobID   = 14401
)

func control() (*packet.Conn, error) {
	f, err := privilege.Inherited(0)
	if err != nil {
		return nil, err
	}
	return packet.New(f)
}

func playFront() error {
	var uid, gid int
	if _, err := fmt.Sscan(os.Args[4]+" "+os.Args[6], &uid, &gid); err != nil {
		return err
	}
	c, err := control()
	if err != nil {
		return err
	}
	if err := privilege.Confine(os.Args[2], uid, gid); err != nil {
		return err
	}
	if os.Getenv("ROGUE") != "" {
		return rogue(c, os.Getenv("ROGUE"))
	}
	return front.Run(context.Background(), c, os.Stderr)
}

// playKeeper keeps ann and bob, and mallory, who is root once the parent asks: a keeper
// that errs.
func playKeeper() error {
	c, err := control()
	if err != nil {
		return err
	}
	accounts := auth.Backend(static.New(password.NewVerifier(password.Limits{}),
		static.Account{Identity: auth.Identity{Login: "ann", UID: annID, GID: annID, Home: "/"}, Stored: "{PLAIN}a"},
		static.Account{Identity: auth.Identity{Login: "bob", UID: bobID, GID: bobID, Home: "/"}, Stored: "{PLAIN}b"}))
	return authority.Run(context.Background(), c, func([]byte) (*authority.House, error) {
		return &authority.House{Backend: accounts, Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
			Prepare: func(*auth.Identity, messages.Owner) error { return nil }}, nil
	})
}

// trier is a hand-over whose sessions say who they are and what they cannot do.
type trier struct{}

func (trier) Capabilities() []string { return nil }

func (trier) Session(_ context.Context, c *wire.Conn, l *login.Result, _ netip.AddrPort) error {
	_, err := os.ReadDir(os.Getenv("MAIL"))
	became := ""
	for _, id := range []int{0, annID, bobID} {
		if id != os.Getuid() && privilegedTo(id) {
			became += fmt.Sprint(" ", id)
		}
	}
	fmt.Fprintf(c, "%s OK %s is %d:%d, mail denied %v, became%s\r\n", l.Tag, l.Identity.Login, os.Getuid(), os.Getgid(), errors.Is(err, os.ErrPermission), became)
	c.Flush()
	for {
		if ev, err := c.WaitInput(time.Minute); err != nil || ev != wire.Input {
			return err
		}
		b, err := c.Fill()
		if err != nil {
			return err
		}
		c.Skip(len(b))
	}
}

func playWorker() error {
	if err := privilege.Unprivileged(); err != nil {
		return err
	}
	c, err := control()
	if err != nil {
		return err
	}
	return work.Run(context.Background(), c, func([]byte) (*work.House, error) {
		return &work.House{Handover: trier{}, DrainTimeout: time.Second, Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)), Close: func() {}}, nil
	})
}

// stage is a generation of these processes.
type stage struct {
	*Generation
	address string
	log     string // file
	mail    string // directory that belongs to bob
}

func start(t *testing.T, env ...string) *stage {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("processes for several users are started by root: run this test as root")
	}
	dir, err := os.MkdirTemp("", "postrider-parent-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s := &stage{log: filepath.Join(dir, "log"), mail: filepath.Join(dir, "mail")}
	empty := filepath.Join(dir, "empty")
	for _, err := range []error{os.Chmod(dir, 0o755), os.Mkdir(empty, 0o755), os.Mkdir(s.mail, 0o700), os.Chown(s.mail, bobID, bobID)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	log, err := os.Create(s.log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close() })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.address = l.Addr().String()
	file, err := l.(*net.TCPListener).File()
	l.Close()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	settings, err := json.Marshal(front.Settings{LogLevel: "debug", DrainTimeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	s.Generation, err = Start(Plan{
		Program: "/proc/self/exe", Keeper: []string{"test", "keeper"}, Worker: []string{"test", "worker"},
		Env:   append(env, "MAIL="+s.mail, "SEEN="+filepath.Join(dir, "seen")),
		Front: self, FrontRoot: empty, FrontUID: frontID, FrontGID: frontID,
		FrontSettings: settings, KeeperSettings: []byte("{}"), WorkerSettings: []byte("{}"),
		DrainTimeout: time.Second, Log: log, Logger: slog.New(slog.NewTextHandler(log, nil)),
	}, []Listener{{File: file}})
	if err != nil {
		t.Fatalf("%v\n%s", err, s.said(t))
	}
	t.Cleanup(func() {
		s.Stop()
		<-s.Done()
	})
	return s
}

func (s *stage) said(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(s.log)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// until waits until the log says this so many times.
func (s *stage) until(t *testing.T, text string, times int) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); strings.Count(s.said(t), text) < times; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the log does not say %q %d times:\n%s", text, times, s.said(t))
		}
	}
}

// login returns the answer to a login, and the connection.
func (s *stage) login(t *testing.T, user, password string) (string, net.Conn) {
	t.Helper()
	c, err := net.Dial("tcp", s.address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(20 * time.Second))
	in := bufio.NewReader(c)
	if _, err := in.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(c, "a LOGIN %s %s\r\n", user, password)
	answer, _ := in.ReadString('\n')
	return strings.TrimRight(answer, "\r\n"), c
}

// The worker of ann tries bob's directory, and to become others.
func TestWorkerTries(t *testing.T) {
	s := start(t)
	answer, c := s.login(t, "ann", "a")
	if want := fmt.Sprintf("a OK ann is %d:%d, mail denied true, became", annID, annID); answer != want {
		t.Errorf("got %q, want %q", answer, want)
	}
	if answer, _ := s.login(t, "bob", "b"); answer != fmt.Sprintf("a OK bob is %d:%d, mail denied false, became", bobID, bobID) {
		t.Errorf("bob's own: %q", answer)
	}
	s.Retire()
	select {
	case <-s.Done():
		t.Error("a retired generation ends before its sessions")
	case <-time.After(20 * time.Millisecond):
	}
	s.Stop()
	b := make([]byte, 100)
	if _, err := c.Read(b); err == nil {
		t.Errorf("after the end comes %q", b)
	}
}
