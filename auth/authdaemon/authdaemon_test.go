package authdaemon_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"postrider/auth"
	"postrider/auth/authdaemon"
	"postrider/auth/conformance"
	"postrider/auth/password"
	"postrider/auth/userdb"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// never is a brake that is not pulled: these tests guess.
type never struct{}

func (never) Attempt(_ context.Context, _ auth.Request, _ string, try func() error) error {
	return try()
}

const secretMD5 = "cd3ba7deaad6e5ca23448ba42e379747a9e0f7f1fbc00c8a81bbaac395731b56"

const accounts = "john\tuid=990|gid=991|home=/home/john|mail=/home/john/Maildir|quota=1000000S|gecos=John Q,room 5|options=group=staff,sharedgroup=12|hmac-md5pw=" + secretMD5 + "|systempw={PLAIN}secret\n" +
	"jane\tuid=5|gid=6|home=/home/jane|imappw={PLAIN}secret|systempw={PLAIN}other\n" +
	"shut\tuid=5|gid=6|home=/home/shut|options=disableimap=1|systempw={PLAIN}secret\n" +
	"locked\tuid=5|gid=6|home=/home/locked|systempw=!\n" +
	"root\tuid=0|gid=0|home=/root|systempw={PLAIN}secret\n"

// module is a userdb with these accounts.
func module(t *testing.T) (m authdaemon.Module, file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "userdb")
	if err := os.WriteFile(file, []byte(accounts), 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := userdb.Open(file, userdb.Options{Verifier: password.NewVerifier(password.Limits{})})
	if err != nil {
		t.Fatal(err)
	}
	return authdaemon.Module{Name: "authuserdb", Backend: db}, file
}

// listen serves c on a socket until stop is called.
func listen(t *testing.T, path string, c authdaemon.Config) (stop func()) {
	t.Helper()
	if c.Brake == nil {
		c.Brake = never{}
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- authdaemon.New(c).Serve(ctx, l) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("serving ended with %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

func socketPath(t *testing.T) string { return filepath.Join(t.TempDir(), "socket") }

// TestConformance: our backend asking our daemon.
func TestConformance(t *testing.T) {
	conformance.Test(t, func(t *testing.T) conformance.Fixture {
		m, _ := module(t)
		path := socketPath(t)
		stop := listen(t, path, authdaemon.Config{Modules: []authdaemon.Module{m}})
		b := authdaemon.NewBackend(authdaemon.Options{Socket: path})
		var silent net.Listener
		return conformance.Fixture{
			Backend: b, Login: "john", Password: "secret", Disabled: "shut", Locked: "locked", Changes: true,
			Break: func() { stop() },
			Mend:  func() { stop = listen(t, path, authdaemon.Config{Modules: []authdaemon.Module{m}}) },
			Stall: func() { stop(); silent = stall(t, path) },
			Resume: func() {
				silent.Close()
				stop = listen(t, path, authdaemon.Config{Modules: []authdaemon.Module{m}})
			},
		}
	})
}

// stall is a daemon that takes connections and says nothing.
func stall(t *testing.T, path string) net.Listener {
	t.Helper()
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	t.Cleanup(func() { l.Close(); group.Wait() })
	group.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			group.Go(func() {
				io.Copy(io.Discard, c)
				c.Close()
			})
		}
	})
	return l
}

// ask sends bytes and reads all that comes back.
func ask(t *testing.T, path, request string) string {
	t.Helper()
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	c.Write([]byte(request)) // it may have been answered before all was sent
	answer, _ := io.ReadAll(c)
	return string(answer)
}

// TestAnswers: each request as Courier's authdaemond 0.71 answers it, byte for byte.
func TestAnswers(t *testing.T) {
	m, _ := module(t)
	path := socketPath(t)
	listen(t, path, authdaemon.Config{Modules: []authdaemon.Module{m}, DefaultOptions: auth.ParseOptions("wbnodsn=1,group=all")})
	john := "UID=990\nGID=991\nHOME=/home/john\nADDRESS=john\nNAME=John Q\nMAILDIR=/home/john/Maildir\nQUOTA=1000000S\n"
	options := "OPTIONS=group=staff,sharedgroup=12,wbnodsn=1\n.\n"
	full := john + "PASSWD={PLAIN}secret\nPASSWD2=secret\n" + options
	root := "UID=0\nGID=0\nHOME=/root\nADDRESS=root\nPASSWD={PLAIN}secret\nOPTIONS=wbnodsn=1,group=all\n.\n"
	for _, c := range [][2]string{
		{"AUTH 23\nimap\nlogin\njohn\nsecret\n", full},
		{"AUTH 22\nimap\nlogin\njohn\nsecret", full},
		{"AUTH 27\nimap\nlogin\n\n\njohn\n\nsecret\nx", full},
		{"TCPREMOTEIP=192.0.2.1\nX=\nAUTH 23\nimap\nlogin\njohn\nsecret\n", full},
		{"AUTH 23\nimap\nlogin\njohn\nsecreT\n", "FAIL\n"},
		{"AUTH 23\npop3\nlogin\njane\nsecret\n", "FAIL\n"},
		{"AUTH 25\nimap\nlogin\nnobody\nsecret\n", "FAIL\n"},
		{"AUTH 17\nimap\nlogin\njohn\n\n", "FAIL\n"},
		{"AUTH 21\nimap\nwhat\njohn\nsecret\n", "FAIL\n"},
		{"AUTH 11\nimap\nlogin\n", "FAIL\n"},
		{"AUTH 4\nimap", ""},
		{"AUTH 0\n", ""},
		{"AUTH -5\n", ""},
		{"AUTH 8192\n" + strings.Repeat("x", 8192), ""},
		{"AUTH 8191\nimap\nlogin\njohn\n" + strings.Repeat("x", 8191-16), "FAIL\n"},
		{"AUTH 20\nimap\ncram-md5\n!!\n??\n", "FAIL\n"},
		{"PRE . imap john\n", john + "PASSWD={PLAIN}secret\n" + options},
		{"PRE   authuserdb   imap   root\n", root},
		{"PRE authpam imap john\n", "FAIL\n"},
		{"PRE . imap nobody\n", "FAIL\n"},
		{"PRE . imap john \n", "FAIL\n"},
		{"PRE . imap john\r\n", "FAIL\n"},
		{"PRE . imap a=b\n", "FAIL\n"},
		{"PRE . imap \n", "FAIL\n"},
		{"PRE . imap\n", ""},
		{"PRE\t.\timap\tjohn\n", ""},
		{" PRE . imap john\n", ""},
		{"pre . imap john\n", ""},
		{"PRE . imap " + strings.Repeat("x", 8190-11) + "\n", "FAIL\n"},
		{"PRE . imap " + strings.Repeat("x", 8191-11) + "\n", ""},
		{"PRE . imap " + strings.Repeat("x", 9000) + "\n", ""},
		{strings.Repeat("X=1\n", 100) + "PRE . imap john\n", ""},
		{"PASSWD imap\tjohn\twrong\tnew\n", "FAIL\n"},
		{"PASSWD imap\tjohn\twrong\n", ""},
		{"PASSWD imap\tjo\x01hn\tsecret\tnew\n", "FAIL\n"},
		{"PASSWD imap\tjohn\tsecret\t\n", "FAIL\n"}, // Courier's sets it, and the account is locked out
		{"ENUMERATE\n", "# authuserdb\n\n" +
			"jane\t5\t6\t/home/jane\t\twbnodsn=1,group=all\n" +
			"john\t990\t991\t/home/john\t/home/john/Maildir\tgroup=staff,sharedgroup=12,wbnodsn=1\n" +
			"locked\t5\t6\t/home/locked\t\twbnodsn=1,group=all\n" +
			"root\t0\t0\t/root\t\twbnodsn=1,group=all\n" +
			"shut\t5\t6\t/home/shut\t\tdisableimap=1,wbnodsn=1,group=all\n.\n"},
		{"FOO\n", ""},
		{"\n", ""},
		{"X=1\n\x00\n", ""},
	} {
		if got := ask(t, path, c[0]); got != c[1] {
			t.Errorf("%.40q: got %q, not %q", c[0], got, c[1])
		}
	}
}

// TestPasswordChange: it is in force at once, for CRAM too.
func TestPasswordChange(t *testing.T) {
	m, file := module(t)
	path := socketPath(t)
	listen(t, path, authdaemon.Config{Modules: []authdaemon.Module{m}})
	if got := ask(t, path, "PASSWD imap\tjohn\tsecret\tfresh and new\tmore\n"); got != "OK\n" {
		t.Fatalf("got %q", got)
	}
	if got := ask(t, path, "AUTH 30\nimap\nlogin\njohn\nfresh and new\n"); !strings.HasSuffix(got, "\n.\n") {
		t.Errorf("the new one: %q", got)
	}
	if got := ask(t, path, "AUTH 23\nimap\nlogin\njohn\nsecret\n"); got != "FAIL\n" {
		t.Errorf("the old one: %q", got)
	}
	text, err := os.ReadFile(file)
	if err != nil || strings.Contains(string(text), secretMD5) {
		t.Errorf("the old secret is kept: %v\n%s", err, text)
	}
}

// trouble is a module that cannot tell, or does not come to an end.
type trouble struct {
	auth.Backend
	err error
}

func (b trouble) Authenticate(context.Context, auth.Request, string) (*auth.Identity, error) {
	return nil, b.err
}

func (b trouble) Lookup(context.Context, auth.Request) (*auth.Identity, error) { return nil, b.err }

func (b trouble) Enumerate(_ context.Context, yield func(*auth.Identity) error) error {
	if err := yield(&auth.Identity{Login: "half", Home: "/", UID: 1, GID: 1}); err != nil {
		return err
	}
	return b.err
}

// TestTrouble: a module that cannot tell is no wrong password, nor is it left to later
// ones; the list of accounts has no end then.
func TestTrouble(t *testing.T) {
	m, _ := module(t)
	path := socketPath(t)
	listen(t, path, authdaemon.Config{Modules: []authdaemon.Module{{Name: "authmysql", Backend: trouble{err: errors.New("down")}}, m}})
	for request, want := range map[string]string{
		"AUTH 23\nimap\nlogin\njohn\nsecret\n": "",
		"PRE . imap john\n":                    "",
		"PRE authmysql imap john\n":            "",
		"ENUMERATE\n":                          "# authmysql\n\nhalf\t1\t1\t/\t\t\n",
	} {
		if got := ask(t, path, request); got != want {
			t.Errorf("%q: got %q", request, got)
		}
	}
	if got := ask(t, path, "PRE authuserdb imap john\n"); !strings.HasSuffix(got, "\n.\n") {
		t.Errorf("the other module by its name: %q", got)
	}
	b := authdaemon.NewBackend(authdaemon.Options{Socket: path})
	if err := b.Enumerate(t.Context(), func(*auth.Identity) error { return nil }); !errors.Is(err, auth.ErrTemporary) {
		t.Errorf("half a list: %v", err)
	}
}

// TestTrace: the steps in Courier's words, with no secret among them.
func TestTrace(t *testing.T) {
	m, _ := module(t)
	path := socketPath(t)
	var mu sync.Mutex
	var lines []string
	listen(t, path, authdaemon.Config{Modules: []authdaemon.Module{m}, Trace: func(line string) {
		mu.Lock()
		defer mu.Unlock()
		lines = append(lines, line)
	}})
	ask(t, path, "AUTH 23\nimap\nlogin\njohn\nsecret\n")
	ask(t, path, "AUTH 22\nimap\nlogin\njohn\nwrong\n")
	ask(t, path, "PASSWD imap\tjohn\twrong\tother\n")
	record := "sysusername=<null>, sysuserid=990, sysgroupid=991, homedir=/home/john, address=john, fullname=John Q, maildir=/home/john/Maildir, quota=1000000S, options=group=staff,sharedgroup=12"
	want := []string{
		"DEBUG: received auth request, service=imap, authtype=login", "DEBUG: authuserdb: trying this module",
		"DEBUG: authuserdb: " + record, "Authenticated: " + record,
		"DEBUG: received auth request, service=imap, authtype=login", "DEBUG: authuserdb: trying this module",
		"DEBUG: authuserdb: REJECT - try next module", "DEBUG: FAIL, all modules rejected",
	}
	mu.Lock()
	defer mu.Unlock()
	got := strings.Join(lines, "\n")
	if !strings.HasPrefix(got, strings.Join(want, "\n")+"\n") {
		t.Errorf("got\n%s", got)
	}
	if strings.Contains(got, "secret") || strings.Contains(got, "wrong") || strings.Contains(got, "other") {
		t.Errorf("a password is in\n%s", got)
	}
}

// TestOldDaemon: a daemon before 0.71 closes on metadata; it is asked again without, and
// from then on at once.
func TestOldDaemon(t *testing.T) {
	path := socketPath(t)
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	var firsts []string
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			line, _ := bufio.NewReader(c).ReadString('\n')
			if firsts = append(firsts, line); strings.HasPrefix(line, "PRE ") {
				io.WriteString(c, "USERNAME=john\nGID=5\nHOME=/h\nNEW=x\n.\n")
			}
			c.Close()
		}
	}()
	b := authdaemon.NewBackend(authdaemon.Options{Socket: path})
	for range 2 {
		id, err := b.Lookup(t.Context(), auth.Request{Login: "john", Service: "imap", Remote: netip.MustParseAddrPort("[2001:db8::1%eth0]:5")})
		if err != nil || id.User != "john" || id.UID != auth.Unknown || id.Login != "john" || id.Home != "/h" {
			t.Errorf("got %+v, %v", id, err)
		}
	}
	l.Close()
	<-ended
	if got := strings.Join(firsts, ""); got != "TCPREMOTEIP=2001:db8::1\nPRE . imap john\nPRE . imap john\n" {
		t.Errorf("it was asked %q", got)
	}
}

// TestLies: whatever a daemon answers, it is a record, a rejection, or trouble.
func TestLies(t *testing.T) {
	for answer, want := range map[string]error{
		"":                                    auth.ErrTemporary,
		"FAIL":                                auth.ErrTemporary,
		"FAIL\n":                              auth.ErrRejected,
		".\n":                                 auth.ErrTemporary,
		"UID=1\nGID=1\nHOME=/h\n":             auth.ErrTemporary, // it ends too early
		"UID=1\nGID=1\n.\n":                   auth.ErrTemporary, // no home
		"GID=1\nHOME=/h\n.\n":                 auth.ErrTemporary, // nobody's
		"UID=4294967295\nHOME=/h\nGID=1\n.\n": auth.ErrTemporary,
		"UID=x\nHOME=/h\nGID=1\n.\n":          auth.ErrTemporary,
		"OK\n":                                auth.ErrTemporary,
		strings.Repeat("x", 1<<20):            auth.ErrTemporary,
		"UID=1\nGID=1\nHOME=/h\nNAME=" + strings.Repeat("x", 8200) + "\n.\n": auth.ErrTemporary,
		"UID=1\nGID=1\nHOME=/h\n.\n":                                         nil,
	} {
		path := socketPath(t)
		l, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			c, err := l.Accept()
			if err != nil {
				return
			}
			bufio.NewReader(c).ReadString('\n')
			io.WriteString(c, answer)
			c.Close()
		}()
		b := authdaemon.NewBackend(authdaemon.Options{Socket: path})
		id, err := b.Lookup(t.Context(), auth.Request{Login: "x", Service: "imap"})
		if !errors.Is(err, want) || (id == nil) != (err != nil) {
			t.Errorf("%.40q: got %.60v, %.60v", answer, id, err)
		}
		l.Close()
		<-ended
	}
}

// TestSlowDaemon: the answer has its time, and then it is trouble.
func TestSlowDaemon(t *testing.T) {
	path := socketPath(t)
	stall(t, path)
	b := authdaemon.NewBackend(authdaemon.Options{Socket: path, ReadTime: 50 * time.Millisecond})
	if _, err := b.Authenticate(t.Context(), auth.Request{Login: "x", Service: "imap"}, "x"); !errors.Is(err, auth.ErrTemporary) {
		t.Errorf("got %v", err)
	}
}

// TestSlowClients: a thousand clients that send nothing take nobody else's place but
// those of the queue, and are served when others are gone.
func TestSlowClients(t *testing.T) {
	m, _ := module(t)
	path := socketPath(t)
	listen(t, path, authdaemon.Config{Modules: []authdaemon.Module{m}, Connections: 1100})
	var open []net.Conn
	for range 1000 {
		c, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		open = append(open, c)
	}
	if got := ask(t, path, "PRE . imap john\n"); !strings.HasSuffix(got, "\n.\n") {
		t.Errorf("beside them: %q", got)
	}
	for i, c := range open {
		io.WriteString(c, "PRE . imap john\n")
		if answer, _ := io.ReadAll(c); !strings.HasSuffix(string(answer), "\n.\n") {
			t.Fatalf("client %d: %q", i, answer)
		}
	}
}

// TestStop: what is being answered is answered when the server stops.
func TestStop(t *testing.T) {
	m, _ := module(t)
	began, goOn := make(chan struct{}), make(chan struct{})
	path := socketPath(t)
	stop := listen(t, path, authdaemon.Config{Modules: []authdaemon.Module{{Name: "slow", Backend: gate{m.Backend, began, goOn}}}})
	answer := make(chan string)
	go func() { answer <- ask(t, path, "PRE . imap john\n") }()
	<-began
	stopped := make(chan struct{})
	go func() { stop(); close(stopped) }()
	close(goOn)
	if got := <-answer; !strings.HasSuffix(got, "\n.\n") {
		t.Errorf("got %q", got)
	}
	<-stopped
}

// gate is a backend whose lookups wait.
type gate struct {
	auth.Backend
	began, goOn chan struct{}
}

func (g gate) Lookup(ctx context.Context, r auth.Request) (*auth.Identity, error) {
	close(g.began)
	<-g.goOn
	return g.Backend.Lookup(ctx, r)
}
