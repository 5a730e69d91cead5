package conformance

import (
	"context"
	"errors"
	"testing"
	"time"

	"postrider/auth"
)

// locked: a locked account is refused as if it were not there, whatever the
// password.
func locked(t *testing.T, f Fixture) {
	if f.Locked == "" {
		return
	}
	for _, password := range []string{f.Password, "not" + f.Password, "*", "!", "x"} {
		if id, err := f.Backend.Authenticate(t.Context(), f.request(f.Locked), password); id != nil || !errors.Is(err, auth.ErrRejected) {
			t.Errorf("%q: got %v, %v", password, id, err)
		}
	}
}

// expired: that a password has expired is told to whom knows it, and to nobody else.
func expired(t *testing.T, f Fixture) {
	if f.Expired == "" {
		return
	}
	if id, err := f.Backend.Authenticate(t.Context(), f.request(f.Expired), f.Password); id != nil || !errors.Is(err, auth.ErrExpired) {
		t.Errorf("right password: %v, %v", id, err)
	}
	if id, err := f.Backend.Authenticate(t.Context(), f.request(f.Expired), "not"+f.Password); id != nil || !errors.Is(err, auth.ErrRejected) {
		t.Errorf("wrong password: %v, %v", id, err)
	}
}

// stalled: a source that does not answer is given up in time, and that is never a
// wrong password.
func stalled(t *testing.T, f Fixture) {
	if f.Stall == nil {
		return
	}
	f.Stall()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	start := time.Now()
	id, err := f.Backend.Authenticate(ctx, f.request(f.Login), f.Password)
	if id != nil || err == nil || errors.Is(err, auth.ErrRejected) {
		t.Errorf("got %v, %v", id, err)
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("given up after %v", took)
	}
	f.Resume()
	known(t, f)
}

// injection: what means something to a shell, a database, a directory, a line
// format or a file system means nothing in a login or a password, and harms nothing.
func injection(t *testing.T, f Fixture) {
	for _, text := range []string{
		"'", "\"", "`", "\\", "' OR ''='", "x'; DROP TABLE users; --", "\" OR 1=1 #", "/*", "--", ";", "$(id)", "`id`", "${HOME}", "|id", "&& id", "%s%n",
		"*", "*)(uid=*", ")(|(uid=*))", "(", "\\2a", "cn=admin", "../../../etc/passwd", "/etc/passwd", "..", ".", "-", "--help", "-f", "a:b", ":", "root:x:0:0",
		"a|b", "a=b", "uid=0|gid=0", "%", "_", "@", "a@b@c", "+", "~root", "\u202e", "\ufeff", "a\u0000b", "\xc0\xaf", "AUTH 5", "FAIL", ".",
		"{\"result\":\"accepted\"}", "{PLAIN}x", "$1$", "a\tb", "a\nb", "a\r\nb", "\x1b[2J",
	} {
		for _, c := range []struct{ login, password string }{{text, f.Password}, {f.Login + text, f.Password}, {text + f.Login, f.Password}, {f.Login, text}, {text, text}} {
			id, err := f.Backend.Authenticate(t.Context(), f.request(c.login), c.password)
			if id != nil || !errors.Is(err, auth.ErrRejected) {
				t.Errorf("%q with %q: got %v, %v", c.login, c.password, id, err)
			}
		}
	}
	known(t, f)
}
