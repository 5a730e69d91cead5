package auth_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"

	"postrider/auth"
	"postrider/auth/conformance"
	"postrider/auth/password"
	"postrider/auth/static"

	"github.com/google/go-cmp/cmp"
)

// backend answers every request in one way, and remembers the last.
type backend struct {
	id    auth.Identity
	err   error
	asked []auth.Request
}

func (b *backend) Authenticate(_ context.Context, r auth.Request, _ string) (*auth.Identity, error) {
	return b.Lookup(context.Background(), r)
}

func (b *backend) Lookup(_ context.Context, r auth.Request) (*auth.Identity, error) {
	b.asked = append(b.asked, r)
	if b.err != nil {
		return nil, b.err
	}
	id := b.id
	id.Login = r.Login
	return &id, nil
}

var person = auth.Identity{UID: 1000, GID: 1000, Home: "/home/x"}

// TestGuardConforms: a guard and a chain are backends like any other.
func TestGuardConforms(t *testing.T) {
	conformance.Test(t, func(*testing.T) conformance.Fixture {
		v := password.NewVerifier(password.Limits{})
		id := person
		id.Login = "demo@example.com"
		chain := auth.Chain(static.New(v, static.Account{Identity: auth.Identity{Login: "other"}, Stored: "{PLAIN}x"}), static.New(v, static.Account{Identity: id, Stored: "{PLAIN}secret"}))
		return conformance.Fixture{Backend: auth.Guard{Backend: chain, DefaultDomain: "@example.com"}, Login: "demo", Password: "secret", Checks: v.Checks}
	})
}

func TestChain(t *testing.T) {
	down := errors.New("down")
	for _, c := range []struct {
		name  string
		first error
		want  error
		asked int // of the second
	}{
		{"first knows", nil, nil, 0},
		{"first rejects", auth.ErrRejected, nil, 1},
		{"first rejects with words", fmt.Errorf("no such user: %w", auth.ErrRejected), nil, 1},
		{"first cannot tell", auth.ErrTemporary, auth.ErrTemporary, 0},
		{"first is broken", down, down, 0},
		{"first has it expired", auth.ErrExpired, auth.ErrExpired, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			second := &backend{id: person}
			b := auth.Chain(&backend{id: person, err: c.first}, second)
			if _, err := b.Authenticate(t.Context(), auth.Request{Login: "x"}, "p"); !errors.Is(err, c.want) {
				t.Errorf("got %v", err)
			}
			if len(second.asked) != c.asked {
				t.Errorf("second asked %d times", len(second.asked))
			}
		})
	}
	if _, err := auth.Chain().Lookup(t.Context(), auth.Request{Login: "x"}); !errors.Is(err, auth.ErrRejected) {
		t.Errorf("empty chain: %v", err)
	}
}

func TestGuardName(t *testing.T) {
	for _, c := range []struct{ domain, separators, login, want string }{
		{"", "", "x", "x"},
		{"@example.com", "", "x", "x@example.com"},
		{"@example.com", "", "x@y", "x@y"},
		{"@example.com", "", "x%y", "x%y@example.com"},
		{"@example.com", "@%", "x%y", "x%y"},
		{"@example.com", "%", "x@y", "x@y@example.com"},
	} {
		b := &backend{id: person}
		g := auth.Guard{Backend: b, DefaultDomain: c.domain, Separators: c.separators}
		if id, err := g.Authenticate(t.Context(), auth.Request{Login: c.login}, "p"); err != nil || id.Login != c.want {
			t.Errorf("%+v: got %v, %v", c, id, err)
		}
	}
}

// TestGuardAsksNothingOdd: what cannot be a login or a password never reaches a
// backend.
func TestGuardAsksNothingOdd(t *testing.T) {
	b := &backend{id: person}
	g := auth.Guard{Backend: b}
	odd := []string{"", "\x00", "a\nb", "a\tb", "\x7f", "\x1f", strings.Repeat("x", auth.MaxPassword+1)}
	for _, s := range odd {
		_, err1 := g.Authenticate(t.Context(), auth.Request{Login: s}, "p")
		_, err2 := g.Authenticate(t.Context(), auth.Request{Login: "x"}, s)
		_, err3 := g.Lookup(t.Context(), auth.Request{Login: s})
		for _, err := range []error{err1, err2, err3} {
			if !errors.Is(err, auth.ErrRejected) {
				t.Errorf("%.10q: %v", s, err)
			}
		}
	}
	if len(b.asked) != 0 {
		t.Errorf("asked for %d", len(b.asked))
	}
	if _, err := g.Authenticate(t.Context(), auth.Request{Login: "grüße"}, "pä\xff"); err != nil {
		t.Error(err)
	}
}

func TestGuardVerdict(t *testing.T) {
	change := func(f func(*auth.Identity)) auth.Identity {
		id := person
		f(&id)
		return id
	}
	for _, c := range []struct {
		name string
		id   auth.Identity
		err  error
		tls  bool
		want error
	}{
		{"good", person, nil, false, nil},
		{"uid 0", change(func(id *auth.Identity) { id.UID = 0 }), nil, true, auth.ErrUnusable},
		{"gid 0", change(func(id *auth.Identity) { id.GID = 0 }), nil, true, auth.ErrUnusable},
		{"no uid", change(func(id *auth.Identity) { id.UID = auth.Unknown }), nil, true, auth.ErrUnusable},
		{"system user", change(func(id *auth.Identity) { id.UID, id.User = auth.Unknown, "ann" }), nil, true, nil},
		{"no home", change(func(id *auth.Identity) { id.Home = "" }), nil, true, auth.ErrUnusable},
		{"relative home", change(func(id *auth.Identity) { id.Home = "x" }), nil, true, auth.ErrUnusable},
		{"disabled", change(func(id *auth.Identity) { id.Options = auth.ParseOptions("disableimap=1") }), nil, true, auth.ErrDisabled},
		{"disabled otherwise", change(func(id *auth.Identity) { id.Options = auth.ParseOptions("disablepop3=1,disableimap=0") }), nil, true, nil},
		{"insecure", change(func(id *auth.Identity) { id.Options = auth.ParseOptions("disableinsecureimap") }), nil, false, auth.ErrInsecure},
		{"secure", change(func(id *auth.Identity) { id.Options = auth.ParseOptions("disableinsecureimap") }), nil, true, nil},
		{"by default", person, nil, true, nil},
		{"unknown error", person, io.ErrUnexpectedEOF, true, auth.ErrTemporary},
		{"given up", person, context.Canceled, true, context.Canceled},
		{"rejected", person, auth.ErrRejected, true, auth.ErrRejected},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := auth.Guard{Backend: &backend{id: c.id, err: c.err}}
			id, err := g.Authenticate(t.Context(), auth.Request{Login: "x", Service: "imap", TLS: c.tls}, "p")
			if !errors.Is(err, c.want) || (id == nil) != (err != nil) {
				t.Errorf("got %v, %v", id, err)
			}
		})
	}
	g := auth.Guard{Backend: &backend{id: person}, DefaultOptions: auth.ParseOptions("disableimap=1")}
	if _, err := g.Authenticate(t.Context(), auth.Request{Login: "x", Service: "imap"}, "p"); !errors.Is(err, auth.ErrDisabled) {
		t.Errorf("DEFAULTOPTIONS: %v", err)
	}
}

func TestOptions(t *testing.T) {
	o := auth.ParseOptions("a=1,,b,c=x=y,group=one,d=,group=two,n=-7x,t=True,y=yes,z=no,big=99999999999")
	if got := o.String(); got != "a=1,b,c=x=y,group=one,d=,group=two,n=-7x,t=True,y=yes,z=no,big=99999999999" {
		t.Error(got)
	}
	for name, want := range map[string]int{"a": 1, "b": 1, "c": 0, "d": 1, "n": -7, "t": 1, "y": 1, "z": 0, "A": 0, "missing": 0, "big": 1<<31 - 1} {
		if got := o.Int(name); got != want {
			t.Errorf("%s is %d, want %d", name, got, want)
		}
	}
	if v, found := o.Lookup("c"); v != "x=y" || !found {
		t.Error(v, found)
	}
	if diff := cmp.Diff([]string{"one", "two"}, o.All("group")); diff != "" {
		t.Error(diff)
	}
	short := auth.ParseOptions("a=1,b")
	if got := short.Merge(auth.ParseOptions("b=9,c=2,c=3")).String(); got != "a=1,b,c=2,c=3" || short.String() != "a=1,b" {
		t.Error(got, short)
	}
	if got := auth.Options(nil).Merge(o).String(); got != o.String() {
		t.Error(got)
	}
}

// TestSecret: no way of printing shows it.
func TestSecret(t *testing.T) {
	id := auth.Identity{Login: "x", Hash: auth.NewSecret("hidden"), Clear: auth.NewSecret("hidden")}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "id", id, "secret", id.Hash)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "id", &id, "secret", id.Hash)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		fmt.Fprintf(&log, verb+verb+verb, id, &id, id.Hash)
	}
	if err := json.NewEncoder(&log).Encode(id); err != nil {
		t.Fatal(err)
	}
	if s := log.String(); strings.Contains(s, "hidden") || strings.Contains(s, "68696464656e") || !strings.Contains(s, "[secret]") {
		t.Error(s)
	}
	if id.Hash.Reveal() != "hidden" || id.Hash.IsZero() || !(auth.Secret{}).IsZero() || (auth.Secret{}).String() != "" {
		t.Error("a secret is not what it was made of")
	}
}

func TestMechanisms(t *testing.T) {
	b := &backend{id: person}
	var names []string
	for _, m := range auth.Mechanisms(b) {
		names = append(names, m.Name)
		if !m.Clear {
			t.Errorf("%s is not marked as clear", m.Name)
		}
	}
	if diff := cmp.Diff([]string{"PLAIN", "LOGIN"}, names); diff != "" {
		t.Error(diff)
	}
	var who *auth.Identity
	server := auth.Mechanisms(b)[0].Start(auth.Request{Service: "imap", TLS: true}, func(id *auth.Identity) { who = id })
	if _, done, err := server.Next(t.Context(), []byte("\x00ann\x00pass")); !done || err != nil || who.Login != "ann" {
		t.Errorf("got %v, %v, %v", done, err, who)
	}
	if r := b.asked[0]; r.Login != "ann" || r.Service != "imap" || !r.TLS {
		t.Errorf("asked %+v", r)
	}
	who, b.err = nil, auth.ErrRejected
	server = auth.Mechanisms(b)[0].Start(auth.Request{}, func(id *auth.Identity) { who = id })
	if _, done, err := server.Next(t.Context(), []byte("\x00ann\x00no")); done || !errors.Is(err, auth.ErrRejected) || who != nil {
		t.Errorf("got %v, %v, %v", done, err, who)
	}
}
