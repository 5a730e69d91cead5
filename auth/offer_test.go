package auth_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"postrider/auth"
	"postrider/auth/password"
	"postrider/auth/static"
	"postrider/sasl"
)

// kept is accounts that keep their password in each way.
func kept(t *testing.T) auth.Backend {
	t.Helper()
	account := func(name, stored, options string) static.Account {
		id := person
		id.Login, id.Options = name, auth.ParseOptions(options)
		return static.Account{Identity: id, Stored: stored}
	}
	keys, err := password.Make(sasl.SCRAMSHA256, "secret")
	if err != nil {
		t.Fatal(err)
	}
	return static.New(password.NewVerifier(password.Limits{}),
		account("clear", "{PLAIN}secret", ""), account("keys", keys, ""), account("off", "{PLAIN}secret", "disableimap=1"))
}

func guarded(t *testing.T, o auth.OfferOptions) auth.Guard {
	return auth.Guard{Backend: auth.NewBrake(auth.Chain(kept(t))), Offer: auth.NewOffer(o)}
}

func names(all []auth.Mechanism) (names []string) {
	for _, m := range all {
		names = append(names, m.Name)
	}
	return names
}

func TestOffer(t *testing.T) {
	bound := sasl.Bindings{"tls-exporter": []byte("x")}
	for _, c := range []struct {
		what    string
		options auth.OfferOptions
		r       auth.Request
		want    string
	}{
		{"what every account can use", auth.OfferOptions{}, auth.Request{}, "SCRAM-SHA-256 PLAIN LOGIN"},
		{"named", auth.OfferOptions{Names: []string{"CRAM-MD5", "PLAIN", "NOSUCH"}}, auth.Request{}, "CRAM-MD5 PLAIN"},
		{"words of Courier's", auth.OfferOptions{Courier: []string{"PLAIN"}}, auth.Request{External: "keys"}, "EXTERNAL SCRAM-SHA-256 PLAIN"},
		{"words of Courier's, some accounts can", auth.OfferOptions{Courier: []string{"CRAM-SHA1", "CRAM-MD5", "LOGIN"}}, auth.Request{}, "SCRAM-SHA-256 CRAM-SHA1 CRAM-MD5 LOGIN"},
		{"names come before words", auth.OfferOptions{Names: []string{"LOGIN"}, Courier: []string{"PLAIN"}}, auth.Request{}, "LOGIN"},
		{"binding is off", auth.OfferOptions{}, auth.Request{Bindings: bound}, "SCRAM-SHA-256 PLAIN LOGIN"},
		{"binding", auth.OfferOptions{ChannelBinding: true}, auth.Request{Bindings: bound}, "SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN LOGIN"},
		{"binding without TLS", auth.OfferOptions{ChannelBinding: true}, auth.Request{}, "SCRAM-SHA-256 PLAIN LOGIN"},
		{"certificate", auth.OfferOptions{}, auth.Request{External: "keys"}, "EXTERNAL SCRAM-SHA-256 PLAIN LOGIN"},
		{"certificate, not wanted", auth.OfferOptions{Names: []string{"PLAIN"}}, auth.Request{External: "keys"}, "PLAIN"},
	} {
		if got := strings.Join(names(auth.MechanismsFor(guarded(t, c.options), c.r)), " "); got != c.want {
			t.Errorf("%s: %s", c.what, got)
		}
	}
	worded := guarded(t, auth.OfferOptions{Courier: []string{"PLAIN"}})
	if got := strings.Join(names(auth.Mechanisms(auth.BeyondIMAP(worded))), " "); got != "SCRAM-SHA-256 PLAIN LOGIN" {
		t.Errorf("beyond IMAP there are %s", got)
	}
	if got := strings.Join(names(auth.Mechanisms(worded)), " "); got != "SCRAM-SHA-256 PLAIN" {
		t.Errorf("in IMAP there are %s", got)
	}
	other := auth.Chain(kept(t), static.New(password.NewVerifier(password.Limits{}), static.Account{Identity: auth.Identity{Login: "x"}, Stored: "$6$x"}))
	if got := names(auth.Mechanisms(auth.Guard{Backend: other, Offer: auth.NewOffer(auth.OfferOptions{})})); !slices.Equal(got, []string{"PLAIN", "LOGIN"}) {
		t.Errorf("with a backend that keeps hashes alone: %v", got)
	}
}

// first is the server's first message of SCRAM for a login: salt and iterations.
func first(t *testing.T, g auth.Guard, login string) (salt, iterations string) {
	t.Helper()
	m := auth.Mechanisms(g)[0]
	challenge, done, err := m.Start(auth.Request{}, func(*auth.Identity) { t.Error("accepted") }).Next(t.Context(), []byte("n,,n="+login+",r=abc"))
	if done || err != nil {
		t.Fatal(done, err)
	}
	fields := strings.Split(string(challenge), ",")
	if len(fields) != 3 || !strings.HasPrefix(fields[0], "r=abc") {
		t.Fatalf("%s", challenge)
	}
	return fields[1], fields[2]
}

// TestUnknownLooksKnown: what a stranger sees of an account that does not exist is
// what the others show: a salt of the same size that stays, and the same iterations.
func TestUnknownLooksKnown(t *testing.T) {
	options := auth.OfferOptions{Names: []string{sasl.SCRAMSHA256}, Secret: []byte("0123456789abcdef")}
	g := guarded(t, options)
	seen := map[string]string{}
	for _, login := range []string{"clear", "keys", "nobody", "somebody"} {
		salt, iterations := first(t, g, login)
		again, _ := first(t, guarded(t, options), login)
		raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(salt, "s="))
		if err != nil || len(raw) != 16 || iterations != "i=4096" || again != salt && login != "keys" {
			t.Errorf("%s: %s (again %s), %s", login, salt, again, iterations)
		}
		if other, taken := seen[salt]; taken {
			t.Errorf("%s has the salt of %s", login, other)
		}
		seen[salt] = login
	}
	options.Secret = []byte("another of 16 bytes")
	if salt, _ := first(t, guarded(t, options), "nobody"); seen[salt] != "" {
		t.Error("the salt does not depend on the secret")
	}
}

// TestUnknownCostsTheSame: an exchange for an account that does not exist takes as
// long as one for an account that does, however it keeps its password.
func TestUnknownCostsTheSame(t *testing.T) {
	g := guarded(t, auth.OfferOptions{Names: []string{sasl.SCRAMSHA256}})
	fastest := map[string]time.Duration{}
	for range 60 { // in turn, so that a busy machine troubles all alike
		for _, login := range []string{"clear", "keys", "nobody"} {
			start := time.Now()
			first(t, g, login)
			if took := time.Since(start); fastest[login] == 0 || took < fastest[login] {
				fastest[login] = took
			}
		}
	}
	for login, took := range fastest {
		if ratio := float64(took) / float64(fastest["nobody"]); ratio > 1.5 || ratio < 0.67 {
			t.Errorf("%s takes %v, nobody %v", login, took, fastest["nobody"])
		}
	}
}

// TestExternal: the certificate's name is looked up; to act for another is refused.
func TestExternal(t *testing.T) {
	g := guarded(t, auth.OfferOptions{})
	for _, c := range []struct {
		external, response string
		want               error
	}{
		{"keys", "", nil}, {"keys", "keys", nil}, {"keys", "clear", sasl.ErrAuthorization}, {"nobody", "", auth.ErrRejected}, {"off", "", auth.ErrDisabled},
	} {
		r := auth.Request{External: c.external, Service: "imap", TLS: true}
		var who *auth.Identity
		_, done, err := auth.MechanismsFor(g, r)[0].Start(r, func(id *auth.Identity) { who = id }).Next(t.Context(), []byte(c.response))
		if !errors.Is(err, c.want) || done != (c.want == nil) || done != (who != nil) {
			t.Errorf("%+v: %v, %v, %v", c, who, done, err)
		}
	}
}

// counting counts what a brake is asked for.
type counting struct {
	auth.Backend
	failed int
}

func (c *counting) Attempt(_ context.Context, _ auth.Request, _ string, try func() error) error {
	err := try()
	if errors.Is(err, auth.ErrRejected) {
		c.failed++
	}
	return err
}

func (c *counting) SecretMechanisms(bool) []string { return sasl.SCRAMMechanisms() }

func (c *counting) LookupSecret(_ context.Context, r auth.Request, _ string) (*auth.Keys, error) {
	id := person
	id.Login = r.Login
	return &auth.Keys{Identity: &id, Clear: auth.NewSecret("secret")}, nil
}

// TestSCRAMIsAnAttempt: a wrong proof is one attempt for the brake behind, and the
// rules of the guard hold for a right one.
func TestSCRAMIsAnAttempt(t *testing.T) {
	c := &counting{Backend: kept(t)}
	g := auth.Guard{Backend: c, Offer: auth.NewOffer(auth.OfferOptions{})}
	server := auth.Mechanisms(g)[0].Start(auth.Request{}, func(*auth.Identity) { t.Error("accepted") })
	challenge, _, err := server.Next(t.Context(), []byte("n,,n=x,r=abc"))
	if err != nil {
		t.Fatal(err)
	}
	nonce, _, _ := bytes.Cut(challenge, []byte(","))
	proof := base64.StdEncoding.EncodeToString(make([]byte, 32))
	if _, _, err := server.Next(t.Context(), []byte("c=biws,"+string(nonce)+",p="+proof)); !errors.Is(err, auth.ErrRejected) || c.failed != 1 {
		t.Errorf("%v, %d attempts", err, c.failed)
	}
}
