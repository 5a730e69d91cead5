package dovecot

import (
	"bufio"
	"strings"
	"testing"

	"postrider/sasl"
)

// FuzzOpening: whatever a line says, what comes of it is within its bounds.
func FuzzOpening(f *testing.F) {
	for _, s := range []string{"1\tPLAIN\tservice=smtp\tnologin\tlip=192.0.2.1\trip=2001:db8::1\trport=5\tsecured\tresp=AGEAYg==", "x", "1\tLOGIN\tservice=\x01t", "4294967295\tA\tservice=imap"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, sent string) {
		line, err := readLine(bufio.NewReader(strings.NewReader(sent + "\n")))
		if err != nil {
			return
		}
		o, err := parseOpening(strings.Split(line, "\t"))
		if err != nil {
			return
		}
		if o.id == 0 || o.request.Service == "" || len(o.request.Service) > maxService || strings.ContainsAny(o.request.Service, "/|= \n") || len(o.initial) > sasl.MaxResponse {
			t.Errorf("%q became %+v", sent, o)
		}
	})
}

// FuzzEscape: what is escaped has nothing that a line is cut at, and comes back.
func FuzzEscape(f *testing.F) {
	f.Add("a\x00b\x01c\td\re\nf")
	f.Fuzz(func(t *testing.T, s string) {
		e := escape(s)
		if strings.ContainsAny(e, "\t\n\r\x00") || unescape(e) != s {
			t.Errorf("%q became %q and %q", s, e, unescape(e))
		}
	})
}
