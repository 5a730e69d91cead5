package authdaemon

import (
	"bufio"
	"strings"
	"testing"

	"postrider/auth"
)

// FuzzRequest: whatever is sent, what comes of it is within its bounds, and says the
// same when it is sent as this package does.
func FuzzRequest(f *testing.F) {
	for _, s := range []string{
		"PRE . imap john\n", "PRE . imap with blank \n", "AUTH 23\nimap\nlogin\njohn\nsecret\n", "AUTH 11\nimap\nlogin\n", "ENUMERATE\n",
		"TCPREMOTEIP=::1\nAUTH 30\nimap\ncram-md5\nPGE+\nam9obiB4\n", "PASSWD imap\tjohn\told\tnew\n", "X=\nY=\n\n", "AUTH 99999999999\n",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, sent string) {
		q, err := readRequest(bufio.NewReaderSize(strings.NewReader(sent), maxLine+2))
		if err != nil {
			return
		}
		again := ""
		switch ask := q.ask.(type) {
		case lookup:
			bound(t, ask.service, ask.login)
			again = "PRE " + ask.module + " " + ask.service + " " + ask.login + "\n"
		case attempt:
			bound(t, ask.service, ask.login, ask.password)
			again = authRequest(ask.service, "login", ask.login, ask.password)
		case challenge:
			again = authRequest(ask.service, ask.kind, ask.challenge, ask.response)
		case change:
			bound(t, ask.service, ask.login, ask.old, ask.new)
			again = "PASSWD " + ask.service + "\t" + ask.login + "\t" + ask.old + "\t" + ask.new + "\n"
		case listing:
			again = "ENUMERATE\n"
		default:
			t.Fatalf("%q: neither a request nor an error", sent)
		}
		twice, err := readRequest(bufio.NewReaderSize(strings.NewReader(again), maxLine+2))
		if len(again) < maxData && (err != nil || twice.ask != q.ask) {
			t.Errorf("%q became %q: %v, %v", sent, again, twice.ask, err)
		}
	})
}

func bound(t *testing.T, texts ...string) {
	t.Helper()
	for _, s := range texts {
		if !isText(s, auth.MaxPassword) {
			t.Errorf("%q passed", s)
		}
	}
}

// FuzzRecord: a record that can be told is read back as it was.
func FuzzRecord(f *testing.F) {
	f.Add("john", "/home/john", "John Q", "Maildir", "a=1,b", "$1$x", "secret", 990, 990)
	f.Add("j\n", "/\x00", "=", ".", ",,", "\n.\n", "", -1, 0)
	f.Fuzz(func(t *testing.T, login, home, name, maildir, options, hash, clear string, uid, gid int) {
		id := &auth.Identity{Login: login, Home: home, Name: name, Maildir: maildir, Options: auth.ParseOptions(options),
			Hash: auth.NewSecret(hash), Clear: auth.NewSecret(clear), UID: uid % (1 << 31), GID: gid % (1 << 31)}
		b, err := appendRecord(nil, id)
		if err != nil {
			return
		}
		text, whole := strings.CutSuffix(string(b), "\n"+recordEnd)
		again, err := parseRecord(text)
		if !whole || err != nil {
			t.Fatalf("%q: %v", b, err)
		}
		if again.Login != id.Login || again.Home != id.Home || again.Name != id.Name || again.Maildir != id.Maildir || again.UID != id.UID || again.GID != id.GID ||
			again.Options.String() != id.Options.String() || again.Hash != id.Hash || again.Clear != id.Clear {
			t.Errorf("%+v became %+v", id, again)
		}
	})
}
