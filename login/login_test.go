package login

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"postrider/auth"
	"postrider/wire"
	"postrider/wire/wiretest"
)

// accounts knows one user.
type accounts struct{}

func (accounts) Authenticate(_ context.Context, r auth.Request, password string) (*auth.Identity, error) {
	switch {
	case r.Login == "later":
		return nil, auth.ErrTemporary
	case r.Login == "off" && password == "pass":
		return nil, auth.ErrDisabled
	case r.Login == "ann" && password == "pass":
		return &auth.Identity{Login: "ann", UID: 1, GID: 1, Home: "/"}, nil
	}
	return nil, auth.ErrRejected
}

func (accounts) Lookup(context.Context, auth.Request) (*auth.Identity, error) {
	return nil, auth.ErrRejected
}

// talk sends input and returns what was answered, without the greeting, and what
// came of it.
func talk(t *testing.T, cfg Config, input string) (out string, res *Result, took time.Duration) {
	t.Helper()
	cfg.Backend = accounts{}
	synctest.Test(t, func(t *testing.T) {
		client, server := wiretest.Pair()
		c := wire.NewConn(server, &wire.Buffers{})
		done := make(chan error, 1)
		start := time.Now()
		go func() {
			var err error
			res, err = Run(t.Context(), c, cfg)
			took = time.Since(start)
			c.Flush()
			c.Close()
			done <- err
		}()
		io.WriteString(client, input)
		b, _ := io.ReadAll(client)
		if err := <-done; (err != nil) != (res == nil) || err != nil && !errors.Is(err, ErrEnded) {
			t.Errorf("result %v with error %v", res, err)
		}
		greeting, rest, _ := strings.Cut(string(b), "\r\n")
		if !strings.HasPrefix(greeting, "* OK [CAPABILITY IMAP4rev1 ") {
			t.Errorf("greeting %q", greeting)
		}
		out = rest
	})
	return out, res, took
}

func TestLogin(t *testing.T) {
	tls := func(c net.Conn) (net.Conn, error) { return c, nil }
	for _, tc := range []struct {
		name, input, want string
		cfg               Config
		method            string
	}{
		{"login", "a LOGIN ann pass\r\n", "", Config{}, "LOGIN"},
		{"literals", "a LOGIN {3}\r\nann {4}\r\npass\r\n", "+ OK\r\n+ OK\r\n", Config{}, "LOGIN"},
		{"plain", "a AUTHENTICATE PLAIN\r\nAGFubgBwYXNz\r\n", "+ \r\n", Config{}, "PLAIN"},
		{"plain at once", "a AUTHENTICATE plain AGFubgBwYXNz\r\n", "", Config{}, "PLAIN"},
		{"login mechanism", "a AUTHENTICATE LOGIN\r\nYW5u\r\ncGFzcw==\r\n", "+ VXNlcm5hbWU6\r\n+ UGFzc3dvcmQ6\r\n", Config{}, "LOGIN"},
		{"cancelled", "a AUTHENTICATE PLAIN\r\n*\r\nb LOGOUT\r\n", "+ \r\na BAD Authentication cancelled\r\n* BYE Postrider server shutting down\r\nb OK LOGOUT completed.\r\n", Config{}, ""},
		{"no base64", "a AUTHENTICATE PLAIN\r\n!!\r\nb LOGOUT\r\n", "+ \r\na BAD The response is not base64\r\n* BYE Postrider server shutting down\r\nb OK LOGOUT completed.\r\n", Config{}, ""},
		{"unknown mechanism", "a AUTHENTICATE X\r\nb LOGOUT\r\n", "a NO [CANNOT] This mechanism is not supported\r\n* BYE Postrider server shutting down\r\nb OK LOGOUT completed.\r\n", Config{}, ""},
		{"wrong, then right", "a LOGIN ann no\r\nb LOGIN ann pass\r\n", "a NO [AUTHENTICATIONFAILED] Login failed.\r\n", Config{}, "LOGIN"},
		{"later", "a LOGIN later x\r\nb LOGOUT\r\n", "a NO [UNAVAILABLE] Temporary problem, please try again later\r\n* BYE Postrider server shutting down\r\nb OK LOGOUT completed.\r\n", Config{}, ""},
		{"disabled", "a LOGIN off pass\r\nb LOGOUT\r\n", "a NO [CONTACTADMIN] IMAP access disabled for this account.\r\n* BYE Postrider server shutting down\r\nb OK LOGOUT completed.\r\n", Config{}, ""},
		{"TLS wanted", "a LOGIN ann pass\r\nb AUTHENTICATE PLAIN\r\nc LOGOUT\r\n", "a NO [PRIVACYREQUIRED] STARTTLS required\r\nb NO [PRIVACYREQUIRED] STARTTLS required\r\n* BYE Postrider server shutting down\r\nc OK LOGOUT completed.\r\n", Config{RequireTLS: true}, ""},
		{"no TLS", "a STARTTLS\r\nb LOGOUT\r\n", "a NO [CANNOT] TLS is not available here\r\n* BYE Postrider server shutting down\r\nb OK LOGOUT completed.\r\n", Config{}, ""},
		{"injected command", "a STARTTLS\r\nb LOGIN ann pass\r\n", "a OK Begin TLS negotiation now.\r\n* BYE [UNAVAILABLE] The login took too long, or the server is shutting down\r\n", Config{StartTLS: tls}, ""},
		{"nothing of a mailbox", "a SELECT INBOX\r\nb LOGOUT\r\n", "a BAD No such command here: SELECT\r\n* BYE Postrider server shutting down\r\nb OK LOGOUT completed.\r\n", Config{}, ""},
		{"ID", "a ID (\"name\" \"x\" \"version\" NIL)\r\nb LOGOUT\r\n", "* ID (\"name\" \"Postrider\")\r\na OK ID completed.\r\n* BYE Postrider server shutting down\r\nb OK LOGOUT completed.\r\n", Config{ServerID: [][2]string{{"name", "Postrider"}}}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			out, res, _ := talk(t, tc.cfg, tc.input)
			if out != tc.want {
				t.Errorf("answered %q, want %q", out, tc.want)
			}
			if (res != nil) != (tc.method != "") || res != nil && (res.Method != tc.method || res.Identity.Login != "ann") {
				t.Errorf("result %+v, want method %q", res, tc.method)
			}
		})
	}
}

func TestFailuresGetSlowerAndEnd(t *testing.T) {
	out, _, took := talk(t, Config{MaxFailures: 4}, strings.Repeat("a LOGIN ann no\r\n", 9))
	if want := strings.Repeat("a NO [AUTHENTICATIONFAILED] Login failed.\r\n", 3) + "* BYE [AUTHENTICATIONFAILED] Too many failed logins\r\n"; out != want {
		t.Errorf("answered %q", out)
	}
	if took != 15*time.Second { // 1 + 2 + 4 + 8
		t.Errorf("took %v", took)
	}
}

func TestTheWholeLoginHasOneTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := wiretest.Pair()
		c := wire.NewConn(server, &wire.Buffers{})
		start := time.Now()
		ended := make(chan time.Duration, 1)
		go func() {
			Run(t.Context(), c, Config{Backend: accounts{}})
			ended <- time.Since(start)
			c.Close()
		}()
		for range 20 { // a byte now and then does not help
			time.Sleep(7 * time.Second)
			io.WriteString(client, "x")
		}
		if took := <-ended; took != time.Minute {
			t.Errorf("ended after %v", took)
		}
	})
}

func TestCapabilities(t *testing.T) {
	a := newAttempt(Config{RequireTLS: true, Capabilities: []string{"IDLE", "IMAP4rev1"}, StartTLS: func(c net.Conn) (net.Conn, error) { return c, nil }})
	if got := strings.Join(a.capabilities(), " "); got != "IMAP4rev1 IDLE SASL-IR STARTTLS LOGINDISABLED" {
		t.Error(got)
	}
	a.tls = true
	if got := strings.Join(a.capabilities(), " "); got != "IMAP4rev1 IDLE SASL-IR AUTH=PLAIN AUTH=LOGIN" {
		t.Error(got)
	}
}

func TestNoSecretIsLogged(t *testing.T) {
	var log bytes.Buffer
	talk(t, Config{Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))}, "a LOGIN ann topsecret\r\nb AUTHENTICATE PLAIN AGFubgB0b3BzZWNyZXQ=\r\nc LOGOUT\r\n")
	if s := log.String(); strings.Contains(s, "topsecret") || strings.Contains(s, "dG9wc2Vj") || !strings.Contains(s, "login failed") {
		t.Error(s)
	}
}
