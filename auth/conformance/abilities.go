package conformance

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"slices"
	"strings"
	"testing"

	"github.com/xdg-go/scram"

	"postrider/auth"
	"postrider/sasl"
)

// offered is every mechanism that the backend has something for.
func offered(f Fixture) []auth.Mechanism {
	names := slices.Concat(sasl.SCRAMMechanisms(), sasl.CRAMMechanisms(), []string{"PLAIN", "LOGIN"})
	guard := auth.Guard{Backend: f.Backend, Offer: auth.NewOffer(auth.OfferOptions{Names: names, Host: "mx.example.com"})}
	return auth.MechanismsFor(guard, f.request(""))
}

// mechanisms: whatever is offered accepts the right password, and refuses a wrong
// one and an unknown login with the same words after as many steps.
func mechanisms(t *testing.T, f Fixture) {
	all := offered(f)
	if len(all) < 2 {
		t.Errorf("%d are offered", len(all))
	}
	for _, m := range all {
		// Some accounts may have what it needs and this one not: then the right password
		// is refused as well.
		able := m.Clear
		if s, ok := f.Backend.(auth.SecretLookup); ok && !able {
			_, err := s.LookupSecret(t.Context(), f.request(f.Login), m.Name)
			able = err == nil
		} else if _, ok := f.Backend.(auth.ChallengeVerifier); ok {
			able = able || !f.ClearOnly
		}
		id, steps, err := talk(t, m, f.request(""), f.Login, f.Password)
		if able && (err != nil || id == nil || id.Home == "") {
			t.Errorf("%s: got %v, %v", m.Name, id, err)
		}
		for _, c := range []struct{ login, password string }{{f.Login, "not" + f.Password}, {"nobody-" + f.Login, f.Password}} {
			id, n, err := talk(t, m, f.request(""), c.login, c.password)
			if id != nil || !errors.Is(err, auth.ErrRejected) || n != steps {
				t.Errorf("%s, %s: got %v, %v after %d steps, not %d", m.Name, c.login, id, err, n, steps)
			}
		}
	}
}

// talk is one exchange with a client that knows login and password.
func talk(t *testing.T, m auth.Mechanism, r auth.Request, login, password string) (id *auth.Identity, steps int, err error) {
	t.Helper()
	answer := client(t, m.Name, login, password)
	server := m.Start(r, func(who *auth.Identity) { id = who })
	var response []byte
	for steps = 1; steps < 10; steps++ {
		challenge, done, err := server.Next(t.Context(), response)
		if err != nil || done {
			return id, steps, err
		}
		response = answer(challenge)
	}
	t.Fatalf("%s has no end", m.Name)
	return nil, 0, nil
}

// client answers the challenges of a mechanism.
func client(t *testing.T, name, login, password string) func([]byte) []byte {
	switch {
	case name == "PLAIN":
		return func([]byte) []byte { return []byte("\x00" + login + "\x00" + password) }
	case name == "LOGIN":
		return func(challenge []byte) []byte {
			if strings.HasPrefix(string(challenge), "User") {
				return []byte(login)
			}
			return []byte(password)
		}
	case strings.HasPrefix(name, "CRAM-"):
		newHash := map[string]func() hash.Hash{sasl.CRAMMD5: md5.New, sasl.CRAMSHA1: sha1.New, sasl.CRAMSHA256: sha256.New}[name]
		return func(challenge []byte) []byte {
			m := hmac.New(newHash, []byte(password))
			m.Write(challenge)
			return []byte(login + " " + hex.EncodeToString(m.Sum(nil)))
		}
	}
	newClient := scram.SHA256.NewClient
	if name == sasl.SCRAMSHA1 {
		newClient = scram.SHA1.NewClient
	}
	c, err := newClient(login, password, "")
	if err != nil {
		t.Fatal(err)
	}
	conversation := c.NewConversation()
	return func(challenge []byte) []byte {
		response, err := conversation.Step(string(challenge))
		if err != nil {
			t.Errorf("%s: the client says %v", name, err)
		}
		return []byte(response)
	}
}

// enumerate: every account is listed, as it is, and no password with it.
func enumerate(t *testing.T, f Fixture) {
	e, ok := f.Backend.(auth.Enumerator)
	if !ok {
		return
	}
	found, err := f.Backend.Lookup(t.Context(), f.request(f.Login))
	if err != nil {
		t.Fatal(err)
	}
	var listed *auth.Identity
	err = e.Enumerate(t.Context(), func(id *auth.Identity) error {
		if id.Login == found.Login {
			listed = id
		}
		if !id.Hash.IsZero() || !id.Clear.IsZero() {
			t.Errorf("%s is listed with a password", id.Login)
		}
		return nil
	})
	if errors.Is(err, errors.ErrUnsupported) {
		return
	}
	if err != nil || listed == nil {
		t.Fatalf("listed %v, %v", listed, err)
	}
	if listed.UID != found.UID || listed.User != found.User || listed.Home != found.Home || listed.Maildir != found.Maildir || listed.Options.String() != found.Options.String() {
		t.Errorf("listed %+v, found %+v", listed, found)
	}
	stop := errors.New("stop")
	if err := e.Enumerate(t.Context(), func(*auth.Identity) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("stopped: %v", err)
	}
}

// change: who knows the old password gets a new one, and then only that counts.
func change(t *testing.T, f Fixture) {
	p, ok := f.Backend.(auth.PasswordChanger)
	if !ok || !f.Changes {
		return
	}
	const fresh = "Fr3sh and new"
	for what, c := range map[string]struct{ login, old string }{
		"wrong password": {f.Login, "not" + f.Password}, "unknown login": {"nobody-" + f.Login, f.Password}, "no password": {f.Login, ""},
	} {
		if err := p.ChangePassword(t.Context(), f.request(c.login), c.old, fresh); !errors.Is(err, auth.ErrRejected) {
			t.Errorf("%s: %v", what, err)
		}
	}
	known(t, f)
	if err := p.ChangePassword(t.Context(), f.request(f.Login), f.Password, fresh); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Backend.Authenticate(t.Context(), f.request(f.Login), f.Password); !errors.Is(err, auth.ErrRejected) {
		t.Errorf("the old password: %v", err)
	}
	f.Password = fresh
	known(t, f)
	mechanisms(t, f)
}
