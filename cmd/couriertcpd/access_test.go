package couriertcpd

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func rulesOf(t *testing.T, text string) *rules {
	t.Helper()
	r := newRules()
	for _, n := range r.parse("f", []byte(text)) {
		t.Error(n)
	}
	return r
}

func (v verdict) String() string {
	if v.deny {
		return "deny"
	}
	words := []string{"allow"}
	for _, a := range v.set {
		words = append(words, a.name+"="+a.value)
	}
	return strings.Join(words, ",")
}

// The nearest record decides, and it alone.
func TestAccess(t *testing.T) {
	r := rulesOf(t, "# comment\n\n*\tallow,ANY=1\n192.0.2\tdeny\n192.0.2.10\tallow,A,B=\"x,y\", C = 1 \n10\tFOO\n"+
		":2001:0db8\tdeny\n:2001:0db8:0000:0000:0000:0000:0000:0001\tallow\n198.51.100.0/25\tdeny\n198.51.100.5\tallow\n"+
		"203.0.113.7-203.0.113.12\tdeny\n2001:db8:1::/48\tallow,NET=1\n192.0.2.10.143\tdeny\n*.993\tallow,TLS=1\n")
	for address, want := range map[string]string{
		"192.0.2.1": "deny", "192.0.2.10": "allow,A=,B=x,y,C = 1", "10.1.2.3": "allow,FOO=", "::ffff:192.0.2.3": "deny",
		"8.8.8.8": "allow,ANY=1", "2001:db8::2": "deny", "2001:db8::1": "allow", "2001:db8:1::9": "allow,NET=1",
		"198.51.100.127": "deny", "198.51.100.128": "allow,ANY=1", "198.51.100.5": "allow",
		"203.0.113.6": "allow,ANY=1", "203.0.113.7": "deny", "203.0.113.12": "deny", "203.0.113.13": "allow,ANY=1",
	} {
		if got := r.remote(netip.MustParseAddr(address)).String(); got != want {
			t.Errorf("%s: %s, want %s", address, got, want)
		}
	}
	for ap, want := range map[string]string{
		"192.0.2.10:143": "deny", "192.0.2.10:110": "allow,A=,B=x,y,C = 1", "9.9.9.9:993": "allow,TLS=1", "9.9.9.9:143": "allow,ANY=1",
	} {
		if got := r.local(netip.MustParseAddrPort(ap)).String(); got != want {
			t.Errorf("local %s: %s, want %s", ap, got, want)
		}
	}
	if got := newRules().remote(netip.MustParseAddr("192.0.2.1")).String(); got != "allow" {
		t.Errorf("without rules: %s", got)
	}
}

// What is no rule is told with its line, and takes nothing else with it.
func TestAccessMistakes(t *testing.T) {
	r := newRules()
	var got []string
	for _, n := range r.parse("f", []byte("192.0.2.1 deny\n300.1\tdeny\n1.2.3.4.5.6\tdeny\n:xyz\tdeny\n10.0.0.0/99\tdeny\n5.5.5.5-4.4.4.4\tdeny\n10\tdeny\n")) {
		got = append(got, n.Error()[:4])
	}
	if d := cmp.Diff([]string{"f:1:", "f:2:", "f:3:", "f:4:", "f:5:", "f:6:"}, got); d != "" {
		t.Error(d)
	}
	if !r.remote(netip.MustParseAddr("10.9.9.9")).deny {
		t.Error("the last line does not count")
	}
}

func TestAccessFiles(t *testing.T) {
	dir := t.TempDir()
	put := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	text := put("rules", "10\tdeny\n")
	gdbm := put("rules.dat", "\xcf\x9a\x57\x13\x00\x10")
	if _, read, _, err := readAccess(gdbm); err != nil || read != text {
		t.Errorf("for %s is read %q, %v", gdbm, read, err)
	}
	if _, _, _, err := readAccess(put("alone.dat", "\xce\x9a\x57\x13\x00\x10")); err == nil || !strings.Contains(err.Error(), "compiled database") {
		t.Errorf("a database without its source: %v", err)
	}
	if _, _, _, err := readAccess(put("bdb", strings.Repeat("\x00", 12)+"\x61\x15\x06\x00")); err == nil || !strings.Contains(err.Error(), "compiled database") {
		t.Errorf("Berkeley DB: %v", err)
	}
	put("d/a", "10\tdeny\n")
	put("d/b~", "11\tdeny\n")
	put("d/c", "12\tdeny\n")
	put("d/c.dist", "13\tdeny\n")
	r, _, _, err := readAccess(filepath.Join(dir, "d"))
	if err != nil {
		t.Fatal(err)
	}
	for address, want := range map[string]bool{"10.1.1.1": true, "11.1.1.1": false, "12.1.1.1": true, "13.1.1.1": false} {
		if r.remote(netip.MustParseAddr(address)).deny != want {
			t.Errorf("%s: denied is %v", address, !want)
		}
	}
	put("d/e.dpkg-old", "")
	if _, _, _, err := readAccess(filepath.Join(dir, "d")); err == nil {
		t.Error("what a package manager left is read")
	}
}

func FuzzAccess(f *testing.F) {
	f.Add("192.0.2\tdeny\n*\tallow,A='x,y\n", "192.0.2.1")
	f.Add(":2001:0db8\tdeny\n1.2.3.4-1.2.9.4\tallow\n10.0.0.0/7\tdeny", "::1")
	f.Fuzz(func(t *testing.T, text, address string) {
		r := newRules()
		r.parse("f", []byte(text))
		a, err := netip.ParseAddr(address)
		if err != nil {
			return
		}
		for _, v := range []verdict{r.remote(a), r.local(netip.AddrPortFrom(a, 143))} {
			for _, s := range v.set {
				if s.name == "" || strings.ContainsAny(s.name+s.value, "\x00\n") || v.deny {
					t.Fatalf("%q gives %+v", text, v)
				}
			}
		}
	})
}
