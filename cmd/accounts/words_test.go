package accounts_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"postrider/auth"
	"postrider/cmd/accounts"
	"postrider/config"
)

// TestCourierWords: Courier's file as it is shipped, and as its comments show it, offers
// what it announced and what came later; AUTH_MECHANISMS comes before it.
func TestCourierWords(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("userdb", "ann\tuid=1000|gid=1000|home=/srv/ann|systempw={PLAIN}secret\n")
	const shipped = "IMAP_CAPABILITY=\"IMAP4rev1 UIDPLUS CHILDREN NAMESPACE THREAD=ORDEREDSUBJECT THREAD=REFERENCES SORT QUOTA IDLE\"\n" +
		"IMAP_CAPABILITY_TLS=\"$IMAP_CAPABILITY AUTH=PLAIN\"\n"
	for _, c := range []struct{ text, environment, want string }{
		{"", "", "SCRAM-SHA-256 SCRAM-SHA-1 CRAM-SHA256 CRAM-SHA1 CRAM-MD5 PLAIN LOGIN"},
		{shipped, "", "SCRAM-SHA-256 SCRAM-SHA-1 PLAIN"},
		{"IMAP_CAPABILITY=\"IMAP4rev1 AUTH=CRAM-MD5 AUTH=CRAM-SHA1\"\n", "", "SCRAM-SHA-256 SCRAM-SHA-1 CRAM-SHA1 CRAM-MD5"},
		{shipped, "AUTH_MECHANISMS=LOGIN CRAM-MD5", "CRAM-MD5 LOGIN"},
	} {
		write("imapd", c.text)
		l, err := config.Load(config.Options{CourierDir: dir, Environment: []string{"USERDB=" + filepath.Join(dir, "userdb"), c.environment}})
		if err != nil {
			t.Fatal(err)
		}
		backend, err := accounts.Open(&l.Config, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, m := range auth.MechanismsFor(backend, auth.Request{TLS: true}) {
			got = append(got, m.Name)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%q %q: %s, want %s", c.text, c.environment, got, c.want)
		}
	}
}
