package dovecot_test

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"postrider/auth"
	"postrider/auth/dovecot"
	"postrider/auth/password"
	"postrider/auth/static"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func account(login, options string) static.Account {
	return static.Account{Stored: "{PLAIN}secret", Identity: auth.Identity{Login: login, UID: 5, GID: 6, Home: "/h", Options: auth.ParseOptions(options)}}
}

// accounts is john, who may, and some who may not.
func accounts() auth.Backend {
	return auth.Guard{Backend: static.New(password.NewVerifier(password.Limits{}),
		account("john", ""), account("shut", "disableesmtp=1"), account("tls", "disableinsecureesmtp=1"))}
}

// listen serves b until stop is called.
func listen(t *testing.T, b auth.Backend) (path string, stop func()) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "auth")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- dovecot.New(dovecot.Config{Backend: b}).Serve(ctx, l) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("serving ended with %v", err)
		}
	})
	t.Cleanup(stop)
	return path, stop
}

// peer is a client.
type peer struct {
	net.Conn
	*bufio.Reader
	t *testing.T
}

func (p *peer) Read(b []byte) (int, error) { return p.Reader.Read(b) }

// dial connects and says hello.
func dial(t *testing.T, path string) *peer {
	t.Helper()
	p := connect(t, path)
	p.say("VERSION\t1\t1\nCPID\t4711")
	return p
}

func connect(t *testing.T, path string) *peer {
	t.Helper()
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	p := &peer{c, bufio.NewReader(c), t}
	for p.line() != "DONE" {
	}
	return p
}

func (p *peer) say(line string) {
	p.t.Helper()
	if _, err := io.WriteString(p.Conn, line+"\n"); err != nil {
		p.t.Fatal(err)
	}
}

// line is the next one, "" where the connection has ended.
func (p *peer) line() string {
	line, _ := p.ReadString('\n')
	return strings.TrimSuffix(line, "\n")
}

func (p *peer) expect(said, want string) {
	p.t.Helper()
	p.say(said)
	if got := p.line(); got != want {
		p.t.Errorf("%.60q: got %q, not %q", said, got, want)
	}
}

func code(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// TestGreeting: what is said before the client says anything.
func TestGreeting(t *testing.T) {
	path, _ := listen(t, accounts())
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	r := bufio.NewReader(c)
	var lines []string
	for !slices.Contains(lines, "DONE") {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, strings.TrimSuffix(line, "\n"))
	}
	for i, want := range []string{"VERSION\t1\t2", "MECH\tPLAIN\tplaintext", "MECH\tLOGIN\tplaintext", "SPID\t", "CUID\t1", "COOKIE\t"} {
		if !strings.HasPrefix(lines[i], want) {
			t.Errorf("line %d is %q, not %q", i, lines[i], want)
		}
	}
	if len(lines[5]) != len("COOKIE\t")+32 {
		t.Errorf("got %q", lines[5])
	}
}

// TestExchanges: the answers, as Dovecot 2.3 gives them.
func TestExchanges(t *testing.T) {
	path, _ := listen(t, accounts())
	p := dial(t, path)
	plain := func(id int, login, pass, more string) string {
		return fmt.Sprintf("AUTH\t%d\tPLAIN\tservice=smtp%s\tresp=%s", id, more, code("\x00"+login+"\x00"+pass))
	}
	p.expect(plain(1, "john", "secret", ""), "OK\t1\tuser=john")
	p.expect(plain(1, "john", "secret", "\tnologin\tlip=192.0.2.1\trip=192.0.2.2\trport=x\tsecured=tls\tunknown"), "OK\t1\tuser=john")
	p.expect(strings.Replace(plain(4294967295, "john", "secret", ""), "PLAIN", "plain", 1), "OK\t4294967295\tuser=john")
	p.expect(plain(2, "john", "wrong", ""), "FAIL\t2\tuser=john")
	p.expect(plain(3, "nobody", "secret", ""), "FAIL\t3\tuser=nobody")
	p.expect(plain(4, "jo\thn", "secret", ""), "FAIL\t4\tuser=jo\x01thn")
	p.expect(plain(5, "shut", "secret", ""), "FAIL\t5\tuser=shut\tuser_disabled\tcode=user_disabled")
	p.expect(plain(5, "shut", "wrong", ""), "FAIL\t5\tuser=shut")
	p.expect(plain(6, "tls", "secret", ""), "FAIL\t6\tuser=tls\tuser_disabled\tcode=user_disabled")
	p.expect(plain(6, "tls", "secret", "\tsecured"), "OK\t6\tuser=tls")
	p.expect("AUTH\t7\tPLAIN\tservice=smtp\tresp="+code("tls\x00john\x00secret"), "FAIL\t7\tuser=john")
	p.expect("AUTH\t7\tPLAIN\tservice=smtp\tresp="+code("nonsense"), "FAIL\t7")
	p.expect("AUTH\t7\tPLAIN\tservice=smtp\tresp=", "FAIL\t7")
	p.expect("AUTH\t7\tPLAIN\tservice=smtp\tresp=!", "FAIL\t7\tcode=invalid_base64\treason=Invalid base64 data in initial response")
	p.expect("AUTH\t8\tPLAIN\tservice=smtp", "CONT\t8\t")
	p.expect("AUTH\t9\tLOGIN\tservice=smtp", "CONT\t9\t"+code("Username:"))
	p.expect("CONT\t9\t"+code("john"), "CONT\t9\t"+code("Password:"))
	p.expect("CONT\t8\t"+code("\x00john\x00secret"), "OK\t8\tuser=john")
	p.expect("CONT\t9\t"+code("secret"), "OK\t9\tuser=john")
	p.expect("CONT\t9\t"+code("secret"), "FAIL\t9\treason=Authentication request timed out")
	p.expect("AUTH\t10\tLOGIN\tservice=smtp", "CONT\t10\t"+code("Username:"))
	p.expect("CONT\t10\t!", "FAIL\t10\tcode=invalid_base64\treason=Invalid base64 data in continued response")
	p.expect("AUTH\t11\tLOGIN\tservice=smtp", "CONT\t11\t"+code("Username:"))
	p.say("CANCEL\t11")
	p.expect("CONT\t11\tYQ==", "FAIL\t11\treason=Authentication request timed out")
}

// TestProtocolErrors: what is not of the protocol ends the connection, and nothing else.
func TestProtocolErrors(t *testing.T) {
	path, _ := listen(t, accounts())
	ok := "resp=" + code("\x00john\x00secret")
	for _, wrong := range []string{
		"AUTH\t1\tNONE\tservice=smtp\t" + ok, "AUTH\t1\tPLAIN\t" + ok, "AUTH\t0\tPLAIN\tservice=smtp\t" + ok, "AUTH\tx\tPLAIN\tservice=smtp\t" + ok,
		"AUTH\t1\tPLAIN\t" + ok + "\tservice=smtp", "AUTH\t1\tPLAIN\tservice=../x\t" + ok, "AUTH", "CONT\t1", "CONT\tx\t", "CANCEL", "FOO\t1", "",
		"CPID\t5", "AUTH\t1\tPLAIN\tservice=smtp\t" + strings.Repeat("x", 1<<20),
		"AUTH\t1\tLOGIN\tservice=smtp\nAUTH\t1\tLOGIN\tservice=smtp",
	} {
		p := dial(t, path)
		io.WriteString(p.Conn, wrong+"\n") // it may end before all is sent
		if line := p.line(); line != "" && !strings.HasPrefix(line, "CONT\t1\t") || line != "" && p.line() != "" {
			t.Errorf("%.60q is answered %q", wrong, line)
		}
	}
	for _, hello := range []string{"VERSION\t2\t0", "CPID\t5", "VERSION\t1\t1\nAUTH\t1\tPLAIN\tservice=smtp\t" + ok, "VERSION\t1\t1\nCPID\t"} {
		p := connect(t, path)
		p.say(hello)
		if line := p.line(); line != "" {
			t.Errorf("%q is answered %q", hello, line)
		}
	}
	dial(t, path).expect("AUTH\t1\tPLAIN\tservice=smtp\t"+ok, "OK\t1\tuser=john")
}

// slow is a backend that waits until it is let go, or given up.
type slow struct {
	auth.Backend
	began  chan struct{}
	letGo  chan struct{}
	gaveUp chan struct{}
}

func (s slow) Authenticate(ctx context.Context, r auth.Request, pass string) (*auth.Identity, error) {
	if r.Login != "slow" {
		return s.Backend.Authenticate(ctx, r, pass)
	}
	s.began <- struct{}{}
	select {
	case _, open := <-s.letGo:
		if !open {
			return &auth.Identity{Login: "john"}, nil
		}
		return nil, errors.New("the database is down")
	case <-ctx.Done():
		s.gaveUp <- struct{}{}
		return nil, ctx.Err()
	}
}

// TestManyAtOnce: an exchange that takes long holds up no other on the connection, and
// trouble is no wrong password.
func TestManyAtOnce(t *testing.T) {
	b := slow{accounts(), make(chan struct{}, 1), make(chan struct{}), make(chan struct{}, 1)}
	path, _ := listen(t, b)
	p := dial(t, path)
	p.say("AUTH\t1\tPLAIN\tservice=smtp\tresp=" + code("\x00slow\x00x"))
	<-b.began
	p.expect("AUTH\t2\tPLAIN\tservice=smtp\tresp="+code("\x00john\x00secret"), "OK\t2\tuser=john")
	p.expect("AUTH\t3\tLOGIN\tservice=smtp", "CONT\t3\t"+code("Username:"))
	b.letGo <- struct{}{}
	if got := p.line(); got != "FAIL\t1\tuser=slow\ttemp\tcode=temp_fail" {
		t.Errorf("got %q", got)
	}
	// Alone it is told by the end, which Postfix does not take for a wrong password.
	p.say("CANCEL\t3\nAUTH\t4\tPLAIN\tservice=smtp\tresp=" + code("\x00slow\x00x"))
	<-b.began
	b.letGo <- struct{}{}
	if got := p.line(); got != "" {
		t.Errorf("then %q", got)
	}
}

// TestGivenUp: what the client cancels, or leaves behind, is not gone on with.
func TestGivenUp(t *testing.T) {
	b := slow{accounts(), make(chan struct{}, 1), make(chan struct{}), make(chan struct{}, 1)}
	path, _ := listen(t, b)
	p := dial(t, path)
	for _, leave := range []func(){func() { p.say("CANCEL\t1") }, func() { p.Conn.Close() }} {
		p.say("AUTH\t1\tPLAIN\tservice=smtp\tresp=" + code("\x00slow\x00x"))
		<-b.began
		leave()
		<-b.gaveUp
	}
}

// TestTooManyExchanges: those beyond the bound are told to come later.
func TestTooManyExchanges(t *testing.T) {
	path, _ := listen(t, accounts())
	p := dial(t, path)
	for id := 1; id <= 128; id++ {
		p.expect(fmt.Sprintf("AUTH\t%d\tLOGIN\tservice=smtp", id), fmt.Sprintf("CONT\t%d\t%s", id, code("Username:")))
	}
	p.expect("AUTH\t129\tLOGIN\tservice=smtp", "FAIL\t129\ttemp\tcode=temp_fail\treason=Too many authentication requests at once")
	p.say("CANCEL\t1")
	p.expect("AUTH\t129\tLOGIN\tservice=smtp", "CONT\t129\t"+code("Username:"))
}

// TestStop: quiet connections end at once, one with an exchange when that has ended.
func TestStop(t *testing.T) {
	b := slow{accounts(), make(chan struct{}, 1), make(chan struct{}), make(chan struct{}, 1)}
	path, stop := listen(t, b)
	quiet, busy := dial(t, path), dial(t, path)
	busy.say("AUTH\t1\tPLAIN\tservice=smtp\tresp=" + code("\x00slow\x00x"))
	<-b.began
	go stop()
	if line := quiet.line(); line != "" {
		t.Errorf("the quiet one gets %q", line)
	}
	close(b.letGo)
	if line := busy.line(); line != "OK\t1\tuser=john" {
		t.Errorf("the busy one gets %q", line)
	}
	if line := busy.line(); line != "" {
		t.Errorf("then %q", line)
	}
	stop()
}

// TestCrowd: a thousand connections, each with its own answer.
func TestCrowd(t *testing.T) {
	path, _ := listen(t, accounts())
	var group sync.WaitGroup
	for i := range 1000 {
		p := dial(t, path)
		group.Go(func() {
			pass, want := "secret", "OK\t1\tuser=john"
			if i%2 == 1 {
				pass, want = "wrong", "FAIL\t1\tuser=john"
			}
			p.expect("AUTH\t1\tPLAIN\tservice=smtp\tresp="+code("\x00john\x00"+pass), want)
		})
	}
	group.Wait()
}
