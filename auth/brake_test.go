package auth

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// lock is a backend of one password for all.
type lock struct{ asked atomic.Int64 }

func (l *lock) Authenticate(_ context.Context, r Request, password string) (*Identity, error) {
	l.asked.Add(1)
	if password != "open" {
		return nil, ErrRejected
	}
	return &Identity{Login: r.Login}, nil
}

func (l *lock) Lookup(context.Context, Request) (*Identity, error) { return nil, ErrRejected }

// took is how long an attempt took, and how it ended.
func took(t *testing.T, b Backend, login, from, password string) (time.Duration, error) {
	t.Helper()
	begin := time.Now()
	_, err := b.Authenticate(t.Context(), Request{Login: login, Remote: netip.AddrPortFrom(netip.MustParseAddr(from), 1)}, password)
	return time.Since(begin), err
}

const home, cafe, office = "192.0.2.7", "198.51.100.7", "203.0.113.7"

func guess(t *testing.T, b Backend, login, from string, times int) {
	t.Helper()
	for i := range times {
		took(t, b, login, from, fmt.Sprintf("guess %d of %s", i, from))
	}
}

func TestGuessingGrowsSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBrake(new(lock))
		var waits []int
		for i := range 11 {
			d, err := took(t, b, "jane", home, fmt.Sprint("guess ", i))
			if !errors.Is(err, ErrRejected) {
				t.Fatal(err)
			}
			waits = append(waits, int(d/time.Second))
		}
		if got, want := fmt.Sprint(waits), "[0 0 0 0 0 0 1 2 4 8 15]"; got != want {
			t.Errorf("waits are %v, want %v", got, want)
		}
		time.Sleep(2 * time.Hour)
		if d, err := took(t, b, "jane", home, "open"); d != 0 || err != nil {
			t.Errorf("after a while: %v, %v", d, err)
		}
	})
}

func TestTheSameSecretCountsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBrake(new(lock))
		for range 100 {
			if d, _ := took(t, b, "jane", home, "old password"); d != 0 {
				t.Fatalf("waited %v", d)
			}
		}
	})
}

func TestWhoIsAtHomeIsNotSlowedByOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBrake(new(lock))
		took(t, b, "jane", home, "open")
		guess(t, b, "jane", cafe, 20)
		guess(t, b, "joe", home, 20)
		if d, err := took(t, b, "jane", home, "open"); d != 0 || err != nil {
			t.Errorf("at home: %v, %v", d, err)
		}
		if d, err := took(t, b, "jane", office, "open"); d != maxWait || err != nil {
			t.Errorf("elsewhere: %v, %v; the owner waits, and gets in", d, err)
		}
		guess(t, b, "jane", home, 8)
		if d, _ := took(t, b, "jane", home, "open"); d == 0 {
			t.Error("guessing at home is free")
		}
	})
}

// Many accounts from one network, on many connections at once: no faster than one.
func TestNetworkQueues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		accounts := new(lock)
		b := NewBrake(accounts)
		for i := range 30 {
			took(t, b, fmt.Sprint("user ", i), home, "guess")
		}
		accounts.asked.Store(0)
		results := make(chan error, 100)
		for i := range cap(results) {
			go func() {
				_, err := took(t, b, fmt.Sprint("victim ", i), home, "guess")
				results <- err
			}()
		}
		throttled := 0
		for range cap(results) {
			if errors.Is(<-results, ErrThrottled) {
				throttled++
			}
		}
		if n := accounts.asked.Load(); n != 2 || throttled != 98 {
			t.Errorf("%d guesses were looked at, %d turned away", n, throttled)
		}
		if d, err := took(t, b, "jane", cafe, "open"); d != 0 || err != nil {
			t.Errorf("from elsewhere: %v, %v", d, err)
		}
	})
}

func TestTemporaryFailureCountsForNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBrake(new(lock))
		for range 50 {
			err := b.Attempt(t.Context(), Request{Login: "jane"}, "x", func() error { return ErrTemporary })
			if !errors.Is(err, ErrTemporary) {
				t.Fatal(err)
			}
		}
		if d, err := took(t, b, "jane", home, "open"); d != 0 || err != nil {
			t.Errorf("%v, %v", d, err)
		}
	})
}

func TestBrakeIsBounded(t *testing.T) {
	b := NewBrake(new(lock))
	now := time.Now()
	b.passed(pair{1, netip.MustParseAddr(home)})
	for i := range uint64(maxFailures + 1000) {
		b.failed(pair{i + 2, netip.MustParseAddr(cafe)}, i+1, now)
	}
	if n, m := len(b.pairs.m), len(b.accounts.m); n > maxFailures || m > maxFailures {
		t.Errorf("%d pairs, %d accounts", n, m)
	}
	if p := b.pairs.m[pair{1, netip.MustParseAddr(home)}]; p == nil || !p.welcome {
		t.Error("strangers made a welcome one forgotten")
	}
}
