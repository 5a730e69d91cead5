package couriertcpd

import (
	"bytes"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/pires/go-proxyproto"
)

func proxyHeader(t *testing.T, version byte, from, to string) []byte {
	t.Helper()
	h := proxyproto.HeaderProxyFromAddrs(version, net.TCPAddrFromAddrPort(netip.MustParseAddrPort(from)), net.TCPAddrFromAddrPort(netip.MustParseAddrPort(to)))
	b, err := h.Format()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Not one octet behind the header is read: it is the client's.
func TestHeader(t *testing.T) {
	direct := ends{remote: netip.MustParseAddrPort("10.0.0.1:5"), local: netip.MustParseAddrPort("10.0.0.2:143")}
	local := append(append([]byte{}, proxyproto.SIGV2...), 0x20, 0, 0, 0)
	for name, c := range map[string]struct {
		text       []byte
		from, fail string
	}{
		"v1":         {text: proxyHeader(t, 1, "192.0.2.7:1000", "198.51.100.1:143"), from: "192.0.2.7:1000"},
		"v1 IPv6":    {text: proxyHeader(t, 1, "[2001:db8::7]:1000", "[2001:db8::1]:143"), from: "[2001:db8::7]:1000"},
		"v2":         {text: proxyHeader(t, 2, "192.0.2.7:1000", "198.51.100.1:143"), from: "192.0.2.7:1000"},
		"v2 IPv6":    {text: proxyHeader(t, 2, "[2001:db8::7]:1000", "[2001:db8::1]:143"), from: "[2001:db8::7]:1000"},
		"v2 LOCAL":   {text: local, from: "10.0.0.1:5"},
		"v1 UNKNOWN": {text: []byte("PROXY UNKNOWN\r\n"), fail: "no TCP"},
		"none":       {text: []byte("a LOGIN user password\r\n"), fail: "there is none"},
		"v1 long":    {text: []byte("PROXY TCP4 " + strings.Repeat("1", 300) + "\r\n"), fail: "255 octets"},
		"v2 long":    {text: append(append([]byte{}, proxyproto.SIGV2...), 0x21, 0x11, 0xff, 0xff), fail: "the bound is"},
		"v2 cut":     {text: proxyproto.SIGV2, fail: "EOF"},
		"v1 wrong":   {text: []byte("PROXY TCP4 1.2.3.4 5.6.7.8 x y\r\n"), fail: "proxyproto"},
	} {
		t.Run(name, func(t *testing.T) {
			r := io.MultiReader(bytes.NewReader(c.text), strings.NewReader("the client"))
			if c.fail == "EOF" {
				r = bytes.NewReader(c.text)
			}
			text, err := readHeader(r)
			var e ends
			if err == nil {
				e, err = parseHeader(text, direct)
			}
			if c.fail != "" {
				if err == nil || !strings.Contains(err.Error(), c.fail) {
					t.Errorf("%v, %v; want %s", e, err, c.fail)
				}
				return
			}
			rest, _ := io.ReadAll(r)
			if err != nil || e.remote.String() != c.from || string(rest) != "the client" {
				t.Errorf("%v, %v, then %q", e, err, rest)
			}
			if proxied := e.via.IsValid(); proxied != (c.from != "10.0.0.1:5") {
				t.Errorf("via is %v", e.via)
			}
		})
	}
}

// A proxy that says nothing is let go.
func TestHeaderInTime(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer accepted.Close()
	p := &proxied{time: 10 * time.Millisecond}
	if _, err := p.header(accepted.(*net.TCPConn), ends{}); err == nil || !strings.Contains(err.Error(), "timeout") {
		t.Errorf("%v", err)
	}
}

func FuzzHeader(f *testing.F) {
	f.Add([]byte("PROXY TCP4 192.0.2.7 198.51.100.1 1000 143\r\nhello"))
	f.Add(append(append([]byte{}, proxyproto.SIGV2...), 0x21, 0x11, 0, 12, 1, 2, 3, 4, 5, 6, 7, 8, 0, 1, 0, 2))
	f.Fuzz(func(t *testing.T, b []byte) {
		text, err := readHeader(bytes.NewReader(b))
		if err != nil {
			return
		}
		if !bytes.HasPrefix(b, text) || len(text) > maxProxyV2+16 {
			t.Fatalf("%q of %q", text, b)
		}
		if e, err := parseHeader(text, ends{}); err == nil && e.via != (netip.AddrPort{}) {
			t.Fatalf("%+v", e)
		}
	})
}
