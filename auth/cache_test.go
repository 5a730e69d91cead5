package auth_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"postrider/auth"
	"postrider/auth/conformance"
	"postrider/auth/password"
	"postrider/auth/static"
)

func TestCacheConforms(t *testing.T) {
	conformance.Test(t, func(*testing.T) conformance.Fixture {
		v := password.NewVerifier(password.Limits{})
		id := person
		id.Login = "demo"
		return conformance.Fixture{Backend: auth.NewCache(static.New(v, static.Account{Identity: id, Stored: "{PLAIN}secret"}), time.Minute), Login: "demo", Password: "secret", Checks: v.Checks}
	})
}

// changing is a backend with one account whose password can be changed, by itself or
// behind its back.
type changing struct {
	password string
	asked    int
	err      error
}

func (c *changing) Authenticate(_ context.Context, r auth.Request, password string) (*auth.Identity, error) {
	c.asked++
	if c.err != nil {
		return nil, c.err
	}
	if password != c.password {
		return nil, auth.ErrRejected
	}
	return &auth.Identity{Login: r.Login, UID: 1, GID: 1, Home: "/h", Clear: auth.NewSecret(password), Options: auth.ParseOptions("a=1")}, nil
}

func (c *changing) Lookup(context.Context, auth.Request) (*auth.Identity, error) {
	return nil, auth.ErrRejected
}

func (c *changing) ChangePassword(_ context.Context, _ auth.Request, old, new string) error {
	if old != c.password {
		return auth.ErrRejected
	}
	c.password = new
	return nil
}

func TestCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &changing{password: "one"}
		c := auth.NewCache(b, time.Minute)
		imap := auth.Request{Login: "x", Service: "imap"}
		try := func(r auth.Request, password string, want error, asked int) {
			t.Helper()
			before := b.asked
			id, err := c.Authenticate(t.Context(), r, password)
			if !errors.Is(err, want) || b.asked-before != asked {
				t.Errorf("%q: %v, asked %d times", password, err, b.asked-before)
			}
			if err == nil && (id.Clear.Reveal() != password || id.Home != "/h" || id.Options.Int("a") != 1) {
				t.Errorf("got %+v", id)
			}
		}
		try(imap, "one", nil, 1)
		try(imap, "one", nil, 0)
		try(imap, "two", auth.ErrRejected, 1)
		try(imap, "two", auth.ErrRejected, 1)
		try(imap, "one", nil, 0)
		try(auth.Request{Login: "x", Service: "pop3"}, "one", nil, 1)
		try(auth.Request{Login: "y", Service: "imap"}, "one", nil, 1)

		b.err = auth.ErrTemporary
		try(imap, "one", nil, 0)
		try(imap, "two", auth.ErrTemporary, 1)
		b.err = nil

		b.password = "two" // behind its back
		time.Sleep(59 * time.Second)
		try(imap, "one", nil, 0)
		try(imap, "two", nil, 1)
		try(imap, "one", auth.ErrRejected, 1)
		time.Sleep(time.Minute)
		try(imap, "two", nil, 1)

		if err := c.ChangePassword(t.Context(), imap, "two", "three"); err != nil {
			t.Fatal(err)
		}
		try(imap, "two", auth.ErrRejected, 1)
		try(imap, "three", nil, 1)
	})
}

// TestCacheIsBounded: any number of accounts takes bounded memory, and each is still
// judged right.
func TestCacheIsBounded(t *testing.T) {
	b := &changing{password: "one"}
	c := auth.NewCache(b, time.Hour)
	for i := range 40_000 {
		if _, err := c.Authenticate(t.Context(), auth.Request{Login: fmt.Sprint(i)}, "one"); err != nil {
			t.Fatal(err)
		}
	}
	if n := c.Len(); n > 1<<14 {
		t.Errorf("%d are remembered", n)
	}
}
