package couriertcpd

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"postrider/cmd/daemon"
)

func TestOptions(t *testing.T) {
	o, err := parseOptions([]string{"-address=127.0.0.1", "-maxprocs=10", "-maxperip=3", "-access=/x", "-accesslocal", "-drop", "-pid=/p",
		"-denymsg=go=away", "-haproxy=5/port=143,/port=127.0.0.1.993", "-stderrlogger=l", "-stderrloggername=n", "-proxy", "-noidentlookup",
		"-nodnslookup", "-", "143,::1.993,0.pop3", "prog", "-arg"})
	if err != nil {
		t.Fatal(err)
	}
	var ports []string
	for _, e := range o.Ports {
		ports = append(ports, e.String())
	}
	if got := strings.Join(ports, " "); got != "127.0.0.1.143 ::1.993 *.110" {
		t.Errorf("ports %s", got)
	}
	if o.MaxPerNetwork != 10 || o.Warn != 8 || o.DenyMessage != "go=away" || o.Drop[0] != "BLOCK" || o.Program[1] != "-arg" || !o.NoIdent || !o.NoNames {
		t.Errorf("%+v", o)
	}
	if p := o.Ports[0].behind(o.Proxied); p == nil || p.time != 5*time.Second {
		t.Errorf("port 143 is behind %+v", p)
	}
	if p := (endpoint{netip.MustParseAddr("127.0.0.1"), 993}).behind(o.Proxied); p == nil || p.time != proxyTime {
		t.Errorf("127.0.0.1.993 is behind %+v", p)
	}
	if p := o.Ports[1].behind(o.Proxied); p != nil {
		t.Errorf("::1.993 is behind %+v", p)
	}
}

func TestOptionMistakes(t *testing.T) {
	for words, want := range map[string]string{
		"-stop":                "-pid argument is required.",
		"-maxprocs=0 1 x":      "no number from 1",
		"-maxperip=x 1 x":      "no number from 0",
		"-listen=0 1 x":        "no number from 1",
		"-address=foo 1 x":     "Invalid IP address: foo",
		"99999 x":              "Invalid port: 99999",
		"0 x":                  "Invalid port: 0",
		"143, x":               "Invalid port: ",
		"1.2.3.143 x":          "Invalid IP address: 1.2.3",
		"-haproxy=x 143 x":     "no number of seconds",
		"-haproxy=1/p=1 143 x": "port=[IP.]PORT",
		"-resolver=here 143 x": "no address of a name server",
		"-block= 143 x":        "no DNS zone",
	} {
		if _, err := parseOptions(strings.Fields(words)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", words, err, want)
		}
	}
	if _, err := parseOptions([]string{"143"}); !errors.Is(err, errUsage) {
		t.Errorf("without a program: %v", err)
	}
	var wrong *daemon.OptionError
	if _, err := parseOptions([]string{"-foo", "1", "x"}); !errors.Is(err, daemon.ErrUnknown) || !errors.As(err, &wrong) || wrong.Word != "-foo" {
		t.Errorf("-foo: %v", err)
	}
}

func FuzzPorts(f *testing.F) {
	f.Add("143,127.0.0.1.993,::1.110", "0")
	f.Add("0.1,*.65535", "::1")
	f.Fuzz(func(t *testing.T, list, address string) {
		if strings.ContainsFunc(list, func(r rune) bool { return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' }) {
			return // services are the system's affair
		}
		all, err := parsePorts(list, address)
		if err != nil {
			return
		}
		for _, e := range all {
			again, err := parsePort(e.String(), "")
			if err != nil || again != e || e.port == 0 {
				t.Fatalf("%q: %v reads back as %v, %v", list, e, again, err)
			}
		}
	})
}
