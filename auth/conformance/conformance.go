// Package conformance is the suite that every backend of accounts passes: what
// auth.Backend promises, put to the test. A backend's own test calls Test.
//
// It owns nothing. It knows no backend.
package conformance

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"postrider/auth"
)

// Fixture is a backend with accounts to try.
type Fixture struct {
	Backend auth.Backend

	// An account that works, and its password; both ordinary ASCII.
	Login, Password string
	// An account with the option disableimap=1 and the same password; "" if the
	// backend has no options.
	Disabled string

	// An account that is locked, and one whose password has expired, with the same
	// password; "" if the backend has none such.
	Locked, Expired string

	// ClearOnly says that the backend judges challenges, but has nothing to judge those
	// of this account with.
	ClearOnly bool

	// Changes says that ChangePassword changes something that the fixture owns.
	Changes bool

	// Checks counts the password checks done so far; nil if that is done
	// elsewhere.
	Checks func() int64
	// Break makes the source of the accounts unreachable, Mend reachable again;
	// nil if it cannot fail.
	Break, Mend func()
	// Stall makes the source take no notice of who asks, Resume answer again; nil if
	// it cannot stall.
	Stall, Resume func()
}

// Test runs the suite. make is called once for each test.
func Test(t *testing.T, make func(t *testing.T) Fixture) {
	for name, test := range map[string]func(*testing.T, Fixture){
		"known":      known,
		"rejected":   rejected,
		"cost":       cost,
		"lookup":     lookup,
		"owned":      owned,
		"disabled":   disabled,
		"temporary":  temporary,
		"many":       many,
		"cancelled":  cancelled,
		"locked":     locked,
		"expired":    expired,
		"stalled":    stalled,
		"injection":  injection,
		"mechanisms": mechanisms,
		"enumerate":  enumerate,
		"change":     change,
	} {
		t.Run(name, func(t *testing.T) { test(t, make(t)) })
	}
}

// TestMechanisms runs the part of the suite in which it matters how a password is
// kept, for a backend that has passed all of it with one that is cheap to check.
func TestMechanisms(t *testing.T, make func(t *testing.T) Fixture) {
	for name, test := range map[string]func(*testing.T, Fixture){
		"known": known, "cost": cost, "locked": locked, "disabled": disabled, "mechanisms": mechanisms, "change": change,
	} {
		t.Run(name, func(t *testing.T) { test(t, make(t)) })
	}
}

func (f Fixture) request(login string) auth.Request {
	return auth.Request{Login: login, Service: "imap", Remote: netip.MustParseAddrPort("192.0.2.1:4711"), TLS: true}
}

func known(t *testing.T, f Fixture) {
	id, err := f.Backend.Authenticate(t.Context(), f.request(f.Login), f.Password)
	if err != nil {
		t.Fatal(err)
	}
	if id.Login == "" || id.UID < 0 && id.User == "" || !strings.HasPrefix(id.Home, "/") {
		t.Errorf("identity is incomplete: %+v", id)
	}
}

// rejected: whatever a stranger sends is a rejection, and no error tells why,
// or what was sent.
func rejected(t *testing.T, f Fixture) {
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	huge := strings.Repeat("x", 1<<20)
	for name, c := range map[string]struct{ login, password string }{
		"unknown login":       {"nobody-" + f.Login, f.Password},
		"wrong password":      {f.Login, "not" + f.Password},
		"longer password":     {f.Login, f.Password + "x"},
		"shorter password":    {f.Login, f.Password[:len(f.Password)-1]},
		"empty password":      {f.Login, ""},
		"empty login":         {"", f.Password},
		"nothing":             {"", ""},
		"NUL in the login":    {f.Login + "\x00", f.Password},
		"NUL in the password": {f.Login, f.Password + "\x00"},
		"NUL and more":        {f.Login + "\x00x", f.Password + "\x00x"},
		"every byte":          {string(every), string(every)},
		"every byte after it": {f.Login + string(every), f.Password + string(every)},
		"separators":          {f.Login + "\t|=:\n", f.Password},
		"pattern":             {"*", f.Password},
		"path":                {"../" + f.Login, f.Password},
		"quotes":              {f.Login + "' OR '1'='1", f.Password},
		"filter":              {f.Login + ")(uid=*", f.Password},
		"not UTF-8":           {"\xff\xfe", "\xff\xfe"},
		"huge login":          {huge, f.Password},
		"huge password":       {f.Login, huge},
	} {
		id, err := f.Backend.Authenticate(t.Context(), f.request(c.login), c.password)
		if id != nil || !errors.Is(err, auth.ErrRejected) {
			t.Errorf("%s: got %v, %v", name, id, err)
		} else if c.password != "" && strings.Contains(err.Error(), c.password) {
			t.Errorf("%s: the error tells the password", name)
		}
	}
}

// cost: an unknown login does the work of a wrong password.
func cost(t *testing.T, f Fixture) {
	if f.Checks == nil {
		return
	}
	count := func(login, password string) int64 {
		before := f.Checks()
		_, _ = f.Backend.Authenticate(t.Context(), f.request(login), password)
		return f.Checks() - before
	}
	unknown, wrong := count("nobody-"+f.Login, "guess"), count(f.Login, "guess")
	if unknown != wrong || wrong == 0 {
		t.Errorf("%d checks for an unknown login, %d for a wrong password", unknown, wrong)
	}
}

func lookup(t *testing.T, f Fixture) {
	proved, err := f.Backend.Authenticate(t.Context(), f.request(f.Login), f.Password)
	if err != nil {
		t.Fatal(err)
	}
	found, err := f.Backend.Lookup(t.Context(), f.request(f.Login))
	if err != nil {
		t.Fatal(err)
	}
	if found.Login != proved.Login || found.UID != proved.UID || found.User != proved.User || found.Home != proved.Home ||
		found.Maildir != proved.Maildir || found.Options.String() != proved.Options.String() {
		t.Errorf("found %+v, proved %+v", found, proved)
	}
	for _, login := range []string{"nobody-" + f.Login, "", f.Login + "\x00", "\xff", strings.Repeat("x", 1<<20)} {
		if id, err := f.Backend.Lookup(t.Context(), f.request(login)); id != nil || !errors.Is(err, auth.ErrRejected) {
			t.Errorf("%.20q: got %v, %v", login, id, err)
		}
	}
}

// owned: what the caller does with an identity does not reach the backend.
func owned(t *testing.T, f Fixture) {
	for range 2 {
		id, err := f.Backend.Authenticate(t.Context(), f.request(f.Login), f.Password)
		if err != nil {
			t.Fatal(err)
		}
		if id.Home == "/spoilt" || id.Options.Int("spoilt") != 0 {
			t.Fatalf("got %+v", id)
		}
		id.Home = "/spoilt"
		for i := range id.Options {
			id.Options[i] = auth.Option{Name: "spoilt", Bare: true}
		}
		id.Options = append(id.Options, auth.Option{Name: "spoilt", Bare: true})
	}
}

// disabled: the option is reported, and only to whom knows the password.
func disabled(t *testing.T, f Fixture) {
	if f.Disabled == "" {
		return
	}
	guard := auth.Guard{Backend: f.Backend}
	if _, err := guard.Authenticate(t.Context(), f.request(f.Disabled), f.Password); !errors.Is(err, auth.ErrDisabled) {
		t.Errorf("right password: %v", err)
	}
	if _, err := guard.Authenticate(t.Context(), f.request(f.Disabled), "not"+f.Password); !errors.Is(err, auth.ErrRejected) {
		t.Errorf("wrong password: %v", err)
	}
	// By another mechanism it may have nothing to prove the password with; in it comes
	// by none.
	for _, m := range offered(f) {
		id, _, err := talk(t, m, f.request(""), f.Disabled, f.Password)
		if id != nil || !errors.Is(err, auth.ErrDisabled) && (m.Clear || !errors.Is(err, auth.ErrRejected)) {
			t.Errorf("%s: got %v, %v", m.Name, id, err)
		}
	}
}

// temporary: a source that fails is never a wrong password, and heals.
func temporary(t *testing.T, f Fixture) {
	if f.Break == nil {
		return
	}
	f.Break()
	for _, login := range []string{f.Login, "nobody-" + f.Login} {
		if _, err := f.Backend.Authenticate(t.Context(), f.request(login), f.Password); !errors.Is(err, auth.ErrTemporary) || errors.Is(err, auth.ErrRejected) {
			t.Errorf("%s: %v", login, err)
		}
		if _, err := f.Backend.Lookup(t.Context(), f.request(login)); !errors.Is(err, auth.ErrTemporary) {
			t.Errorf("lookup of %s: %v", login, err)
		}
	}
	later := auth.Chain(f.Backend, f.Backend)
	if _, err := later.Authenticate(t.Context(), f.request(f.Login), "x"); !errors.Is(err, auth.ErrTemporary) {
		t.Errorf("in a chain: %v", err)
	}
	f.Mend()
	known(t, f)
}

// many: a thousand at once, each with its own answer.
func many(t *testing.T, f Fixture) {
	var group sync.WaitGroup
	for i := range 1000 {
		group.Go(func() {
			password, want := f.Password, error(nil)
			if i%2 == 1 {
				password, want = "not"+f.Password, auth.ErrRejected
			}
			if _, err := f.Backend.Authenticate(t.Context(), f.request(f.Login), password); !errors.Is(err, want) {
				t.Errorf("attempt %d: %v", i, err)
			}
		})
	}
	group.Wait()
}

// cancelled: an attempt that was given up ends, and is not a wrong password.
func cancelled(t *testing.T, f Fixture) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, login := range []string{f.Login, "nobody-" + f.Login} {
		id, err := f.Backend.Authenticate(ctx, f.request(login), f.Password)
		if id != nil || !errors.Is(err, context.Canceled) || errors.Is(err, auth.ErrRejected) {
			t.Errorf("%s: got %v, %v", login, id, err)
		}
	}
}
