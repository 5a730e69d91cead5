package login

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"postrider/wire"
	"postrider/wire/wiretest"
)

// certificate is one made on the spot.
func certificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"mx"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// starting runs a login on a new connection; ended has its result.
func starting(t *testing.T, cfg Config, limit int) (client net.Conn, ended chan *Result) {
	t.Helper()
	cfg.Backend = accounts{}
	client, server := wiretest.Bounded(limit)
	c := wire.NewConn(server, &wire.Buffers{})
	ended = make(chan *Result, 1)
	go func() {
		res, err := Run(t.Context(), c, cfg)
		if (res == nil) != errors.Is(err, ErrEnded) {
			t.Errorf("result %v with error %v", res, err)
		}
		c.Flush()
		c.Close()
		ended <- res
	}()
	return client, ended
}

func expect(t *testing.T, r *bufio.Reader, want string) {
	t.Helper()
	if line, err := r.ReadString('\n'); !strings.HasPrefix(line, want) {
		t.Fatalf("got %q (%v), want %q", line, err, want)
	}
}

// TestStartTLS: real TLS. What was sent in the same packet as STARTTLS is never
// run, the capabilities are new, the login says that it was protected.
func TestStartTLS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cert := certificate(t)
		client, ended := starting(t, Config{RequireTLS: true, StartTLS: func(c net.Conn) (net.Conn, error) {
			s := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{cert}})
			return s, s.Handshake()
		}}, 1<<20)
		r := bufio.NewReader(client)
		expect(t, r, "* OK [CAPABILITY IMAP4rev1 SASL-IR STARTTLS LOGINDISABLED]")
		io.WriteString(client, "a STARTTLS\r\nb NOOP\r\nc LOGIN ann pass\r\n")
		expect(t, r, "a OK ")
		secured := tls.Client(client, &tls.Config{InsecureSkipVerify: true})
		io.WriteString(secured, "d CAPABILITY\r\n")
		r = bufio.NewReader(secured)
		expect(t, r, "* CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN AUTH=LOGIN\r\n")
		expect(t, r, "d OK ")
		io.WriteString(secured, "e STARTTLS\r\n")
		expect(t, r, "e BAD ")
		io.WriteString(secured, "f LOGIN ann pass\r\n")
		if res := <-ended; res == nil || res.Tag != "f" || !res.TLS || res.Method != "LOGIN" {
			t.Errorf("result %+v", res)
		}
	})
}

// TestFailedHandshake ends the connection; nothing that follows is a command.
func TestFailedHandshake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cert := certificate(t)
		client, ended := starting(t, Config{StartTLS: func(c net.Conn) (net.Conn, error) {
			s := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{cert}})
			return s, s.Handshake()
		}}, 1<<20)
		r := bufio.NewReader(client)
		expect(t, r, "* OK ")
		io.WriteString(client, "a STARTTLS\r\n")
		expect(t, r, "a OK ")
		io.WriteString(client, "b LOGIN ann pass\r\nc LOGIN ann pass\r\n")
		rest, _ := io.ReadAll(r)
		if res := <-ended; res != nil || bytes.Contains(rest, []byte("OK")) {
			t.Errorf("result %v after %q", res, rest)
		}
	})
}

// TestSilentHandshake: who begins TLS and says nothing has the login's time.
func TestSilentHandshake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		client, ended := starting(t, Config{StartTLS: func(c net.Conn) (net.Conn, error) {
			_, err := c.Read(make([]byte, 1))
			return c, err
		}}, 1<<20)
		io.WriteString(client, "a STARTTLS\r\n")
		<-ended
		if took := time.Since(start); took > time.Minute+grace {
			t.Errorf("ended after %v", took)
		}
	})
}

// TestSlowReader: a client that sends commands and takes a byte now and then does
// not keep the connection beyond the login's time.
func TestSlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		client, ended := starting(t, Config{}, 256)
		var helpers sync.WaitGroup
		defer helpers.Wait()
		helpers.Go(func() { io.WriteString(client, strings.Repeat("a CAPABILITY\r\n", 1000)) })
		helpers.Go(func() {
			for one := make([]byte, 1); ; time.Sleep(30 * time.Second) {
				if _, err := client.Read(one); err != nil {
					return
				}
			}
		})
		if res := <-ended; res != nil || time.Since(start) > time.Minute+grace {
			t.Errorf("result %v after %v", res, time.Since(start))
		}
		client.Close()
	})
}

// TestLiteralsAreNoCommands: the octets of a literal are no command, whatever
// becomes of the command that announced it.
func TestLiteralsAreNoCommands(t *testing.T) {
	const evil = "x LOGIN ann pass\r\n"
	for _, input := range []string{
		"a LOGIN {18+}\r\n" + evil + " pass\r\n",
		"a NOOP {18+}\r\n" + evil + "\r\n",
		"a NOSUCH {18+}\r\n" + evil + "\r\n",
		"a SELECT {18+}\r\n" + evil + "\r\n",
		"a STARTTLS {18+}\r\n" + evil + "\r\n",
		"a AUTHENTICATE PLAIN {18+}\r\n" + evil + "\r\n",
		"a AUTHENTICATE PLAIN\r\n{18+}\r\n" + evil + "\r\n",
		"a LOGIN {100000+}\r\n" + strings.Repeat(evil, 5556)[:100000] + " pass\r\n",
		"a LOGIN \"ann {18+}\r\n" + evil + "\r\n",
	} {
		out, res, _ := talk(t, Config{}, input+"z LOGOUT\r\n")
		if res != nil || strings.Contains(out, "x ") || !strings.HasSuffix(out, "z OK LOGOUT completed.\r\n") {
			t.Errorf("%.40q: result %v after %q", input, res, out)
		}
	}
}

// TestEndlessAttempts: none of the ways to keep trying is without end.
func TestEndlessAttempts(t *testing.T) {
	for what, attempt := range map[string]string{
		"temporary failures": "a LOGIN later x\r\n",
		"wrong passwords":    "a AUTHENTICATE PLAIN AGFubgBubw==\r\n",
		"bad messages":       "a AUTHENTICATE PLAIN AAAA\r\n",
		"another identity":   "a AUTHENTICATE PLAIN Ym9iAGFubgBwYXNz\r\n",
		"cancelled":          "a AUTHENTICATE PLAIN\r\n*\r\n",
		"endless lines":      strings.Repeat("x", 70<<10) + "\r\n",
	} {
		out, res, took := talk(t, Config{Timeout: time.Hour}, strings.Repeat(attempt, 40))
		if res != nil || !strings.Contains(out, "* BYE ") || took > 2*time.Minute {
			t.Errorf("%s: result %v after %v and %d bytes", what, res, took, len(out))
		}
	}
}

// TestDelayEndsWithContext: a server that goes down does not wait for delays.
func TestDelayEndsWithContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		client, server := wiretest.Pair()
		io.WriteString(client, "a LOGIN ann no\r\n")
		done := make(chan error, 1)
		go func() {
			_, err := Run(ctx, wire.NewConn(server, &wire.Buffers{}), Config{Backend: accounts{}, FailDelay: time.Hour, Timeout: 2 * time.Hour})
			done <- err
		}()
		synctest.Wait()
		start := time.Now()
		cancel()
		if err := <-done; !errors.Is(err, ErrEnded) || time.Since(start) != 0 {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

// TestClientIsLoggedOnce: a stranger cannot fill the log.
func TestClientIsLoggedOnce(t *testing.T) {
	var log bytes.Buffer
	id := "a ID (" + strings.Repeat(`"n" "`+strings.Repeat("x", 1000)+`" `, 19) + `"n" NIL)` + "\r\n"
	out, _, _ := talk(t, Config{Logger: slog.New(slog.NewTextHandler(&log, nil))}, strings.Repeat(id, 100)+"z LOGOUT\r\n")
	if strings.Count(out, "a OK ") != 100 || !strings.Contains(log.String(), "client") || log.Len() > 4*maxLogged {
		t.Errorf("%d bytes logged for %d answers", log.Len(), strings.Count(out, "a OK "))
	}
}

func TestCourierText(t *testing.T) {
	four, six := netip.MustParseAddrPort("192.0.2.1:4711"), netip.MustParseAddrPort("[2001:db8::1]:9")
	for got, want := range map[string]string{
		CourierFailure("j\r\no\x7fhn", "LOGIN", four):          "LOGIN FAILED, user=j..o.hn, ip=[::ffff:192.0.2.1], port=[4711]",
		CourierFailure("", "PLAIN", six):                       "LOGIN FAILED, method=PLAIN, ip=[2001:db8::1], port=[9]",
		CourierLogin("john@example.com", four, false):          "LOGIN, user=john@example.com, ip=[::ffff:192.0.2.1], port=[4711], protocol=IMAP",
		CourierLogin("ann", six, true):                         "LOGIN, user=ann, ip=[2001:db8::1], port=[9], protocol=IMAP, starttls=1",
		CourierLogin("ann", netip.AddrPort{}, false):           "LOGIN, user=ann, ip=[], port=[0], protocol=IMAP",
		CourierFailure(strings.Repeat("x", 300), "", four)[:9]: "LOGIN FAI",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
