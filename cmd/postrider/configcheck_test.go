package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"postrider/config"
)

// TestCheckCertificates: each thing that can be wrong with a certificate is told at the
// setting that names it.
func TestCheckCertificates(t *testing.T) {
	dir := t.TempDir()
	now := time.Now()
	path := func(name string) string { return filepath.Join(dir, name) }
	for _, name := range []string{"a", "b"} {
		if err := makeCertificate(path(name+".pem"), path(name+".key"), now); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{"empty.pem": "", "no.pem": "not PEM\n"} {
		if err := os.WriteFile(path(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	own := []string{"TLS_CERTFILE=" + path("a.pem"), "TLS_PRIVATE_KEYFILE=" + path("a.key")}
	for _, c := range []struct {
		what     string
		settings []string
		later    time.Duration
		want     string // "": no mistake
		note     string
	}{
		{"good", own, 0, "", ""},
		{"ended", own, 2 * 366 * 24 * time.Hour, "TLS_CERTFILE: the certificate in " + path("a.pem") + " ended on", ""},
		{"to come", own, -48 * time.Hour, "TLS_CERTFILE: the certificate in " + path("a.pem") + " begins on", ""},
		{"soon to end", own, 363 * 24 * time.Hour, "", "TLS_CERTFILE: the certificate in " + path("a.pem") + " ends on"},
		{"another's key", []string{own[0], "TLS_PRIVATE_KEYFILE=" + path("b.key")}, 0, "TLS_CERTFILE: reading certificate " + path("a.pem") + " with key " + path("b.key"), ""},
		{"no key", []string{own[0]}, 0, "TLS_CERTFILE: reading certificate", ""},
		{"key missing", []string{own[0], "TLS_PRIVATE_KEYFILE=" + path("none.key")}, 0, "TLS_PRIVATE_KEYFILE: reading certificate", ""},
		{"certificate missing", []string{"TLS_CERTFILE=" + path("none.pem")}, 0, "TLS_CERTFILE: reading certificate", ""},
		{"missing, by ACME", []string{"TLS_CERTFILE=" + path("none.pem"), "ACME_NAMES=mail.example.org"}, 0, "", "TLS_CERTFILE: " + path("none.pem") + " is not there yet"},
		{"empty", []string{"TLS_CERTFILE=" + path("empty.pem")}, 0, "TLS_CERTFILE: reading certificate", ""},
		{"nobody trusted", append(own, "TLS_VERIFYPEER=PEER"), 0, "TLS_TRUSTCERTS: TLS_VERIFYPEER asks", ""},
		{"trust is none", append(own, "TLS_VERIFYPEER=PEER", "TLS_TRUSTCERTS="+path("no.pem")), 0, "TLS_TRUSTCERTS: ", ""},
		{"trust is none, unused", append(own, "TLS_TRUSTCERTS="+path("no.pem")), 0, "", "TLS_TRUSTCERTS: "},
		{"trusted", append(own, "TLS_VERIFYPEER=PEER", "TLS_TRUSTCERTS="+path("b.pem"), "TLS_EXTERNAL=emailaddress"), 0, "", ""},
		{"external, not asked", append(own, "TLS_EXTERNAL=emailaddress"), 0, "TLS_EXTERNAL: clients are asked for no certificate", ""},
		{"external, all the world", append(own, "TLS_EXTERNAL=emailaddress", "TLS_VERIFYPEER=PEER", "TLS_TRUSTCERTS=/etc/ssl/certs"), 0, "TLS_EXTERNAL: ", ""},
		{"port without certificate", []string{"SSLPORT=993"}, 0, "", "SSLPORT: nothing listens there"},
		{"nothing to listen on", []string{"PORT="}, 0, "PORT: nothing to listen on", ""},
	} {
		loaded, err := config.Load(config.Options{Environment: c.settings})
		if err != nil {
			t.Fatal(err)
		}
		k := &settingsCheck{loaded: loaded}
		k.certificate(now.Add(c.later))
		for _, got := range []struct {
			kind string
			all  []config.Mistake
			want string
		}{{"mistakes", k.mistakes, c.want}, {"notes", k.notes, c.note}} {
			switch {
			case got.want == "" && len(got.all) > 0:
				t.Errorf("%s: %s %v", c.what, got.kind, got.all)
			case got.want != "" && (len(got.all) != 1 || !strings.HasPrefix(got.all[0].Text, got.want) || got.all[0].File != "environment" && !loaded.IsDefault(strings.Split(got.want, ":")[0])):
				t.Errorf("%s: %s %v, want %q", c.what, got.kind, got.all, got.want)
			}
		}
	}
}

// TestCheckReadable: what the user of RUN_AS cannot read is told, with what stands in the
// way; a module that is not asked needs no file.
func TestCheckReadable(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "userdb")
	if err := os.WriteFile(file, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const stranger = 60001
	check := func(uid int, settings ...string) []config.Mistake {
		loaded, err := config.Load(config.Options{Environment: append(settings, "USERDB="+file)})
		if err != nil {
			t.Fatal(err)
		}
		k := &settingsCheck{loaded: loaded}
		k.readable(uid, uid)
		return k.mistakes
	}
	if got := check(os.Getuid()); len(got) > 0 {
		t.Errorf("its owner: %v", got)
	}
	if got := check(stranger); len(got) != 1 || !strings.HasPrefix(got[0].Text, "USERDB: ") || !strings.Contains(got[0].Text, dir) {
		t.Errorf("a stranger: %v", got)
	}
	if got := check(stranger, "authmodulelist=authpam"); len(got) > 0 {
		t.Errorf("a file that nobody reads: %v", got)
	}
	for _, open := range []string{filepath.Dir(dir), dir} {
		if err := os.Chmod(open, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if at, why := barred(dir, stranger, stranger); at != "" {
		t.Fatalf("other users must be able to enter the directory of TMPDIR: %s %s", at, why)
	}
	for mode, want := range map[os.FileMode]string{0o644: "", 0o640: file, 0o600: file, 0o004: ""} {
		if err := os.Chmod(file, mode); err != nil {
			t.Fatal(err)
		}
		if at, _ := barred(file, stranger, stranger); at != want {
			t.Errorf("%o: %q, want %q", mode, at, want)
		}
	}
	if err := os.Chmod(file, 0o040); err != nil {
		t.Fatal(err)
	}
	if at, why := barred(file, uint32(os.Getuid()), stranger); at != file || !strings.Contains(why, "0040") {
		t.Errorf("the owner's bits count for the owner alone: %q %q", at, why)
	}
	if at, _ := barred(filepath.Join(dir, "none"), stranger, stranger); at == filepath.Join(dir, "none") {
		t.Error("a file that is not there is told as one that cannot be read")
	}
}
