package config

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseAssignments(t *testing.T) {
	for _, c := range []struct{ text, want, mistake string }{
		{"A=1\nB=2", "A=1 B=2", ""},
		{"##VERSION: $Id$\n##NAME: A:1\n# A=9\nA=1 # why", "A=1", ""},
		{`A="x y" B='$A "q"'`, `A=x y B=$A "q"`, ""},
		{"A=x\nB=\"$A ${A}z\"\nC=$A$NOPE", "A=x B=x xz C=x", ""},
		{`A="a\"b\\c\$d\e"`, `A=a"b\c$d\e`, ""},
		{`A=a\ b`, "A=a b", ""},
		{"A=\"two\nlines\"", "A=two\nlines", ""},
		{"A=1; B=2 ;C=", "A=1 B=2 C=", ""},
		{"export A=1\r\nB=2\r\n", "A=1 B=2", ""},
		{"A=a'b'\"c\"d#e", "A=abcd#e", ""},
		{"A=$5", "A=$5", ""},
		{"A=\"never\nB=1", "", `f:1: A: the " opened on line 1 is never closed`},
		{"A=1\nif [ x ]\nB=2", "A=1 B=2", `f:2: not an assignment: "if [ x ]"`},
		{"A=`id`\nB=2", "B=2", "f:1: A: "},
		{"A=\"$(id)\"\nB=2", "B=2", "f:1: A: a command"},
		{"A=${B:-x}\nB=2", "B=2", "f:1: A: only ${NAME}"},
		{"A=two words\nB=2", "B=2", "f:1: A: a value with blanks"},
	} {
		got, mistakes := parseAssignments("f", c.text, nil)
		var words []string
		for _, a := range got {
			words = append(words, a.Name+"="+a.Value)
		}
		if s := strings.Join(words, " "); !strings.HasPrefix(s, c.want) || c.mistake == "" && s != c.want {
			t.Errorf("%q: got %q, want %q", c.text, s, c.want)
		}
		if err := join(mistakes); c.mistake == "" && err != nil || c.mistake != "" && (err == nil || !strings.Contains(err.Error(), c.mistake)) {
			t.Errorf("%q: mistakes %v, want %q", c.text, err, c.mistake)
		}
	}
}

func FuzzParseAssignments(f *testing.F) {
	f.Add("A=1\nB=\"$A ${A}\" # x\n")
	f.Add("A='\nB=`")
	f.Fuzz(func(t *testing.T, text string) {
		got, _ := parseAssignments("f", text, nil)
		// What was read, printed and read again is the same.
		var b strings.Builder
		for _, a := range got {
			b.WriteString(a.Name + "=" + quote(a.Value) + "\n")
		}
		again, mistakes := parseAssignments("f", b.String(), nil)
		if len(mistakes) > 0 || len(again) != len(got) {
			t.Fatalf("%q: reads back as %v, %v", b.String(), again, mistakes)
		}
		for i := range got {
			if got[i].Name != again[i].Name || got[i].Value != again[i].Value {
				t.Fatalf("%v became %v", got[i], again[i])
			}
		}
	})
}

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestDefaults(t *testing.T) {
	l, err := Load(Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := Config{
		Listen: []string{":143"}, ListenTLS: []string{":993"}, MaxConnections: 10000, MaxPerAddress: 50,
		MinTLS: tls.VersionTLS12, ALPN: []string{"imap"}, VerifyPeer: "NONE", StartTLS: true, Modules: []string{"authuserdb"}, AuthDir: "/etc/postrider",
		LDAPRequireCert: "demand", OAuth: OAuth{Audience: []string{}, Claim: "email"}, ACME: ACME{Names: []string{}, Dir: "/var/lib/postrider/acme", Address: ":80"}, Userdb: "/etc/postrider/userdb",
		PasswdFile: "/etc/passwd", ShadowFile: "/etc/shadow", PAMHelper: "/usr/local/libexec/postrider-pam", AuthpipeProgram: "/etc/postrider/authProg", AuthProcesses: 5,
		Maildir:  "Maildir",
		Encoding: "auto", HideWords: nil, CheckOwner: true, Umask: 0o077, Fsync: true, AppendLimit: 100 << 20,
		CourierUIDDB: "follow", UseLocks: true,
		AuthdaemonDir: "/run/courier/authdaemon", TimeoutConnect: 10 * time.Second, TimeoutWrite: 10 * time.Second, TimeoutRead: 30 * time.Second,
		LoggerOptions: []string{}, ServeSockets: []string{}, DovecotSockets: []string{}, DovecotMode: 0o660,
		TrashFolder: "Trash", Sendmail: "/usr/sbin/sendmail", SenderHeader: "X-IMAP-Sender",
		ProcessModel: "auto", FrontUser: "nobody", FrontDir: "/run/postrider/empty", WorkerLinger: time.Minute,
		EnhancedIdle: true, PollInterval: time.Minute, LoginTimeout: time.Minute, IdleTimeout: 30 * time.Minute,
		DrainTimeout: 10 * time.Second, LockTimeout: 30 * time.Second, LogFormat: "text", LogLevel: "info",
	}
	if d := cmp.Diff(want, l.Config); d != "" {
		t.Error(d)
	}
}

func TestCourierFiles(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "imapd", "##VERSION: x\nADDRESS=127.0.0.1\nPORT=1143,192.0.2.1.900\nMAXPERIP=20\nIMAP_CAPABILITY=\"IMAP4rev1 idle\"\nIMAP_KEYWORDS=1\nNO_SUCH=1\nSSLPORT=1\n")
	write(t, dir, "imapd-ssl", "SSLPORT=993\nTLS_PROTOCOL=TLSv1.3++\nIMAPDSTARTTLS=no\nTLS_CERTFILE=/etc/courier/imapd.pem\n")
	l, err := Load(Options{CourierDir: dir, Environment: []string{"MAXPERIP=7", "PATH=/bin", "MAXPERIP=9"}})
	if err != nil {
		t.Fatal(err)
	}
	c := l.Config
	if d := cmp.Diff([]string{"127.0.0.1:1143", "192.0.2.1:900"}, c.Listen); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"IMAP4REV1", "IDLE"}, c.OnlyWords); d != "" {
		t.Error(d)
	}
	if c.MaxPerAddress != 9 || c.MaxConnections != 40 || !c.CourierNames || c.MinTLS != tls.VersionTLS13 || c.StartTLS || c.Umask != 0o022 || c.ListenTLS[0] != ":993" {
		t.Errorf("%+v", c)
	}
	var notes []string
	for _, n := range l.Notes {
		notes = append(notes, n.String())
	}
	want := []string{filepath.Join(dir, "imapd") + ":6: IMAP_KEYWORDS: keywords are always kept", filepath.Join(dir, "imapd") + ":7: NO_SUCH: no setting of this name is known; it is passed over"}
	if d := cmp.Diff(want, notes); d != "" {
		t.Error(d)
	}
	if got := l.source("MAXPERIP") + " " + l.source("SSLPORT"); got != "environment "+filepath.Join(dir, "imapd-ssl")+":1" {
		t.Errorf("sources %s", got)
	}
}

func TestMistakesNameFileAndLine(t *testing.T) {
	file := write(t, t.TempDir(), "postrider.conf", "MAXPERIP=many\nPORT=x.143\nIMAPDSTARTTLS=\nIMAP_UMASK=9\nIMAP_APPENDLIMIT=9G\nIMAP_NAMESPACE=x\nTLS_PROTOCOL=SSL3\nADDRESS=here\nLOG_LEVEL=loud\nIMAP_FSYNC=yes\nLOGIN_TIMEOUT=0\n")
	_, err := Load(Options{File: file})
	if err == nil {
		t.Fatal("no mistakes")
	}
	for _, want := range []string{":1: MAXPERIP: ", ":2: PORT: ", ":3: IMAPDSTARTTLS: ", ":4: IMAP_UMASK: ", ":5: IMAP_APPENDLIMIT: ", ":6: IMAP_NAMESPACE: ", ":7: TLS_PROTOCOL: ", ":8: ADDRESS: ", ":9: LOG_LEVEL: ", ":10: IMAP_FSYNC: ", ":11: LOGIN_TIMEOUT: "} {
		if !strings.Contains(err.Error(), file+want) {
			t.Errorf("no mistake with %q in:\n%v", want, err)
		}
	}
}

func TestMissingFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "nowhere.conf")
	if _, err := Load(Options{File: file}); err == nil {
		t.Error("a file that was asked for may not be missing")
	}
	if _, err := Load(Options{File: file, FileMissing: true}); err != nil {
		t.Error(err)
	}
}

// TestPrintReadsBack: what "postrider config" prints is a settings file.
func TestPrintReadsBack(t *testing.T) {
	l, err := Load(Options{Environment: []string{"MAILDIRPATH=it's here", "MAXPERIP=3"}})
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := l.Print(&b, false); err != nil {
		t.Fatal(err)
	}
	again, err := Load(Options{File: write(t, t.TempDir(), "postrider.conf", b.String())})
	if err != nil {
		t.Fatal(err)
	}
	again.Config.AuthDir = l.Config.AuthDir // where the file lies
	if d := cmp.Diff(l.Config, again.Config); d != "" {
		t.Error(d)
	}
}

// TestDocumented: docs/configuration.md holds the table as the code has it.
func TestDocumented(t *testing.T) {
	const file = "../docs/configuration.md"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), Markdown()) {
		t.Errorf("%s lacks this table:\n%s", file, Markdown())
	}
}

// What couriertcpd is started with comes before the settings that the scripts make its
// other options of; the environment's comes before the files'.
func TestTCPDOptions(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "imapd", "MAXPERIP=20\nMAXDAEMONS=40\nIMAPACCESSFILE=/etc/courier/imapaccess\nTCPDOPTS=\"-nodnslookup -noidentlookup -maxperc=9 -maxprocs=70 -drop=BLOCK\"\n")
	l, err := Load(Options{CourierDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	c := l.Config
	if c.MaxPerAddress != 20 || c.MaxPerNetwork != 9 || c.MaxConnections != 70 || c.AccessFile != "/etc/courier/imapaccess" || c.Proxied {
		t.Errorf("%+v", c)
	}
	if d := cmp.Diff([]string{"-drop=BLOCK"}, c.TCPDOthers); d != "" {
		t.Error(d)
	}
	l, err = Load(Options{CourierDir: dir, Environment: []string{"TCPDOPTS=-maxperip=3 -access=/x -haproxy=2"}})
	if c := l.Config; err != nil || c.MaxPerAddress != 3 || c.MaxConnections != 40 || c.AccessFile != "/x" || !c.Proxied || c.TCPDOthers != nil {
		t.Errorf("%v %+v", err, c)
	}
	for _, text := range []string{"-maxperip=many", "-maxprocs=-1", "maxperc=3"} {
		if _, err := Load(Options{Environment: []string{"TCPDOPTS=" + text}}); err == nil || !strings.Contains(err.Error(), "TCPDOPTS") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// AUTH= words of both settings count, and only those.
func TestAuthWords(t *testing.T) {
	l, err := Load(Options{Environment: []string{"IMAP_CAPABILITY=IMAP4rev1 auth=cram-md5", "IMAP_CAPABILITY_TLS=IMAP4rev1 IDLE AUTH=PLAIN"}})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"CRAM-MD5", "PLAIN"}, l.Config.AuthWords); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"IMAP4REV1", "AUTH=CRAM-MD5"}, l.Config.OnlyWords); d != "" {
		t.Error(d)
	}
}

// A service has a name for every port.
func TestAuthServiceNotes(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "imapd", "AUTHSERVICE1143=imap2\nAUTHSERVICEX=imap\n")
	l, err := Load(Options{CourierDir: dir})
	if err != nil || len(l.Notes) != 2 || !strings.Contains(l.Notes[0].Text, "imaplogin obeys") || !strings.Contains(l.Notes[1].Text, "no setting of this name") {
		t.Errorf("%v %v", err, l.Notes)
	}
}

// IMAP_ENHANCEDIDLE=0 counts where somebody chose it, not in Courier's files, which were
// shipped with it.
func TestEnhancedIdle(t *testing.T) {
	dir := t.TempDir()
	own := write(t, dir, "postrider.conf", "IMAP_ENHANCEDIDLE=0\n")
	write(t, dir, "imapd", "PORT=143\nIMAP_ENHANCEDIDLE=0\n")
	none := write(t, dir, "none.conf", "")
	for name, c := range map[string]struct {
		o        Options
		enhanced bool
		noted    bool
	}{
		"unset":                       {Options{File: none}, true, false},
		"0 in our own file":           {Options{File: own}, false, false},
		"0 in Courier's":              {Options{CourierDir: dir}, true, true},
		"0 in the environment":        {Options{File: none, Environment: []string{"IMAP_ENHANCEDIDLE=0"}}, false, false},
		"0 in both":                   {Options{CourierDir: dir, Environment: []string{"IMAP_ENHANCEDIDLE=0"}}, false, true},
		"1 in the environment counts": {Options{File: own, Environment: []string{"IMAP_ENHANCEDIDLE=1"}}, true, false},
	} {
		l, err := Load(c.o)
		if err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		if err := l.Print(&out, true); err != nil {
			t.Fatal(err)
		}
		if l.Config.EnhancedIdle != c.enhanced || (len(l.Notes) > 0) != c.noted {
			t.Errorf("%s: enhanced %v, notes %v", name, l.Config.EnhancedIdle, l.Notes)
		}
		if shown := strings.Contains(out.String(), "# note: 0 is what Courier shipped"); shown != (c.noted && c.enhanced) {
			t.Errorf("%s: the note is shown: %v", name, shown)
		}
	}
}

func TestEmptyTrash(t *testing.T) {
	for text, want := range map[string][]Purge{
		"":                     nil,
		"7":                    {{"", 7}},
		"Trash:7":              {{"Trash", 7}},
		"Trash:0, Sent.Old:30": {{"Trash", 1}, {"Sent.Old", 30}},
	} {
		l, err := Load(Options{Environment: []string{"IMAP_EMPTYTRASH=" + text}})
		if d := cmp.Diff(want, l.Config.EmptyTrash); d != "" || err != nil {
			t.Errorf("%q: %v, %s", text, err, d)
		}
	}
	for _, text := range []string{"Trash", "Trash:week", ":7", "Trash:-1"} {
		if _, err := Load(Options{Environment: []string{"IMAP_EMPTYTRASH=" + text}}); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}
