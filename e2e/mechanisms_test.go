package e2e_test

import (
	"context"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// setField sets a field of an account's record with the program userdb, its value read
// from what another program printed.
func (s *server) setField(t *testing.T, a account, field, value string) {
	t.Helper()
	set := exec.Command(binary, "userdb", "-f", filepath.Join(s.dir, "userdb"), a.user, "set", field)
	set.Stdin = strings.NewReader(value + "\n")
	if out, err := set.CombinedOutput(); err != nil {
		t.Fatalf("userdb: %v: %s", err, out)
	}
}

// userdbpw is what the program prints for the password of all tests.
func userdbpw(t *testing.T, option string) string {
	t.Helper()
	cmd := exec.Command(binary, "userdbpw", option)
	cmd.Stdin = strings.NewReader(password + "\n")
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// gsasl logs in with GNU SASL, and returns whether that succeeded.
func gsasl(t *testing.T, s *server, mechanism, user, secret string, more ...string) (bool, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	args := append([]string{"--imap", "--mechanism=" + mechanism, "--authentication-id=" + user, "--password=" + secret,
		"--x509-ca-file=" + filepath.Join(s.dir, "ca.pem"), "--connect=localhost:" + s.port}, more...)
	cmd := exec.CommandContext(ctx, "gsasl", args...)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) || ctx.Err() != nil {
		t.Fatalf("gsasl: %v\n%s", err, out)
	}
	return err == nil, string(out)
}

const allMechanisms = "'PLAIN LOGIN CRAM-MD5 CRAM-SHA1 CRAM-SHA256 SCRAM-SHA-1 SCRAM-SHA-256 SCRAM-SHA-1-PLUS SCRAM-SHA-256-PLUS EXTERNAL'"

// TestMechanisms: GNU SASL proves the password by every mechanism that it shares with
// the server, for accounts that keep it in each way; a wrong one and unknown users are
// refused.
func TestMechanisms(t *testing.T) {
	s := startServer(t, "AUTH_MECHANISMS="+allMechanisms, "AUTH_CHANNEL_BINDING=1")
	clear, keys, context := s.account(t), s.account(t), s.account(t)
	s.setField(t, clear, "systempw", "{PLAIN}"+password)
	s.setField(t, keys, "systempw", userdbpw(t, "-scram"))
	s.setField(t, context, "hmac-md5pw", userdbpw(t, "-hmac-md5"))
	for _, c := range []struct {
		mechanism string
		able      []account
		more      []string
		refusals  bool
	}{
		{"PLAIN", []account{clear, keys, context}, nil, false},
		{"LOGIN", []account{clear, keys, context}, nil, false},
		{"CRAM-MD5", []account{clear, context}, []string{"--no-starttls"}, true},
		{"SCRAM-SHA-1", []account{clear}, []string{"--no-starttls", "--no-cb"}, false},
		{"SCRAM-SHA-256", []account{clear, keys}, []string{"--no-starttls", "--no-cb"}, true},
		{"SCRAM-SHA-256-PLUS", []account{clear, keys}, nil, true},
		{"SCRAM-SHA-1-PLUS", []account{clear}, nil, false},
	} {
		for _, a := range c.able {
			if ok, out := gsasl(t, s, c.mechanism, a.user, password, c.more...); !ok {
				t.Errorf("%s, %s: %s", c.mechanism, a.user, out)
			}
		}
		if !c.refusals { // which the server makes slower and slower
			continue
		}
		if ok, out := gsasl(t, s, c.mechanism, c.able[0].user, "wrong", c.more...); ok || !strings.Contains(out, "[AUTHENTICATIONFAILED]") {
			t.Errorf("%s, wrong password: %s", c.mechanism, out)
		}
		if ok, out := gsasl(t, s, c.mechanism, "nobody", password, c.more...); ok || !strings.Contains(out, "[AUTHENTICATIONFAILED]") {
			t.Errorf("%s, unknown user: %s", c.mechanism, out)
		}
	}
	if ok, out := gsasl(t, s, "SCRAM-SHA-256", context.user, password, "--no-starttls", "--no-cb"); ok {
		t.Errorf("an account without keys: %s", out)
	}
}

// TestMechanismsOfMbsync: a mail program of another SASL library (Cyrus's).
func TestMechanismsOfMbsync(t *testing.T) {
	s := startServer(t, "AUTH_MECHANISMS="+allMechanisms)
	for _, mechanism := range []string{"CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256"} {
		a, dir := s.account(t), t.TempDir()
		s.setField(t, a, "systempw", "{PLAIN}"+password)
		config := fmt.Sprintf("IMAPAccount postrider\nHost localhost\nPort %s\nUser %s\nPass %s\nSSLType None\nAuthMechs %s\n", s.port, a.user, password, mechanism)
		mbsyncConfig(t, dir, config)
		if err := a.deliver("INBOX", "Subject: "+mechanism+"\n\nx\n"); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command("mbsync", "-c", filepath.Join(dir, ".mbsyncrc"), "-a").CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v: %s", mechanism, err, out)
		}
		if found, err := filepath.Glob(filepath.Join(dir, "near/INBOX/*/*,*")); err != nil || len(found) != 1 {
			t.Errorf("%s: fetched %v, %v", mechanism, found, err)
		}
	}
}

// TestExternal: curl comes in by its certificate; one of another authority, one for
// nobody, and one without the field do not.
func TestExternal(t *testing.T) {
	dir := publicDir(t)
	ours, theirs := newAuthority(t, dir, "clients"), newAuthority(t, dir, "others")
	s := startServer(t, "TLS_VERIFYPEER=PEER", "TLS_TRUSTCERTS="+ours.file, "TLS_EXTERNAL=emailaddress")
	a := s.account(t)
	for _, c := range []struct {
		what, file string
		ok         bool
	}{
		{"right", ours.client(t, dir, "right", a.user), true},
		{"nobody", ours.client(t, dir, "nobody", "nobody@example.com"), false},
		{"no field", ours.client(t, dir, "bare", ""), false},
		{"another authority", theirs.client(t, dir, "theirs", a.user), false},
		{"none", "", false},
	} {
		args := []string{"-sS", "--cacert", filepath.Join(s.dir, "ca.pem"), "--login-options", "AUTH=EXTERNAL", "-u", a.user + ":", "imaps://localhost:" + s.tlsPort + "/"}
		if c.file != "" {
			args = append([]string{"--cert", c.file}, args...)
		}
		out, err := exec.Command("curl", args...).CombinedOutput()
		if (err == nil) != c.ok || c.ok != strings.Contains(string(out), "INBOX") {
			t.Errorf("%s: %v: %s", c.what, err, out)
		}
	}
	if !strings.Contains(s.log.String(), "method=EXTERNAL") {
		t.Errorf("EXTERNAL was not used: %s", s.log)
	}
}

// client writes a certificate for an address, with its key, into a file.
func (a *authority) client(t *testing.T, dir, name, address string) string {
	t.Helper()
	subject := pkix.Name{CommonName: name}
	if address != "" {
		subject.ExtraNames = []pkix.AttributeTypeAndValue{{Type: []int{1, 2, 840, 113549, 1, 9, 1}, Value: address}}
	}
	return certificateFile(t, filepath.Join(dir, name+".pem"), a.sign(t, subject))
}
