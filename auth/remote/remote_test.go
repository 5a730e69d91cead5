package remote

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"postrider/auth"
	"postrider/auth/password"
	"postrider/auth/static"
	"postrider/packet"
	"postrider/sasl"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// linked returns a client whose other side serves b, and what ends that side.
func linked(t *testing.T, b auth.Backend, log *strings.Builder) (*Client, *Tickets, func()) {
	t.Helper()
	a, z, err := packet.Pair()
	if err != nil {
		t.Fatal(err)
	}
	near, far := open(t, a), open(t, z)
	tickets := NewTickets()
	client := NewClient()
	ctx, cancel := context.WithCancel(context.Background())
	served, ended := make(chan error, 1), make(chan error, 1)
	go func() { served <- NewServer(b, tickets, slog.New(slog.NewTextHandler(log, nil))).Serve(ctx, far) }()
	go func() { ended <- client.Link(near) }()
	stopped := false
	stop := func() {
		if !stopped {
			stopped = true
			cancel()
			<-served
			<-ended
		}
	}
	t.Cleanup(stop)
	for client.begin(); client.Mechanisms(auth.Request{}) == nil; { // until the link is there
	}
	return client, tickets, stop
}

func open(t *testing.T, f *os.File) *packet.Conn {
	t.Helper()
	c, err := packet.New(f)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func accounts() auth.Backend {
	return auth.Guard{Backend: static.New(password.NewVerifier(password.Limits{}),
		static.Account{Identity: auth.Identity{Login: "ann", UID: 7, GID: 8, Home: "/home/ann"}, Stored: "{PLAIN}right"},
		static.Account{Identity: auth.Identity{Login: "root", UID: 0, GID: 0, Home: "/root"}, Stored: "{PLAIN}right"})}
}

func request(login string) auth.Request {
	return auth.Request{Login: login, Service: "imap", Remote: netip.MustParseAddrPort("192.0.2.1:99"), TLS: true}
}

func TestAuthenticate(t *testing.T) {
	client, tickets, _ := linked(t, accounts(), new(strings.Builder))
	id, err := client.Authenticate(t.Context(), request("ann"), "right")
	if err != nil {
		t.Fatal(err)
	}
	if id.Login != "ann" || id.UID != auth.Unknown || id.Home != "" {
		t.Errorf("the front knows more than the login: %+v", id)
	}
	if got := tickets.Redeem(Ticket([]byte(id.Ticket.Reveal()))); got == nil || got.UID != 7 || got.Home != "/home/ann" {
		t.Errorf("the ticket stands for %+v", got)
	}
	for login, want := range map[string]error{"ann": auth.ErrRejected, "nobody": auth.ErrRejected, "root": auth.ErrUnusable} {
		secret := "right"
		if login == "ann" {
			secret = "wrong"
		}
		if _, err := client.Authenticate(t.Context(), request(login), secret); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", login, err, want)
		}
	}
	if _, err := client.Lookup(t.Context(), request("ann")); !errors.Is(err, errors.ErrUnsupported) {
		t.Error("somebody is known without a password:", err)
	}
	if _, err := client.Authenticate(t.Context(), request(strings.Repeat("x", auth.MaxLogin+1)), "x"); !errors.Is(err, auth.ErrRejected) {
		t.Error(err)
	}
}

func TestMechanisms(t *testing.T) {
	client, tickets, _ := linked(t, accounts(), new(strings.Builder))
	for _, m := range auth.Mechanisms(client) {
		var id *auth.Identity
		x := m.Start(request(""), func(proved *auth.Identity) { id = proved })
		responses := map[string][]string{"PLAIN": {"\x00ann\x00right"}, "LOGIN": {"ann", "right"}}[m.Name]
		challenge, done, err := x.Next(t.Context(), nil)
		if done || err != nil || challenge == nil || !m.Clear {
			t.Fatalf("%s begins with %q, %v, %v", m.Name, challenge, done, err)
		}
		for _, r := range responses {
			if challenge, done, err = x.Next(t.Context(), []byte(r)); err != nil {
				t.Fatal(m.Name, err)
			}
		}
		if !done || challenge != nil || id == nil || tickets.Redeem(Ticket([]byte(id.Ticket.Reveal()))) == nil {
			t.Errorf("%s ends with %q, %v, %v", m.Name, challenge, done, id)
		}
		x = m.Start(request(""), func(*auth.Identity) { t.Error("accepted") })
		if _, _, err := x.Next(t.Context(), []byte{}); !errors.Is(err, sasl.ErrMalformed) {
			t.Error(m.Name, err)
		}
		if _, _, err := x.Next(t.Context(), []byte("again")); !errors.Is(err, auth.ErrTemporary) {
			t.Error("an exchange that has ended goes on:", err)
		}
	}
}

// slow is a backend that waits for its context.
type slow struct{ begun chan struct{} }

func (s slow) Authenticate(ctx context.Context, r auth.Request, _ string) (*auth.Identity, error) {
	if r.Login == "defect" {
		panic("a defect")
	}
	s.begun <- struct{}{}
	<-ctx.Done()
	s.begun <- struct{}{}
	return nil, ctx.Err()
}

func (slow) Lookup(context.Context, auth.Request) (*auth.Identity, error) {
	return nil, auth.ErrRejected
}

func TestGivingUpReachesTheBackend(t *testing.T) {
	b := slow{make(chan struct{})}
	client, _, _ := linked(t, b, new(strings.Builder))
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error)
	go func() {
		_, err := client.Authenticate(ctx, request("ann"), "x")
		result <- err
	}()
	<-b.begun
	cancel()
	if err := <-result; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	<-b.begun
}

func TestTheOtherSideIsGone(t *testing.T) {
	b := slow{make(chan struct{}, 9)}
	client, _, stop := linked(t, b, new(strings.Builder))
	result := make(chan error)
	go func() {
		_, err := client.Authenticate(t.Context(), request("ann"), "x")
		result <- err
	}()
	<-b.begun
	stop()
	if err := <-result; !errors.Is(err, auth.ErrTemporary) {
		t.Error("whoever waited is told", err)
	}
	if _, err := client.Authenticate(t.Context(), request("ann"), "x"); !errors.Is(err, auth.ErrTemporary) {
		t.Error("without a link:", err)
	}
	if client.Mechanisms(auth.Request{}) != nil {
		t.Error("mechanisms without a link")
	}
}

func TestADefectCostsOneExchange(t *testing.T) {
	var log strings.Builder
	client, _, stop := linked(t, slow{}, &log)
	if _, err := client.Authenticate(t.Context(), request("defect"), "sesame"); !errors.Is(err, auth.ErrTemporary) {
		t.Error(err)
	}
	if client.Mechanisms(auth.Request{}) == nil {
		t.Error("the link is gone")
	}
	stop()
	if !strings.Contains(log.String(), "a defect") || strings.Contains(log.String(), "sesame") {
		t.Error(log.String())
	}
}

// What no client sends ends the link, and nothing else.
func TestGarbageEndsTheLink(t *testing.T) {
	for _, m := range []string{"\x00", "\x02\x00", "\xff12345678", "\x0212345678\xff\xff\xff\xff", "\x0512345678 more", "\x0312345678\x00\x00\x00\x00"} {
		a, z, err := packet.Pair()
		if err != nil {
			t.Fatal(err)
		}
		near, far := open(t, a), open(t, z)
		if err := near.Send([]byte(m)); err != nil {
			t.Fatal(err)
		}
		err = NewServer(accounts(), NewTickets(), slog.New(slog.DiscardHandler)).Serve(t.Context(), far)
		if !errors.Is(err, packet.ErrMalformed) {
			t.Errorf("%q: %v", m, err)
		}
	}
}

func TestTicketsCountOnceAndNotForLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tickets := NewTickets()
		id := &auth.Identity{Login: "ann"}
		first, second := tickets.Issue(id), tickets.Issue(id)
		if first == second {
			t.Fatal("two tickets are the same")
		}
		if tickets.Redeem(first) != id || tickets.Redeem(first) != nil {
			t.Error("a ticket does not count once")
		}
		guess := second
		guess[TicketSize-1] ^= 1
		if tickets.Redeem(guess) != nil || tickets.Redeem(Ticket{}) != nil {
			t.Error("a ticket was guessed")
		}
		time.Sleep(ticketTime)
		if tickets.Redeem(second) != nil {
			t.Error("an old ticket counts")
		}
		for range maxTickets + 10 {
			tickets.Issue(id)
		}
		if len(tickets.byName) != maxTickets || tickets.order.Len() != maxTickets {
			t.Errorf("%d tickets are kept", len(tickets.byName))
		}
	})
}
