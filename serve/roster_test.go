package serve

import (
	"errors"
	"net"
	"net/netip"
	"testing"

	"postrider/wire"
)

func TestRoster(t *testing.T) {
	var buffers wire.Buffers
	session := func(id string) *wire.Conn {
		a, b := net.Pipe()
		t.Cleanup(func() { a.Close(); b.Close() })
		c := wire.NewConn(a, &buffers)
		if id != "" {
			c.Introduce([][2]string{{"name", id}})
		}
		return c
	}
	dismissed := func(c *wire.Conn) bool {
		_, err := c.WaitInput(1)
		return errors.Is(err, wire.ErrInterrupted)
	}
	r := NewRoster(2)
	phone, desk := session("phone"), session("desk")
	for _, c := range []*wire.Conn{phone, desk} {
		if _, err := r.Enter("jane", jane, c); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.Enter("joe", jane, session("phone")); err != nil {
		t.Error("an account pays for another:", err)
	}
	for name, try := range map[string]struct {
		from netip.Addr
		id   string
	}{"another address": {stranger, "phone"}, "another program": {jane, "web"}, "a program that says nothing": {jane, ""}} {
		if _, err := r.Enter("jane", try.from, session(try.id)); !errors.Is(err, ErrAccountFull) {
			t.Errorf("%s: %v", name, err)
		}
	}
	again := session("phone")
	leave, err := r.Enter("jane", jane, again)
	if err != nil {
		t.Fatal(err)
	}
	if !dismissed(phone) || dismissed(desk) || dismissed(again) {
		t.Error("another than the phone's old session was ended")
	}
	leave()
	if _, err := r.Enter("jane", stranger, session("")); err != nil {
		t.Error("a place that was left is not free:", err)
	}
	if got := len(r.sessions["jane"]); got != 2 {
		t.Errorf("%d sessions", got)
	}
}

func TestStrangerIsToldWhy(t *testing.T) {
	address, _ := start(t, func(c *Config) { c.MaxPerAddress = 1 })
	first := dial(t, address)
	first.want("* OK ")
	dial(t, address).login()
	first.want("* BYE [LIMIT] Too many connections, and this one has not logged in\r\n")
}
