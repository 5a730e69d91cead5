package wire

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"postrider/wire/wiretest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A connection that waits for a command, or in a command for input, holds nothing.
func TestQuietConnectionHoldsNoBuffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := wiretest.Pair()
		c := NewConn(server, &Buffers{})
		done := make(chan struct{})
		go func() {
			defer close(done)
			Serve(t.Context(), c, echoTable(), &echo{state: Authenticated}, testOptions)
		}()
		for _, text := range []string{"", "a NOOP\r\n", "b SAY {100+}\r\n" + strings.Repeat("x", 100) + "\r\n", "c IDLE\r\n"} {
			io.WriteString(client, text)
			synctest.Wait()
			if c.in != nil || c.out != nil {
				t.Errorf("after %q: in %t, out %t", text, c.in != nil, c.out != nil)
			}
		}
		client.Close()
		<-done
	})
}

func TestSlowClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := wiretest.Bounded(100)
		c := NewConn(server, &Buffers{})
		defer c.Close()
		failed := make(chan error, 1)
		start := time.Now()
		go func() {
			c.Write(make([]byte, 1000))
			failed <- c.Flush()
		}()
		for range 10 { // slow, but it takes something
			time.Sleep(writeTimeout * 3 / 4)
			io.ReadFull(client, make([]byte, 10))
		}
		select {
		case err := <-failed:
			t.Fatalf("a slow client was given up: %v", err)
		default:
		}
		if err := <-failed; !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("a client that takes nothing: %v", err)
		}
		if took := time.Since(start); took > 10*writeTimeout {
			t.Errorf("given up after %v", took)
		}
		if !errors.Is(c.Err(), os.ErrDeadlineExceeded) {
			t.Errorf("the connection's error is %v", c.Err())
		}
	})
}

func TestReadFromAndCounts(t *testing.T) {
	client, server := wiretest.Pair()
	c := NewConn(server, &Buffers{})
	text := strings.Repeat("0123456789", 20000)
	if n, err := io.Copy(c, io.LimitReader(strings.NewReader(text), 150000)); n != 150000 || err != nil {
		t.Fatalf("copied %d, %v", n, err)
	}
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	c.Close()
	got, _ := io.ReadAll(client)
	if _, wrote := c.Counts(); string(got) != text[:150000] || wrote != 150000 {
		t.Errorf("%d octets arrived, %d counted", len(got), wrote)
	}
}

func certificate(tb testing.TB) *tls.Config {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		tb.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
}

func upgrade(cfg *tls.Config) func(net.Conn) (net.Conn, error) {
	return func(n net.Conn) (net.Conn, error) {
		s := tls.Server(n, cfg)
		return s, s.Handshake()
	}
}

// What was sent together with STARTTLS is not taken for something that came
// through the encryption.
func TestStartTLSThrowsPlaintextAway(t *testing.T) {
	cfg := certificate(t)
	client, server := wiretest.Pair()
	c := NewConn(server, &Buffers{})
	defer c.Close()
	io.WriteString(client, "a STARTTLS\r\nb SAY injected\r\n")
	b, err := c.Fill()
	if err != nil {
		t.Fatal(err)
	}
	c.Skip(bytes.IndexByte(b, '\n') + 1)
	started := make(chan error, 1)
	go func() { started <- c.StartTLS(upgrade(cfg)) }()
	secure := tls.Client(client, &tls.Config{InsecureSkipVerify: true})
	go io.WriteString(secure, "c SAY hello\r\n")
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	if b, err := c.Fill(); err != nil || string(b) != "c SAY hello\r\n" {
		t.Errorf("after the handshake: %q, %v", b, err)
	}
	c.Skip(c.Buffered())
	c.Wake() // a wait that is broken off leaves the encryption whole
	if ev, err := c.WaitInput(time.Hour); ev != Woken || err != nil {
		t.Errorf("woken under TLS: %v, %v", ev, err)
	}
	time.AfterFunc(10*time.Millisecond, c.Wake)
	if ev, err := c.WaitInput(time.Hour); ev != Woken || err != nil {
		t.Errorf("woken in a read under TLS: %v, %v", ev, err)
	}
	io.WriteString(secure, "d")
	if b, err := c.Fill(); err != nil || string(b) != "d" {
		t.Errorf("after a wake-up: %q, %v", b, err)
	}
}

func TestStartTLSFails(t *testing.T) {
	client, server := wiretest.Pair()
	c := NewConn(server, &Buffers{})
	defer c.Close()
	io.WriteString(client, "this is no TLS\r\n")
	if err := c.StartTLS(upgrade(certificate(t))); err == nil || c.Err() == nil {
		t.Errorf("got %v, %v", err, c.Err())
	}
	if err := c.StartTLS(func(net.Conn) (net.Conn, error) { panic("boom") }); err == nil {
		t.Error("a panic in the handshake is no error")
	}
}

// counted says how much was read at most at once.
type counted struct {
	net.Conn
	largest int
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.largest = max(c.largest, n)
	return n, err
}

func TestRecords(t *testing.T) {
	client, server := wiretest.Pair()
	record := func(n int) []byte { return append([]byte{23, 3, 3, byte(n >> 8), byte(n)}, make([]byte, n)...) }
	stream := append(append(append(record(1000), record(0)...), record(16640)...), record(3)...)
	client.Write(stream)
	client.Close()
	low := &counted{Conn: server}
	r := Records(low)
	var sizes []int
	var all []byte
	for {
		p := make([]byte, 1<<16)
		n, err := r.Read(p)
		if err != nil {
			break
		}
		sizes, all = append(sizes, n), append(all, p[:n]...)
	}
	want := []int{5, 1000, 5, 5, 16640, 5, 3}
	if len(sizes) != len(want) || !bytes.Equal(all, stream) {
		t.Fatalf("read in pieces of %v", sizes)
	}
	for i := range want {
		if sizes[i] != want[i] {
			t.Errorf("read in pieces of %v, want %v", sizes, want)
		}
	}
}

func TestPipe(t *testing.T) {
	inR, inW, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	outR, outW, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []*os.File{inR, inW, outR, outW} {
		defer f.Close()
	}
	n, err := NewPipe(inR, outW)
	if err != nil {
		t.Fatal(err)
	}
	c := NewConn(n, &Buffers{})
	defer c.Close()
	if ev, err := c.WaitInput(time.Millisecond); ev != Timeout || err != nil {
		t.Errorf("nothing there: %v, %v", ev, err)
	}
	time.AfterFunc(10*time.Millisecond, c.Wake)
	if ev, err := c.WaitInput(time.Hour); ev != Woken || err != nil {
		t.Errorf("woken: %v, %v", ev, err)
	}
	io.WriteString(inW, "hello")
	if b, err := c.Fill(); err != nil || string(b) != "hello" {
		t.Errorf("read %q, %v", b, err)
	}
	c.Skip(5)
	c.WriteString("answer")
	if err := c.Flush(); err != nil {
		t.Error(err)
	}
	p := make([]byte, 6)
	if _, err := io.ReadFull(outR, p); err != nil || string(p) != "answer" {
		t.Errorf("wrote %q, %v", p, err)
	}
	inW.Close()
	if _, err := c.WaitInput(time.Hour); !errors.Is(err, io.EOF) {
		t.Errorf("closed: %v", err)
	}
}

// BenchmarkIdle measures what a quiet connection costs, with its goroutine and
// without the kernel's part.
func BenchmarkIdle(b *testing.B) {
	for name, secure := range map[string]bool{"plain": false, "tls": true} {
		b.Run(name, func(b *testing.B) {
			cfg := certificate(b)
			for b.Loop() {
				b.ReportMetric(idleBytes(b, cfg, secure), "B/conn")
			}
		})
	}
}

func idleBytes(b *testing.B, cfg *tls.Config, secure bool) float64 {
	const many = 200
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	var clients, servers []net.Conn
	for range many {
		client, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			b.Fatal(err)
		}
		server, err := l.Accept()
		if err != nil {
			b.Fatal(err)
		}
		clients, servers = append(clients, client), append(servers, server)
	}
	before := inUse()
	done := make(chan struct{})
	buffers := &Buffers{}
	ready := make(chan struct{})
	for i, s := range servers {
		go func() {
			c := NewConn(s, buffers)
			if secure {
				if err := c.StartTLS(upgrade(cfg)); err != nil {
					b.Error(err)
				}
			}
			Serve(b.Context(), c, echoTable(), &echo{state: Authenticated}, testOptions)
			c.Close()
			done <- struct{}{}
		}()
		go chat(clients[i], secure, ready)
	}
	for range many {
		<-ready
	}
	after := inUse()
	for _, c := range clients {
		c.Close()
		<-done
	}
	return float64(after-before) / many
}

// chat uploads a little, then goes; it keeps nothing of its own.
func chat(n net.Conn, secure bool, ready chan<- struct{}) {
	defer func() { ready <- struct{}{} }()
	if secure {
		n = tls.Client(n, &tls.Config{InsecureSkipVerify: true})
	}
	io.WriteString(n, "a SAY {100+}\r\n"+strings.Repeat("x", 100)+"\r\n")
	io.ReadAtLeast(n, make([]byte, 1024), 100)
}

func inUse() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}

func TestHandover(t *testing.T) {
	client, server := wiretest.Pair()
	var buffers Buffers
	first := NewConn(server, &buffers)
	if first.Unread() != nil {
		t.Error("something unread before anything came")
	}
	first.Introduce([][2]string{{"name", "phone"}})
	client.Write([]byte("login next"))
	if _, err := first.Fill(); err != nil {
		t.Fatal(err)
	}
	first.Skip(6)
	second := Resume(server, &buffers, first.Unread())
	second.SetClient(first.Client())
	if b, err := second.Fill(); err != nil || string(b) != "next" || !second.SameClient(first) {
		t.Errorf("resumed with %q, %v", b, err)
	}
	second.Skip(4)
	client.Write([]byte("more"))
	if b, err := second.Fill(); err != nil || string(b) != "more" {
		t.Errorf("after what was unread came %q, %v", b, err)
	}
}
