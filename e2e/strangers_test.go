package e2e_test

import (
	"crypto/tls"
	"net"
	"testing"
)

// strangers is how many connections without a login the server is to bear: each
// takes one descriptor of its process and one of the test's.
const strangers = 10_000

// TestStrangersCostLittle: connections that say nothing, that stop in the middle of
// a command, and that stop in the middle of a handshake cost little, and whoever
// means it logs in beside them.
func TestStrangersCostLittle(t *testing.T) {
	s := startServer(t, "MAXDAEMONS=0", "LOG_LEVEL=warn", "LOGIN_TIMEOUT=600")
	honest := enter(t, s, s.account(t).user, true)
	honest.do(t, "NOOP")
	before := resident(t, s)
	hello := clientHello(t)
	for i := range strangers {
		port, say := s.port, ""
		switch i % 3 {
		case 1:
			say = "a LOGIN somebody"
		case 2:
			port, say = s.tlsPort, hello[:len(hello)/2]
		}
		c, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		if _, err := c.Write([]byte(say)); err != nil {
			t.Fatal(err)
		}
	}
	for _, secure := range []bool{false, true} {
		k := enter(t, s, s.account(t).user, secure)
		k.do(t, "SELECT INBOX")
		k.conn.Close()
	}
	honest.do(t, "NOOP")
	each := (resident(t, s) - before) * 1024 / strangers
	t.Logf("%d bytes each", each)
	if limit := 24 << 10; each > limit && !raceDetector {
		t.Errorf("a connection without a login costs %d bytes, more than %d", each, limit)
	}
}

// clientHello is what a client sends first over TLS.
func clientHello(t *testing.T) string {
	t.Helper()
	ours, theirs := net.Pipe()
	defer ours.Close()
	go tls.Client(theirs, &tls.Config{InsecureSkipVerify: true}).Handshake()
	b := make([]byte, 4096)
	n, err := ours.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return string(b[:n])
}
