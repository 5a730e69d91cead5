package couriertcpd

import (
	"context"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/dns/dnsmessage"
)

// nameServer answers from a table: "NAME TYPE" to values. What is not there does not
// exist; "fail" is a server's failure, and "silence" is none of an answer.
func nameServer(t *testing.T, table map[string][]string) string {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { conn.Close(); <-done })
	go func() {
		defer close(done)
		for buffer := make([]byte, 1500); ; {
			n, from, err := conn.ReadFrom(buffer)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(buffer[:n]) == nil && len(m.Questions) == 1 {
				if b := reply(m, table); b != nil {
					conn.WriteTo(b, from)
				}
			}
		}
	}()
	return conn.LocalAddr().String()
}

func reply(m dnsmessage.Message, table map[string][]string) []byte {
	q := m.Questions[0]
	m.Response, m.RecursionAvailable, m.Additionals = true, true, nil
	values, ok := table[q.Name.String()+" "+strings.TrimPrefix(q.Type.String(), "Type")]
	if !ok {
		m.RCode = dnsmessage.RCodeNameError
		for key := range table {
			if strings.HasPrefix(key, q.Name.String()+" ") {
				m.RCode = dnsmessage.RCodeSuccess
			}
		}
	}
	for _, v := range values {
		h := dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 60}
		switch {
		case v == "silence":
			return nil
		case v == "fail":
			m.RCode = dnsmessage.RCodeServerFailure
		case q.Type == dnsmessage.TypeA:
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: h, Body: &dnsmessage.AResource{A: netip.MustParseAddr(v).As4()}})
		case q.Type == dnsmessage.TypeTXT:
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: h, Body: &dnsmessage.TXTResource{TXT: []string{v}}})
		case q.Type == dnsmessage.TypePTR:
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: h, Body: &dnsmessage.PTRResource{PTR: dnsmessage.MustNewName(v)}})
		}
	}
	b, err := m.Pack()
	if err != nil {
		return nil
	}
	return b
}

// testServer is one that asks a name server of the test's.
func testServer(t *testing.T, table map[string][]string, args ...string) *server {
	t.Helper()
	o, err := parseOptions(append(args, "1", "x"))
	if err != nil {
		t.Fatal(err)
	}
	return &server{options: o, resolver: newResolver(nameServer(t, table)), stderr: &stderr{file: os.Stderr}}
}

func TestLists(t *testing.T) {
	table := map[string][]string{
		"7.2.0.192.white.example. A":   {"127.0.0.2"},
		"7.2.0.192.white.example. TXT": {"a friend"},
		"7.2.0.192.black.example. A":   {"127.0.0.4"},
		"7.2.0.192.black.example. TXT": {"seen\nspamming"},
		"7.2.0.192.plain.example. A":   {"127.0.0.3", "127.0.0.9"},
		"7.2.0.192.text.example. TXT":  {"only text"},
	}
	v6 := strings.TrimSuffix(strings.Repeat("0.", 23), ".")
	table["7."+v6+".8.b.d.0.1.0.0.2.plain.example. A"] = []string{"127.0.0.3"}
	for _, c := range []struct {
		name, address string
		args          []string
		want          map[string]string
	}{
		{"-block", "192.0.2.7", []string{"-block=black.example"},
			map[string]string{"BLOCK": "seen spamming", "BLOCK_IP": "127.0.0.4", "BLOCK_TXT": "seen spamming", "BLOCK_ZONE": "black.example"}},
		{"no text", "192.0.2.7", []string{"-block=plain.example=shown"},
			map[string]string{"BLOCK": "Blacklisted by shown", "BLOCK_IP": "127.0.0.3", "BLOCK_ZONE": "shown"}},
		{"a message", "192.0.2.7", []string{"-block=black.example,VAR,Go away, @"},
			map[string]string{"VAR": "Go away, 192.0.2.7", "VAR_IP": "127.0.0.4", "VAR_ZONE": "black.example"}},
		{"texts alone", "192.0.2.7", []string{"-block=text.example,BLOCK,*"},
			map[string]string{"BLOCK": "only text", "BLOCK_TXT": "only text", "BLOCK_ZONE": "text.example"}},
		{"one address", "192.0.2.7", []string{"-block=plain.example,BLOCK/127.0.0.9,no"},
			map[string]string{"BLOCK": "no", "BLOCK_IP": "127.0.0.9", "BLOCK_ZONE": "plain.example"}},
		{"another address", "192.0.2.7", []string{"-block=plain.example/127.0.0.8"}, map[string]string{}},
		{"-allow comes first", "192.0.2.7", []string{"-allow=white.example", "-block=black.example"},
			map[string]string{"BLOCK": "", "BLOCK_IP": "127.0.0.2", "BLOCK_ZONE": "white.example"}},
		{"-allow with text", "192.0.2.7", []string{"-allow=white.example,BLOCK,"},
			map[string]string{"BLOCK": "", "BLOCK_IP": "127.0.0.2", "BLOCK_TXT": "a friend", "BLOCK_ZONE": "white.example"}},
		{"two variables", "192.0.2.7", []string{"-block=black.example,ONE,x", "-block=plain.example,TWO,y"},
			map[string]string{"ONE": "x", "ONE_IP": "127.0.0.4", "ONE_ZONE": "black.example", "TWO": "y", "TWO_IP": "127.0.0.3", "TWO_ZONE": "plain.example"}},
		{"not listed", "192.0.2.8", []string{"-block=black.example"}, map[string]string{}},
		{"IPv6", "2001:db8::7", []string{"-block=plain.example,BLOCK,x"},
			map[string]string{"BLOCK": "x", "BLOCK_IP": "127.0.0.3", "BLOCK_ZONE": "plain.example"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := testServer(t, table, c.args...)
			env := map[string]string{}
			s.askLists(t.Context(), netip.MustParseAddr(c.address), env)
			if d := cmp.Diff(c.want, env); d != "" {
				t.Error(d)
			}
		})
	}
}

// A list that fails is an error, and neither a hit nor none.
func TestListFails(t *testing.T) {
	r := newResolver(nameServer(t, map[string][]string{"7.2.0.192.down.example. A": {"fail"}}))
	l, err := parseList("down.example", true)
	if err != nil {
		t.Fatal(err)
	}
	if h, err := l.ask(t.Context(), r, netip.MustParseAddr("192.0.2.7")); err == nil {
		t.Errorf("%+v", h)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	r = newResolver(nameServer(t, map[string][]string{"7.2.0.192.down.example. A": {"silence"}}))
	if h, err := l.ask(ctx, r, netip.MustParseAddr("192.0.2.7")); err == nil {
		t.Errorf("%+v", h)
	}
}

func TestNameOf(t *testing.T) {
	r := newResolver(nameServer(t, map[string][]string{
		"7.2.0.192.in-addr.arpa. PTR":  {"host.example."},
		"host.example. A":              {"192.0.2.7"},
		"8.2.0.192.in-addr.arpa. PTR":  {"host.example."}, // which does not say so
		"9.2.0.192.in-addr.arpa. PTR":  {"fail"},
		"10.2.0.192.in-addr.arpa. PTR": {"gone.example."},
	}))
	for address, want := range map[string]string{
		"192.0.2.7": "host.example", "192.0.2.8": "", "192.0.2.9": softError, "192.0.2.10": "", "192.0.2.11": "",
	} {
		if got := nameOf(t.Context(), r, netip.MustParseAddr(address)); got != want {
			t.Errorf("%s is %q, want %q", address, got, want)
		}
	}
}

func TestIdent(t *testing.T) {
	for line, want := range map[string]string{
		"1000 , 143 : USERID : UNIX : joe\r": "joe", "1000,143:ERROR:NO-USER": "", "1,2:USERID:UNIX:a\x01b": "", "": "",
		"1,2 : USERID : OTHER : a:b": "a:b",
	} {
		if got := parseIdent(line); got != want {
			t.Errorf("%q is %q", line, got)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	asked := make(chan string, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			asked <- err.Error()
			return
		}
		defer c.Close()
		b := make([]byte, 100)
		n, _ := c.Read(b)
		asked <- string(b[:n])
		c.Write([]byte("1000, 143 : USERID : UNIX : joe\r\n"))
	}()
	e := ends{remote: netip.MustParseAddrPort("127.0.0.1:1000"), local: netip.MustParseAddrPort("127.0.0.1:143")}
	port := netip.MustParseAddrPort(l.Addr().String()).Port()
	if got := ident(t.Context(), e, int(port)); got != "joe" {
		t.Errorf("it is %q", got)
	}
	if got := <-asked; got != "1000,143\r\n" {
		t.Errorf("it asked %q", got)
	}
}
